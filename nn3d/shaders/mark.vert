// Text, rectangles and lines of the picture: one instanced quad each, places in device px from the top left.
uniform vec2 u_size;

layout(location = 0) in vec4 in_quad;
layout(location = 1) in vec4 in_shape;
layout(location = 2) in vec2 in_kind;
layout(location = 3) in vec4 in_colour;
layout(location = 4) in vec4 in_right;

layout(location = 0) noperspective out vec2 v_place;
layout(location = 1) flat out vec4 v_shape;
layout(location = 2) flat out vec2 v_kind;
layout(location = 3) flat out vec4 v_colour;
layout(location = 4) flat out vec4 v_right;

void main() {
    vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
    v_place = mix(in_quad.xy, in_quad.zw, corner);
    v_shape = in_shape;
    v_kind = in_kind;
    v_colour = in_colour;
    v_right = in_right;
    vec2 clip = v_place / u_size * 2.0 - 1.0;
    gl_Position = vec4(clip.x, -clip.y, 0.0, 1.0);
}
