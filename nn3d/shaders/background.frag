// A radial ground, a pool of light on the floor, and a dither that keeps both free of bands.
layout(location = 0) in vec2 v_uv;
uniform vec3 u_inner;
uniform vec3 u_outer;
uniform vec3 u_floor;
layout(location = 1) noperspective in vec4 v_far;
uniform vec3 u_eye;
uniform float u_floor_y;
uniform vec4 u_floor_rect;  // x, half, z, half
uniform float u_pool;       // 0 without a floor: then no dither either
layout(location = 0) out vec4 f_colour;

float soft(float a, float h, float s) {
  return smoothstep(-s, s, a + h) * (1.0 - smoothstep(-s, s, a - h));
}

float chance(vec2 p) {
  return fract(52.9829189 * fract(dot(p, vec2(0.06711056, 0.00583715))));  // interleaved gradient noise (Jimenez 2014)
}

void main() {
  float r = length((v_uv - vec2(0.5, 0.54)) * vec2(1.15, 1.0));
  vec3 c = mix(u_inner, u_outer, smoothstep(0.05, 0.78, r));
  vec3 d = v_far.xyz / v_far.w - u_eye;
  if (d.y < 0.0 && d.y * d.y > 1e-6 * dot(d, d) && u_pool > 0.0) {
    vec3 p = u_eye + d * ((u_floor_y - u_eye.y) / d.y);
    float m = soft(p.x - u_floor_rect.x, u_floor_rect.y, u_floor_rect.y * 0.8)
            * soft(p.z - u_floor_rect.z, u_floor_rect.w, u_floor_rect.w * 1.1);
    c = mix(c, u_floor, m * u_pool);
  }
  if (u_pool > 0.0) c += (chance(gl_FragCoord.xy) - 0.5) / 255.0 * 1.2;
  f_colour = vec4(c, 0.0);
}
