// What lies under a pixel: layer number + 1 (the top bit is set on a face), tile number (all bits of it: the whole layer),
// cell number + 1 where it is a cube's.
#ifdef PLATE
#include "cells.glsl"
#include "lattice.glsl"
layout(location = 1) in vec2 v_at;
#else
layout(location = 3) flat in int v_tile;
#endif
uniform uint u_layer;
layout(location = 0) out uvec4 f_id;

void main() {
#ifdef SIDE
  f_id = uvec4(u_layer + 1u, uint(v_tile), 0u, 0u);
#else
#ifdef PLATE
  ivec2 at = at_tile(v_at);
  vec2 uv = in_tile(v_at, at, filled());
  int tile = at.y * c_lattice.y + at.x;
  if (tile >= c_lattice.z || any(lessThan(uv, vec2(0.0))) || any(greaterThan(uv, vec2(1.0)))) discard;
#else
  int tile = v_tile;
#endif
  f_id = uvec4((u_layer + 1u) | 0x80000000u, uint(tile), 0u, 0u);
#endif
}
