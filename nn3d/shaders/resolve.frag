// The mean of a pixel's SAMPLES samples, opaque: quicker than a framebuffer's copy on a software rasterizer.
uniform sampler2DMS u_canvas;
layout(location = 0) out vec4 f_colour;

void main() {
  ivec2 p = ivec2(gl_FragCoord.xy);
  vec3 sum = vec3(0.0);
  for (int i = 0; i < SAMPLES; ++i) sum += texelFetch(u_canvas, p, i).rgb;
  f_colour = vec4(sum / float(SAMPLES), 1.0);
}
