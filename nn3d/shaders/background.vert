// One triangle that covers the screen.
layout(location = 0) out vec2 v_uv;

void main() {
  vec2 p = vec2((gl_VertexID & 1) * 4 - 1, (gl_VertexID & 2) * 2 - 1);
  v_uv = p * 0.5 + 0.5;
  gl_Position = vec4(p, 0.99999, 1.0);
}
