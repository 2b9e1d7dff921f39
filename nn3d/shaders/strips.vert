// Upright strips of the screen, side by side, at the far end of the depth range: where something may stand.
uniform vec3 u_lot;        // width of a strip, width and height of the target, px
uniform vec2 u_strips[64]; // lower and upper end of each strip, px

void main() {
  vec2 ends = u_strips[gl_InstanceID];
  vec2 px = vec2((float(gl_InstanceID) + float(gl_VertexID & 1)) * u_lot.x, (gl_VertexID >> 1) == 1 ? ends.y : ends.x);
  gl_Position = vec4(px / u_lot.yz * 2.0 - 1.0, 1.0, 1.0);
}
