// The window's panels: vertex colour times texture (glyphs, thumbnails).
uniform sampler2D u_texture;

layout(location = 0) in vec2 v_uv;
layout(location = 1) in vec4 v_col;

layout(location = 0) out vec4 f_colour;

void main() {
    f_colour = v_col * texture(u_texture, v_uv);
}
