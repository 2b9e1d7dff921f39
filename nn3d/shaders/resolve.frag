// The mean of a pixel's samples, opaque: quicker than a framebuffer's copy on a software rasterizer.
uniform sampler2DMS u_canvas;
uniform int u_samples;
layout(location = 0) out vec4 f_colour;

void main() {
  ivec2 p = ivec2(gl_FragCoord.xy);
  vec3 sum = vec3(0.0);
  for (int i = 0; i < u_samples; ++i) sum += texelFetch(u_canvas, p, i).rgb;
  f_colour = vec4(sum / float(u_samples), 1.0);
}
