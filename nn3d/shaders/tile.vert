// One instance a tile: a box whose two x faces show the tile's cells.
#include "place.glsl"
#include "stance.glsl"
layout(location = 0) in vec3 in_corner;
layout(location = 1) in vec3 in_normal;
layout(location = 2) in vec2 in_line;
layout(location = 3) in vec2 in_circle;
layout(location = 4) in vec2 in_grid;
layout(location = 5) in vec2 in_mosaic;
uniform mat4 u_clip_from_world;
layout(location = 0) out vec3 v_world;
layout(location = 1) out vec2 v_uv;
layout(location = 2) flat out vec3 v_normal;
layout(location = 3) flat out vec2 v_half;
layout(location = 4) flat out int v_tile;

void main() {
  float open = opened(0, gl_InstanceID);
  vec2 at = placed(0, vec4(in_line, in_circle), vec4(in_grid, in_mosaic), open);
  v_half = half_size(0, open);
  vec3 size = vec3(half_thickness(0, open), v_half);
  v_world = stood(vec3(u_place[0].x, u_place[0].y + at.x, at.y)) + leaned(in_corner * size);
  v_uv = vec2(in_corner.z * 0.5 + 0.5, 0.5 - in_corner.y * 0.5);
  v_normal = in_normal;
  v_tile = gl_InstanceID;
  gl_Position = u_clip_from_world * vec4(v_world, 1.0);
}
