// The ground where light lies on the floor: the radial ground again, and the light before the dither.
#include "gradient.glsl"
layout(location = 0) in vec2 v_floor;
uniform vec4 u_floor_rect;
uniform vec3 u_floor;
uniform float u_pool;
layout(location = 0) out vec4 f_colour;

float soft(float a, float h, float s) {
  return smoothstep(-s, s, a + h) * (1.0 - smoothstep(-s, s, a - h));
}

void main() {
  float m = soft(v_floor.x - u_floor_rect.x, u_floor_rect.y, u_floor_rect.y * 0.8)
          * soft(v_floor.y - u_floor_rect.z, u_floor_rect.w, u_floor_rect.w * 1.1);
  f_colour = vec4(dithered(mix(gradient(), u_floor, m * u_pool)), 1.0);
}
