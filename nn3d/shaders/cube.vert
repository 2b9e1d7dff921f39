// Cells of near tiles as cubes: one instance a cell; its front, which has the cell's exact colour, and the two sides that
// can be seen. The formula of the size on screen is that of nn3d.stage.cubes.
#include "place.glsl"
#include "stance.glsl"
#include "cells.glsl"
uniform mat4 u_clip_from_world;
uniform vec3 u_eye;
uniform float u_px;            // world units of a logical pixel at distance 1
uniform vec2 u_rise;           // px of a cell where cubes begin to rise, and where they have their full height
uniform float u_power;         // of the colour key
uniform isampler2D u_raised;   // numbers of the raised tiles, wrapped after 1,024
uniform sampler2D u_anchors;   // places of all tiles: 2 texels each, wrapped after 1,024 tiles
layout(location = 0) flat out vec3 v_normal;
layout(location = 1) flat out vec2 v_value;
layout(location = 2) flat out uvec2 v_cell;  // tile, cell
layout(location = 3) flat out float v_bright;  // how much of its colour the cell keeps

const float HEIGHT = 0.62;
const float BASE = 0.86;
const float LEAST = 0.012;

vec2 texel(sampler2D maps, int tile, ivec2 cell) {
  int k = tile - c_slots.y;
  ivec2 slot = ivec2(k % c_slots.x, k / c_slots.x);
  return texelFetch(maps, c_levels[0].xy + slot * c_levels[0].wz + cell, 0).rg;
}

vec2 value_of(int tile, ivec2 cell) {
  vec2 gain = gains_of(tile), v = texel(u_maps_a, tile, cell);
  v.x = v.x * gain.x + c_gain.z;
#ifdef MIXED
  vec2 b = texel(u_maps_b, tile, cell);
  v = vec2(mix(v.x, b.x * gain.y + c_gain.w, u_mix), max(v.y, b.y));
#endif
  return v;
}

void main() {
  int n = c_shape.x * c_shape.y, k = gl_InstanceID / n, cell = gl_InstanceID % n;
  int tile = texelFetch(u_raised, ivec2(k % 1024, k / 1024), 0).r;
  ivec2 at = ivec2(cell % c_shape.y, cell / c_shape.y);
  v_value = tile >= c_slots.y && tile < c_slots.z ? value_of(tile, at) : vec2(0.0);
  v_cell = uvec2(tile, cell);
  float a = min(1.0, pow(abs(v_value.x), 1.0 / u_power));
  v_normal = vec3(0.0);
  gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
  bool is_lit = at.y >= c_lit.x && at.y < c_lit.y && at.x >= c_lit.z && at.x < c_lit.w;
  v_bright = is_lit && tile >= c_own.x && tile < c_own.y ? 1.0 : c_half.w;
  bool is_to_come = tile == c_own.z && cell >= c_own.w;
  if (v_value.y > 0.0 || HEIGHT * a < LEAST || is_to_come) return;

  float open = opened(0, tile);
  ivec2 first = ivec2((tile % 1024) * 2, tile / 1024);
  vec2 yz = placed(0, texelFetch(u_anchors, first, 0), texelFetch(u_anchors, first + ivec2(1, 0), 0), open);
  vec2 size = half_size(0, open) / vec2(c_shape.xy);  // half a cell
  vec3 middle = stood(vec3(u_place[0].x, u_place[0].y + yz.x, yz.y));
  vec3 off = u_eye - middle;
  float side = dot(off, u_stance[0]) < 0.0 ? -1.0 : 1.0, distance_to_eye = max(length(off), 1e-9);
  float shorter = min(size.x, size.y * abs(dot(off, u_stance[0])) / distance_to_eye);
  float rise = smoothstep(u_rise.x, u_rise.y, 2.0 * shorter / (u_px * distance_to_eye));
  vec2 place = vec2(float(c_shape.x) - 2.0 * float(at.y) - 1.0, 2.0 * float(at.x) + 1.0 - float(c_shape.y)) * size;
  if (side > 0.0) place.y = -place.y;
  vec3 centre = middle + leaned(vec3(side * half_thickness(0, open), place));
  vec3 eye = transpose(u_stance) * (u_eye - centre);
  vec2 near = vec2(eye.y < 0.0 ? -1.0 : 1.0, eye.z < 0.0 ? -1.0 : 1.0);

  // Two triangles each: the front, the z side, the y side.
  const ivec2 square[6] = ivec2[6](ivec2(0, 0), ivec2(1, 0), ivec2(1, 1), ivec2(0, 0), ivec2(1, 1), ivec2(0, 1));
  int which = gl_VertexID / 6;
  vec2 q = vec2(square[gl_VertexID % 6]);
  float up = which == 0 ? 1.0 : q.x;
  vec2 corner = which == 0 ? q * 2.0 - 1.0 : which == 1 ? vec2(q.y * 2.0 - 1.0, near.y) : vec2(near.x, q.y * 2.0 - 1.0);
  v_normal = which == 0 ? vec3(-1.0, 0.0, 0.0) : which == 1 ? vec3(0.0, 0.0, near.y) : vec3(0.0, near.x, 0.0);
  vec3 world = centre + leaned(vec3(side * HEIGHT * a * rise * up, corner * size * BASE));
  gl_Position = u_clip_from_world * vec4(world, 1.0);
}
