// Weighted blended transparency (McGuire and Bavoil 2013) over the picture: the mean colour, weighted by nearness, and
// how much of what lies behind still shows. Sums do not depend on the order of drawing.
#include "alpha.glsl"
uniform sampler2D u_sum;   // Σ colour·α·w, Σ α·w
uniform sampler2D u_log;   // Σ log(1 − α)
uniform sampler2D u_colour;
layout(location = 0) out vec4 f_colour;

void main() {
  ivec2 p = ivec2(gl_FragCoord.xy);
  vec4 sum = texelFetch(u_sum, p, 0);
  if (sum.a <= 0.0) discard;
  f_colour = vec4(sum.rgb / sum.a, 1.0 - exp(texelFetch(u_log, p, 0).r));
  f_colour.a *= 1.0 - stands_out(texelFetch(u_colour, p, 0).a);
}
