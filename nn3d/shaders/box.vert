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
uniform vec3 u_eye;
uniform vec3 u_fog;
uniform float u_px;  // world units a px and unit distance
layout(location = 0) out vec3 v_world;
layout(location = 1) flat out vec3 v_normal;
layout(location = 2) flat out vec4 v_colour;

void main() {
  // Thinner than a px it would come in dots: then it is a px wide and takes its share of that px.
  float floor_half = 0.6 * u_px * distance(u_eye, in_ground < 0.5 ? stood(in_centre) : in_centre);
  vec3 size = max(in_half, vec3(floor_half));
  vec3 share = in_half / size;
  float thin = in_half == vec3(0.0) ? 0.0 : mix(0.6, 1.0, min(share.x, min(share.y, share.z)));
  v_world = in_centre + in_corner * (thin > 0.0 ? size : in_half);
  if (in_ground < 0.5) v_world = stood(v_world);
  v_normal = in_normal;
  v_colour = vec4(mix(u_fog, in_colour, thin), in_fog);
  gl_Position = u_clip_from_world * vec4(v_world, 1.0);
}
