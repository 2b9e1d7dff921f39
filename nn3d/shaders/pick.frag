// What lies under a pixel: layer number + 1 (the top bit is set on a face), tile number.
layout(location = 2) flat in vec3 v_normal;
layout(location = 4) flat in int v_tile;
uniform uint u_layer;
layout(location = 0) out uvec2 f_id;

void main() {
  f_id = uvec2((u_layer + 1u) | (abs(v_normal.x) > 0.5 ? 0x80000000u : 0u), uint(v_tile));
}
