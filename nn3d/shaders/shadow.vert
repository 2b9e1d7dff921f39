// Contact shadows: one quad on the floor an instance, larger than the shadow by its softness.
layout(location = 0) in vec2 in_corner;
layout(location = 1) in vec2 in_centre;
layout(location = 2) in vec2 in_half;
layout(location = 3) in float in_soft;
layout(location = 4) in float in_strength;
uniform mat4 u_clip_from_world;
uniform float u_floor_y;
uniform vec2 u_along;  // (x, z) of the plates' right on the floor
layout(location = 0) out vec2 v_off;
layout(location = 1) flat out vec4 v_shadow;

void main() {
  vec2 reach = in_half + 0.7 * in_soft + 0.25 + in_soft;
  v_off = in_corner * reach;
  vec2 at = in_centre + v_off.x * vec2(u_along.y, -u_along.x) + v_off.y * u_along + vec2(0.35, 0.15) * in_soft;
  v_shadow = vec4(in_half + 0.3 * in_soft, 0.25 + in_soft, in_strength);
  gl_Position = u_clip_from_world * vec4(at.x, u_floor_y, at.y, 1.0);
}
