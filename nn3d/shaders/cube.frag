// The front of a cube has the exact colour of its value; its sides take a fixed factor each.
layout(location = 0) flat in vec3 v_normal;
layout(location = 1) flat in vec2 v_value;
layout(location = 2) flat in uvec2 v_cell;
layout(location = 3) flat in float v_bright;
#ifdef PICK
uniform uint u_layer;
layout(location = 0) out uvec4 f_id;

void main() {
  f_id = uvec4((u_layer + 1u) | (v_normal.x < -0.5 ? 0x80000000u : 0u), v_cell.x, v_cell.y + 1u, 0u);
}
#else
uniform sampler2D u_ramp;
uniform vec3 u_fog;
uniform float u_light;   // 1 in the light theme
uniform float u_signed;  // 1: the ramp's middle is 0
layout(location = 0) out vec4 f_colour;

void main() {
  float at = u_signed > 0.5 ? 0.5 + 0.5 * clamp(v_value.x, -1.0, 1.0) : clamp(v_value.x, 0.0, 1.0);
  vec3 c = texelFetch(u_ramp, ivec2(int(at * float(textureSize(u_ramp, 0).x - 1) + 0.5), 0), 0).rgb;
  float f = v_normal.x < -0.5 ? 1.0 : v_normal.y > 0.5 ? 1.22 : v_normal.y < -0.5 ? 0.55 : v_normal.z > 0.5 ? 0.92 : 0.6;
  c *= u_light > 0.5 ? mix(1.0, f, 0.55) : f;
  f_colour = vec4(mix(u_fog, c, v_bright), v_normal.x < -0.5 ? 0.0 : 0.4);  // alpha: share of ambient shade
}
#endif
