// The resolved picture with its ambient shade, smoothed over 4 × 4 px of about the same depth.
#include "alpha.glsl"
uniform sampler2D u_colour;
uniform sampler2D u_depth;
uniform sampler2D u_ambient;
uniform vec4 u_lens;
uniform float u_strength;
layout(location = 0) out vec4 f_colour;

float distance_at(ivec2 p) {
  float z = texelFetch(u_depth, p, 0).r;
  return u_lens.x * u_lens.y / (u_lens.y - z * (u_lens.y - u_lens.x));
}

void main() {
  ivec2 p = ivec2(gl_FragCoord.xy);
  vec4 c = texelFetch(u_colour, p, 0);
  f_colour = vec4(c.rgb, 1.0);
  float share = takes_shade(c.a);
  int rows = share < 0.02 ? -2 : 2;  // no turn where there is no shade
  ivec2 last = textureSize(u_depth, 0) - 1;
  float d = distance_at(p), sum = 0.0, weights = 0.0;
  for (int y = -2; y < rows; ++y) {
    for (int x = -2; x < 2; ++x) {
      ivec2 q = clamp(p + ivec2(x, y), ivec2(0), last);
      float w = takes_shade(texelFetch(u_colour, q, 0).a) * (1.0 - smoothstep(0.3, 1.5, abs(distance_at(q) - d))) + 1e-4;
      sum += w * texelFetch(u_ambient, q, 0).r;
      weights += w;
    }
  }
  f_colour.rgb *= 1.0 - u_strength * share * sum / max(weights, 1e-6);
}
