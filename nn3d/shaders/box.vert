// Structure: rail, posts, feet, bars.
#include "stance.glsl"
layout(location = 0) in vec3 in_corner;
layout(location = 1) in vec3 in_normal;
layout(location = 2) in vec3 in_centre;
layout(location = 3) in vec3 in_half;
layout(location = 4) in vec3 in_colour;
layout(location = 5) in float in_fog;
layout(location = 6) in float in_ground;
uniform mat4 u_clip_from_world;
layout(location = 0) out vec3 v_world;
layout(location = 1) flat out vec3 v_normal;
layout(location = 2) flat out vec4 v_colour;

void main() {
  v_world = in_centre + in_corner * in_half;
  if (in_ground < 0.5) v_world = stood(v_world);
  v_normal = in_normal;
  v_colour = vec4(in_colour, in_fog);
  gl_Position = u_clip_from_world * vec4(v_world, 1.0);
}
