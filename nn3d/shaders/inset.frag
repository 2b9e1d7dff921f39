// A picture as it is, its lower left pixel at u_corner of the target.
uniform sampler2D u_picture;
uniform ivec2 u_corner;
layout(location = 0) in vec2 v_uv;
layout(location = 0) out vec4 f_colour;

void main() { f_colour = vec4(texelFetch(u_picture, ivec2(gl_FragCoord.xy) - u_corner, 0).rgb, 1.0); }
