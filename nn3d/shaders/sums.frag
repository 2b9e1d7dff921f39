// The sums of exact edges over the finished picture: opacity by 1 − exp(−density), hue by the sign that outweighs.
uniform sampler2D u_sums;    // Σ for, Σ against
uniform float u_density;     // of one unit, and all edges over those counted
uniform vec3 u_positive;
uniform vec3 u_negative;
uniform vec3 u_neutral;      // as much for as against
layout(location = 0) out vec4 f_colour;

void main() {
  vec2 sums = texelFetch(u_sums, ivec2(gl_FragCoord.xy), 0).xy;
  float total = sums.x + sums.y;
  if (total <= 0.0) discard;
  float net = (sums.x - sums.y) / total;
  vec3 hue = mix(u_neutral, net < 0.0 ? u_negative : u_positive, sqrt(abs(net)));
  f_colour = vec4(hue, 1.0 - exp(-u_density * total));
}
