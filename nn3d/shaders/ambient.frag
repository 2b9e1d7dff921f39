// How much of the open sky a pixel of structure or strands lacks, from the depth of its neighbours (after Mittring 2007).
// Faces of tiles and the background take none: the colour of a face is a number.
#include "alpha.glsl"
uniform sampler2D u_colour;
uniform sampler2D u_depth;
uniform vec4 u_lens;         // near, far, world units a px and unit distance, radius in u
layout(location = 0) out float f_shade;

const int TAPS = 16;
// By the golden angle; a matrix, since a cosine a tap is dear.
const mat2 ON = mat2(-0.7373689, 0.6754903, -0.6754903, -0.7373689);
const float BIAS = 0.12;

float distance_at(ivec2 p) {
  float z = texelFetch(u_depth, p, 0).r;
  return u_lens.x * u_lens.y / (u_lens.y - z * (u_lens.y - u_lens.x));
}

void main() {
  ivec2 p = ivec2(gl_FragCoord.xy);
  // A loop without a turn is left at once also where a branch would run masked (software rasterizers).
  int taps = takes_shade(texelFetch(u_colour, p, 0).a) < 0.02 ? 0 : TAPS;
  ivec2 last = textureSize(u_depth, 0) - 1;
  float d = distance_at(p);
  float reach = clamp(u_lens.w / (u_lens.z * d), 3.0, 48.0);
  float turn = float((p.x & 3) * 4 + ((p.y & 3) ^ (p.x & 3))) * 0.3926991;
  vec2 way = vec2(cos(turn), sin(turn));
  float sum = 0.0;
  for (int k = 0; k < taps; ++k) {
    float r = reach * sqrt((float(k) + 0.5) / float(TAPS));
    float nearer = d - distance_at(clamp(p + ivec2(round(r * way)), ivec2(0), last));
    way = ON * way;
    sum += smoothstep(BIAS, 5.0 * BIAS, nearer) * (1.0 - smoothstep(2.0 * u_lens.w, 5.0 * u_lens.w, nearer));
  }
  f_shade = sum / float(TAPS);
}
