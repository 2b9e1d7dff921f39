// The sums of exact edges over the finished picture: opacity by 1 − exp(−density), hue by the share of each sign.
uniform sampler2D u_sums;    // Σ for, Σ against
uniform float u_density;     // of one unit, and all edges over those counted
uniform vec3 u_positive;
uniform vec3 u_negative;
layout(location = 0) out vec4 f_colour;

void main() {
  vec2 sums = texelFetch(u_sums, ivec2(gl_FragCoord.xy), 0).xy;
  float total = sums.x + sums.y;
  if (total <= 0.0) discard;
  vec3 hue = (u_positive * sums.x + u_negative * sums.y) / total;
  f_colour = vec4(hue, 1.0 - exp(-u_density * total));
}
