// The ground, as it lies in a texture of the target's size; alpha 0: it takes no ambient shade (see include/alpha.glsl).
uniform sampler2D u_ground;
layout(location = 0) out vec4 f_colour;

void main() {
  f_colour = vec4(texelFetch(u_ground, ivec2(gl_FragCoord.xy), 0).rgb, 0.0);
}
