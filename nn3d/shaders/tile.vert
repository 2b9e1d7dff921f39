// The faces that look at the reader. PLATE: one square for a whole layer at rest; else one instance a tile on its way.
#include "place.glsl"
#include "stance.glsl"
#include "cells.glsl"
uniform mat4 u_clip_from_world;
uniform vec3 u_eye;
uniform float u_px;  // world units of a pixel at distance 1
layout(location = 1) out vec2 v_at;
layout(location = 2) flat out vec2 v_half;
layout(location = 3) flat out int v_tile;
layout(location = 4) flat out int v_behind;

float toward(vec3 centre) {
  return dot(u_eye - centre, u_stance[0]) < 0.0 ? -1.0 : 1.0;
}

#ifdef PLATE
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1) * 2.0 - 1.0;
  vec2 n = vec2(c_lattice.xy), pitch = c_grid.zw;
  vec2 first = c_grid.xy + vec2(0.5, -0.5) * pitch, span = vec2(-1.0, 1.0) * n * pitch;
  vec2 middle = first + 0.5 * span;
  vec3 centre = stood(vec3(u_place[0].x, u_place[0].y + middle.x, middle.y));
  float side = toward(centre);
  float margin = 4.0 * u_px * distance(u_eye, centre);
  vec2 yz = middle + corner * (0.5 * abs(span) + margin);
  vec3 world = stood(vec3(u_place[0].x, u_place[0].y + yz.x, yz.y)) + leaned(vec3(side * c_half.z, 0.0, 0.0));
  v_at = vec2((yz.y - first.y) / pitch.y, (first.x - yz.x) / pitch.x);
  v_half = c_half.xy;
  v_tile = 0;
  v_behind = side > 0.0 ? 1 : 0;
  gl_Position = u_clip_from_world * vec4(world, 1.0);
}
#else
layout(location = 0) in vec2 in_line;
layout(location = 1) in vec2 in_circle;
layout(location = 2) in vec2 in_grid;
layout(location = 3) in vec2 in_mosaic;

void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1) * 2.0 - 1.0;
  float open = opened(0, gl_InstanceID);
  vec2 at = placed(0, vec4(in_line, in_circle), vec4(in_grid, in_mosaic), open);
  v_half = half_size(0, open);
  vec3 centre = stood(vec3(u_place[0].x, u_place[0].y + at.x, at.y));
  float side = toward(centre);
  v_behind = side > 0.0 ? 1 : 0;
  vec3 world = centre + leaned(vec3(side * half_thickness(0, open), corner * v_half));
  v_at = vec2(v_behind == 1 ? -corner.y : corner.y, -corner.x) * 0.5 + 0.5;
  v_tile = gl_InstanceID;
  bool here = gl_InstanceID >= c_slots.y && gl_InstanceID < c_slots.z;
  gl_Position = here ? u_clip_from_world * vec4(world, 1.0) : vec4(2.0, 2.0, 2.0, 1.0);
}
#endif
