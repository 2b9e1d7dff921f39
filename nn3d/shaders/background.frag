// A radial ground. The pool of light on the floor is laid over it by pool.frag.
#include "gradient.glsl"
layout(location = 0) out vec4 f_colour;

void main() {
  f_colour = vec4(dithered(gradient()), 1.0);
}
