// The two sides of a tile, or of a collapsed block, that can be seen: a strip of six vertices around its near edge.
#include "place.glsl"
#include "stance.glsl"
layout(location = 0) in vec2 in_line;
layout(location = 1) in vec2 in_circle;
layout(location = 2) in vec2 in_grid;
layout(location = 3) in vec2 in_mosaic;
uniform mat4 u_clip_from_world;
uniform vec3 u_eye;
uniform int u_block;  // 1: the whole block
layout(location = 0) out vec3 v_world;
layout(location = 1) flat out vec3 v_normal;
layout(location = 3) flat out int v_tile;

void main() {
  float open = u_block == 1 ? 0.0 : opened(0, gl_InstanceID);
  vec2 at = placed(0, vec4(in_line, in_circle), vec4(in_grid, in_mosaic), open), size = half_size(0, open);
  if (u_block == 1) {
    at = vec2(0.0);
    size = u_extent[0].xy * 0.5;
  }
  vec3 centre = stood(vec3(u_place[0].x, u_place[0].y + at.x, at.y));
  vec3 eye = transpose(u_stance) * (u_eye - centre);
  vec2 near = vec2(eye.y < 0.0 ? -1.0 : 1.0, eye.z < 0.0 ? -1.0 : 1.0);
  int k = gl_VertexID >> 1;  // the far end of the z side, the near edge, the far end of the y side
  vec2 corner = near * vec2(k == 0 ? -1.0 : 1.0, k == 2 ? -1.0 : 1.0);
  float x = (gl_VertexID & 1) == 0 ? -1.0 : 1.0;
  v_world = centre + leaned(vec3(x * half_thickness(0, open), corner * size));
  v_normal = gl_VertexID < 4 ? vec3(0.0, 0.0, near.y) : vec3(0.0, near.x, 0.0);
  v_tile = u_block == 1 ? -1 : gl_InstanceID;
  gl_Position = u_clip_from_world * vec4(v_world, 1.0);
}
