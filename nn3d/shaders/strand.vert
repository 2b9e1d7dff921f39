// One vertex a strand: its control points and what it looks like.
#include "place.glsl"
#include "route.glsl"
#include "paths.glsl"
#include "wires.glsl"
layout(location = 0) in ivec2 in_tiles;
layout(location = 1) in ivec2 in_clusters;
layout(location = 2) in vec2 in_source_uv;
layout(location = 3) in vec2 in_target_uv;
layout(location = 4) in vec2 in_amount;
layout(location = 5) in vec2 in_area;
layout(location = 6) in vec2 in_dock_lane;
layout(location = 7) in vec4 in_spread;
uniform float u_hw;
uniform int u_per_sign;
uniform ivec4 u_lit;   // source and target tile whose strands stand out (-1 none, -2 all), whether the rope does; what is drawn:
                       // 0 all, 1 those that do not stand out, 2 those that do
uniform vec4 u_lit_uv;  // left, top, right, bottom of the part of the source tile whose strands stand out
uniform float u_grow;  // share of their area that strands have while the level changes

layout(location = 0) out vec3 v_c0;
layout(location = 1) out vec3 v_c1;
layout(location = 2) out vec3 v_c2;
layout(location = 3) out vec3 v_c3;
layout(location = 4) out vec3 v_c4;
layout(location = 5) out vec3 v_c5;
layout(location = 6) out vec3 v_c6;
layout(location = 7) out vec3 v_c7;
layout(location = 8) out vec3 v_c8;
layout(location = 9) out vec3 v_c9;
layout(location = 10) out vec3 v_c10;
layout(location = 11) out vec2 v_look;  // half width in u, signed strength

#ifdef IDS
#include "stance.glsl"
uniform mat4 u_clip_from_world;
uniform vec4 u_px;      // as in strand.geom
uniform vec4 u_window;  // what is asked for: left, lower, right, upper end, in clip units
uniform vec2 u_reach;   // clip units of a px

// Whether a strand may lie in the window: a spline stays within the hull of its control points.
bool is_asked(vec3 c[N_CONTROL], float hw) {
  vec2 low = vec2(1e9), high = vec2(-1e9);
  for (int k = 0; k < N_CONTROL; ++k) {
    vec4 q = u_clip_from_world * vec4(stood(c[k]), 1.0);
    if (q.w < 1e-3) return true;
    vec2 at = q.xy / q.w, wide = u_reach * (4.0 + 1.5 * hw / (u_px.x * q.w));
    low = min(low, at - wide);
    high = max(high, at + wide);
  }
  return all(lessThanEqual(low, u_window.zw)) && all(greaterThanEqual(high, u_window.xy));
}
#endif

void main() {
  float blend = u_radii.w;
  float amount = mix(in_amount.x, in_amount.y, blend);
  float area = mix(in_area.x, in_area.y, blend);
  float sign_c = mix(in_amount.x < 0.0 ? -1.0 : 1.0, in_amount.y < 0.0 ? -1.0 : 1.0, blend);
  vec3 c[N_CONTROL];
  float hw;
  bool is_wire = u_route.w > 4.5;
  if (u_route.w > 2.5 && !is_wire) {
    if (u_route.w > 3.5) loop(in_spread.y, c);
    else stave(in_spread.xz, c);
    hw = u_hw * sqrt(area);
  } else if (u_route.w > 1.5 && !is_wire) {
    arc(in_spread.y, c);
    hw = u_hw * sqrt(area);
  } else if (gl_VertexID < int(u_radii.z)) {
    float radius = u_rope.x * sqrt(area);
    rope(in_spread.xy, u_route.w > 0.5 && !is_wire ? 0.0 : sign_c, radius, c);
    hw = 0.825 * radius / sqrt(float(u_per_sign)) * sqrt(u_rope.z);
  } else {
    End s = make_end(0, u_tiles_0, u_clusters_0, in_tiles.x, in_clusters.x, in_source_uv);
    End t = make_end(1, u_tiles_1, u_clusters_1, in_tiles.y, in_clusters.y, in_target_uv);
    vec2 to = dock_at(t, in_dock_lane.x);
    float opened_both = s.open * t.open;
    vec3 f[N_CONTROL];
    flight(s, t, s.cell, to, in_spread, sign_c, 0.95 * 1.2, f);
    if (is_wire) wire(s, t, in_source_uv, in_spread.xy, c);
    else open_way(front_way(), s, t, to, in_spread.xy, in_dock_lane.y, sign_c, c);
    if (u_behind.x > 0.0 && !is_wire) {
      vec2 dock = dock_behind(in_tiles.y, in_target_uv);
      vec3 d[N_CONTROL];
      open_way(behind_way(), flipped(t), flipped(s), dock_at(s, dock.x), in_spread.zw, dock.y, sign_c, d);
      for (int k = 0; k < N_CONTROL; ++k) c[k] = mix(c[k], unflipped(d[N_CONTROL - 1 - k]), u_behind.x);
    }
    for (int k = 0; k < N_CONTROL; ++k) c[k] = mix(f[k], c[k], opened_both);
    hw = u_hw * sqrt(area) * sqrt(1.0 - u_rope.z);
  }
  straighten(c);
  v_c0 = c[0]; v_c1 = c[1]; v_c2 = c[2]; v_c3 = c[3]; v_c4 = c[4]; v_c5 = c[5];
  v_c6 = c[6]; v_c7 = c[7]; v_c8 = c[8]; v_c9 = c[9]; v_c10 = c[10];
  bool is_single = u_route.w <= 1.5 || is_wire ? gl_VertexID >= int(u_radii.z) : false;
  bool is_inside = all(greaterThanEqual(in_source_uv, u_lit_uv.xy)) && all(lessThanEqual(in_source_uv, u_lit_uv.zw));
  bool is_lit = is_single ? (in_tiles.x == u_lit.x && is_inside) || in_tiles.y == u_lit.y : u_lit.z > 0;
  is_lit = is_lit || u_lit.x == -2;
  if (u_lit.w > 0 && is_lit != (u_lit.w == 2)) hw = 0.0;
#ifdef IDS
  if (!is_asked(c, hw)) hw = 0.0;
#endif
#ifdef SUM
  v_look = vec2(area > 0.0 ? u_hw : 0.0, (amount < 0.0 ? -area : area) * (1.0 - u_rope.z) * u_grow);
#else
  v_look = vec2(hw * sqrt(u_grow), amount);
#endif
}
