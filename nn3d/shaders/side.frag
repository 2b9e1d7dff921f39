// Sides take a fixed factor each, and the depth cue.
#include "fog.glsl"
layout(location = 0) in vec3 v_world;
layout(location = 1) flat in vec3 v_normal;
uniform vec3 u_side;
uniform vec3 u_eye;
uniform float u_light;   // 1 in the light theme
uniform float u_bright;  // how much of its colour the layer keeps
layout(location = 0) out vec4 f_colour;

void main() {
  float f = v_normal.y > 0.5 ? 1.22 : v_normal.y < -0.5 ? 0.55 : v_normal.z > 0.5 ? 0.92 : 0.6;
  vec3 c = fogged(u_side * (u_light > 0.5 ? mix(1.0, f, 0.55) : f), distance(u_eye, v_world));
  f_colour = vec4(mix(u_fog, c, u_bright), 0.2);  // see include/alpha.glsl
}
