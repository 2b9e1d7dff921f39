// One triangle that covers the screen; what lies far away behind a pixel is linear over it.
layout(location = 0) out vec2 v_uv;
layout(location = 1) noperspective out vec4 v_far;
uniform mat4 u_world_from_clip;

void main() {
  vec2 p = vec2((gl_VertexID & 1) * 4 - 1, (gl_VertexID & 2) * 2 - 1);
  v_uv = p * 0.5 + 0.5;
  v_far = u_world_from_clip * vec4(p, 1.0, 1.0);
  gl_Position = vec4(p, 0.99999, 1.0);
}
