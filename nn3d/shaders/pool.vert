// The part of the floor that the pool of light reaches: what lies beyond the far plane is drawn as well.
uniform mat4 u_clip_from_world;
uniform float u_floor_y;
uniform vec4 u_floor_rect;  // x, half, z, half
layout(location = 0) out vec2 v_floor;

void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1) * 2.0 - 1.0;
  v_floor = u_floor_rect.xz + corner * u_floor_rect.yw * vec2(1.8, 2.1);
  vec4 clip = u_clip_from_world * vec4(v_floor.x, u_floor_y, v_floor.y, 1.0);
  gl_Position = vec4(clip.xy, 0.0, clip.w);
}
