#include "fog.glsl"
layout(location = 0) in vec3 v_world;
layout(location = 1) flat in vec3 v_normal;
layout(location = 2) flat in vec4 v_colour;
uniform vec3 u_eye;
uniform float u_light;
layout(location = 0) out vec4 f_colour;

void main() {
  vec3 n = v_normal;
  float f = n.y > 0.5 ? 1.22 : n.y < -0.5 ? 0.55 : n.z > 0.5 ? 0.92 : n.x < -0.5 ? 1.0 : 0.6;
  f = mix(f, mix(1.0, f, 0.55), u_light);
  vec3 c = v_colour.rgb * f;
  f_colour = vec4(mix(c, fogged(c, distance(u_eye, v_world)), v_colour.a), 0.2);  // see include/alpha.glsl
}
