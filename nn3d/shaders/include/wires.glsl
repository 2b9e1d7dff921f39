// A weight of a small network: from the right edge of a neuron (or a cell of the input picture) to the left edge of the
// next layer's neuron. Its place on each edge follows the height of the other end, so that few strands cross.
// Needs place.glsl and route.glsl; nn3d.stage.reference_wires is the same in numpy, and both must give the same numbers.
const float WIRE_OUT = 0.72;    // share of the edge that leaving strands use
const float WIRE_IN = 0.62;     // share of the edge that arriving strands use
const float WIRE_LIFT = 0.09;   // arriving strands stand a little higher: the bias comes from below
const float WIRE_GATHER = 1.1;  // radius of the bundle that leaves a picture, u
const float WIRE_AT[11] = float[11](0.0, 0.01, 0.10, 0.22, 0.36, 0.50, 0.64, 0.78, 0.90, 0.97, 1.0);
const float WIRE_UP[11] = float[11](0.0, 0.0, 0.0, 0.03, 0.20, 0.50, 0.80, 0.97, 1.0, 1.0, 1.0);
const float WIRE_OVER[11] = float[11](0.0, 0.0, 0.12, 0.25, 0.38, 0.50, 0.62, 0.75, 0.90, 1.0, 1.0);

void wire(End s, End t, vec2 source_uv, vec2 off, out vec3 c[N_CONTROL]) {
  float side = u_route.y;
  float of_picture = source_uv.x < 1.0 ? 1.0 : 0.0;
  float up_t = 2.0 * (t.tile.x - u_place[1].y) / max(u_extent[1].x, 1e-6);
  float up_s = 2.0 * (s.tile.x - u_place[0].y) / max(u_extent[0].x, 1e-6);
  float y0 = mix(s.tile.x + WIRE_OUT * up_t * s.half_at.x, s.cell.x, of_picture);
  float z0 = mix(s.tile.y + side * s.half_at.y, s.cell.y, of_picture);
  float y1 = mix(t.tile.x + (WIRE_IN * up_s + WIRE_LIFT) * t.half_at.x, t.cell.x, of_picture);
  float z1 = t.tile.y - side * t.half_at.y;
  // From behind it leaves a picture at its edge, ungathered, and stays within the thickness of both plates.
  z0 = mix(z0, s.tile.y + side * s.half_at.y, u_behind.x);
  float x0 = s.x + s.thick * (1.0 - u_behind.x), x1 = t.x - t.thick * (1.0 - u_behind.x);
  for (int k = 0; k < N_CONTROL; ++k) {
    float bundle = k < 2 ? 0.0 : of_picture * (1.0 - u_behind.x);
    float ya = mix(y0, s.cluster.x + WIRE_GATHER * off.x, bundle), za = mix(z0, s.cluster.y + WIRE_GATHER * off.y, bundle);
    c[k] = vec3(mix(x0, x1, WIRE_AT[k]), mix(ya, y1, WIRE_UP[k]), mix(za, z1, WIRE_OVER[k]));
  }
  c[0].z -= side * 0.3 * s.half_at.y * (1.0 - of_picture) * (1.0 - u_behind.x);
}
