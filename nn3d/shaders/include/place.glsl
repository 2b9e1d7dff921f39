// Where a tile stands in its layer's (y, z) plane. The same formulae as nn3d.stage.reference.
// ENDS layers: one, or 0 the source and 1 the target of a link.
uniform vec4 u_place[ENDS];    // x, y of the layer; linear opening; half thickness of an open tile
uniform vec4 u_weights[ENDS];  // line, circle, grid; number of tiles
uniform vec4 u_half[ENDS];     // half height and half width of a tile: open, mosaic
uniform vec4 u_extent[ENDS];   // full height and width as they are now; half thickness of the block; scale of the whole plate

const float STAGGER = 0.45;

float ease(float p) {
  p = clamp(p, 0.0, 1.0);
  return p * p * (3.0 - 2.0 * p);
}

// How far tile k of end e is open: tiles start one after the other along the linear opening.
float opened(int e, int k) {
  float delay = STAGGER * float(k) / max(1.0, u_weights[e].w - 1.0);
  return ease(u_place[e].z * (1.0 + STAGGER) - delay);
}

vec2 placed(int e, vec4 line_circle, vec4 grid_mosaic, float open) {
  vec3 w = u_weights[e].xyz;
  vec2 open_at = w.x * line_circle.xy + w.y * line_circle.zw + w.z * grid_mosaic.xy;
  return u_extent[e].w * mix(grid_mosaic.zw, open_at, open);
}

vec2 half_size(int e, float open) {
  return mix(u_half[e].zw, u_half[e].xy, open);
}

float half_thickness(int e, float open) {
  return mix(u_extent[e].z, u_place[e].w, open);
}
