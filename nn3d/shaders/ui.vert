// The window's panels: imgui's triangles, from logical px (top left origin) to clip space.
uniform vec4 u_rect; // x, y, width, height of what is shown, px

layout(location = 0) in vec2 in_pos;
layout(location = 1) in vec2 in_uv;
layout(location = 2) in vec4 in_col;

layout(location = 0) out vec2 v_uv;
layout(location = 1) out vec4 v_col;

void main() {
    vec2 p = (in_pos - u_rect.xy) / u_rect.zw;
    v_uv = in_uv;
    v_col = in_col;
    gl_Position = vec4(2.0 * p.x - 1.0, 1.0 - 2.0 * p.y, 0.0, 1.0);
}
