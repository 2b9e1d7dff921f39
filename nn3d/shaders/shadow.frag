layout(location = 0) in vec2 v_off;
layout(location = 1) flat in vec4 v_shadow;
uniform vec4 u_shadow;  // colour, strength
layout(location = 0) out vec4 f_colour;

float soft(float a, float h, float s) {
  return smoothstep(-s, s, a + h) * (1.0 - smoothstep(-s, s, a - h));
}

void main() {
  float s = soft(v_off.x, v_shadow.x, v_shadow.z) * soft(v_off.y, v_shadow.y, v_shadow.z);
  f_colour = vec4(u_shadow.rgb, s * v_shadow.w * u_shadow.a);
}
