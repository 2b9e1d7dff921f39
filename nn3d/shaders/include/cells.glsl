// What a tile's cells show within the footprint of a pixel, from an atlas of levels (nn3d.stage.atlas).
layout(std140) uniform Cells {
  ivec4 c_levels[16];  // x, y of the first tile's texel; rows, columns of a tile's texels
  ivec4 c_shape;       // rows, columns of cells; kind (0 one-signed, 1 signed, 2 colour picture); number of levels
  ivec4 c_slots;       // tiles in a row of the page; first tile of the page, first one after it; whether values are here
  ivec4 c_lattice;     // rows, columns, number of tiles
  vec4 c_grid;         // y and z of the first tile's centre in the layer's plane, distance of rows and of columns
  vec4 c_half;         // half height, half width of a tile, half thickness; how much of its colour the layer keeps
  vec4 c_gain;         // of the two epochs: gain a, gain b, bias a, bias b
  ivec4 c_lit;         // first row, row after the last, first column, column after the last of the cells that stay bright
  ivec4 c_own;         // first tile of these, the one after the last; tile of which only the first n cells show, n
};
uniform sampler2D u_maps_a;
uniform sampler2D u_maps_b;
uniform sampler2D u_gains;  // (gain a, gain b) of each tile, wrapped after 1,024 tiles
uniform float u_mix;        // between the two epochs

const float MOST_TAPS = 16.0;

// A texel is constant over its square: the average over a box of `w` texels is linear next to a seam, flat elsewhere.
vec2 level_value(sampler2D maps, int l, vec2 slot, vec2 q, vec2 w) {
  ivec4 level = c_levels[l];
  vec2 n = vec2(level.wz);
  float scale = exp2(-float(l));
  q *= scale;
  vec2 seam = floor(q + 0.5);
  q = clamp(seam + clamp((q - seam) / max(w * scale, vec2(1e-5)), -0.5, 0.5), vec2(0.5), n - 0.5);
  return textureLod(maps, (vec2(level.xy) + slot * n + q) / vec2(textureSize(maps, 0)), 0.0).rg;
}

// Shown value of a tile around cell coordinate q, averaged over a box of w cells; y: most of the share not finite.
// The longer side of the box is cut into taps, each on the level that its own box asks for, or between two levels.
// Software rasterizers run both sides of a branch: loops that end early and defines are what saves time here.
vec2 tile_value(sampler2D maps, int tile, vec2 q, vec2 w) {
  int k = tile - c_slots.y;
  vec2 slot = vec2(k % c_slots.x, k / c_slots.x);
  w = min(w, vec2(c_shape.yx));
  float longer = max(w.x, w.y), shorter = min(w.x, w.y);
  float taps = clamp(ceil(longer / max(shorter, 1.0) - 0.25), 1.0, MOST_TAPS), part = longer / taps;
  vec2 axis = w.x > w.y ? vec2(1.0, 0.0) : vec2(0.0, 1.0);
  w = mix(w, vec2(part), axis);
  float lod = min(log2(max(max(w.x, w.y), 1.0)), float(c_shape.w - 1));
  float low = floor(lod), blend = smoothstep(0.3, 0.7, lod - low);
  float first = blend >= 1.0 ? low + 1.0 : low, n = blend > 0.0 && blend < 1.0 ? 2.0 * taps : taps;
  vec2 weights = (n > taps ? vec2(1.0 - blend, blend) : vec2(1.0)) / taps, sum = vec2(0.0);
  vec2 from = q - axis * part * (taps - 1.0) * 0.5;
  float t = 0.0;
  do {
    bool again = t >= taps;
    vec2 at = from + axis * part * (again ? t - taps : t);
    vec2 v = level_value(maps, int(again ? first + 1.0 : first), slot, at, w);
    float weight = again ? weights.y : weights.x;
    sum = vec2(sum.x + v.x * weight, max(sum.y, v.y));
    t += 1.0;
  } while (t < n);
  return sum;
}

vec2 gains_of(int tile) {
#ifdef OWN_GAINS
  return c_gain.xy * texelFetch(u_gains, ivec2(tile % 1024, tile / 1024), 0).rg;
#else
  return c_gain.xy;
#endif
}

// Shown value in units of full colour, between the two epochs, and the share not finite.
vec2 shown(int tile, vec2 q, vec2 w) {
  vec2 gain = gains_of(tile), a = tile_value(u_maps_a, tile, q, w);
  a.x = a.x * gain.x + c_gain.z;
#ifdef MIXED
  vec2 b = tile_value(u_maps_b, tile, q, w);
  a = vec2(mix(a.x, b.x * gain.y + c_gain.w, u_mix), max(a.y, b.y));
#endif
  return a;
}
