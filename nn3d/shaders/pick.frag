// What lies under a pixel: layer number + 1, tile number.
layout(location = 3) flat in vec2 v_half;
layout(location = 4) flat in int v_tile;
uniform uint u_layer;
layout(location = 0) out uvec2 f_id;

void main() {
  f_id = uvec2(u_layer + 1u, uint(v_tile));
}
