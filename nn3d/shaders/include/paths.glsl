// Links that run in rows: staves and streams straight from edge to edge, and the loop of a recurrence.
// Needs place.glsl and route.glsl; nn3d.stage.reference_paths is the same in numpy, and both must give the same numbers.
const float ROWS_AT[11] = float[11](0.0, 0.04, 0.10, 0.20, 0.34, 0.50, 0.66, 0.80, 0.90, 0.96, 1.0);
const float ROWS_OVER[11] = float[11](0.0, 0.067, 0.164, 0.316, 0.507, 0.692, 0.84, 0.935, 0.98, 0.996, 1.0);
const float LOOP_AT[11] = float[11](0.0, 0.0, 0.01, 0.05, 0.16, 0.5, 0.84, 0.95, 0.99, 1.0, 1.0);
const float LOOP_UP[11] = float[11](0.0, 0.35, 0.75, 0.96, 1.0, 1.0, 1.0, 0.96, 0.75, 0.35, 0.0);

// One strand a row, from the source plate's far edge to the target plate's near edge. rows: heights of its two ends,
// shares of the plates' full heights (-1/2 ... 1/2). Between nearly equal
// heights it is a straight line, bowed where the plates stand so close that it would cross the target's face on its way.
void stave(vec2 rows, out vec3 c[N_CONTROL]) {
  float side = u_route.y;
  vec3 a = vec3(u_place[0].x, u_place[0].y + rows.x * u_extent[0].x, side * 0.5 * u_extent[0].y);
  vec3 b = vec3(u_place[1].x, u_place[1].y + rows.y * u_extent[1].x, -side * 0.5 * u_extent[1].y);
  float bow = clamp((abs(b.z - a.z) / max(abs(b.x - a.x), 1e-3) - 0.35) / 0.5, 0.0, 1.0);
  float steep = clamp(8.0 * abs(b.y - a.y) / max(abs(b.x - a.x), 1e-3) - 0.4, 0.0, 1.0);
  for (int k = 0; k < N_CONTROL; ++k) {
    float lift = mix(ROWS_AT[k], ease((ROWS_AT[k] - u_turn.x) / max(u_turn.y - u_turn.x, 1e-3)), steep);
    float bowed = mix(ROWS_OVER[k], 1.0 - ROWS_OVER[N_CONTROL - 1 - k], u_behind.x);
    c[k] = vec3(mix(a.x, b.x, ROWS_AT[k]), mix(a.y, b.y, lift), mix(a.z, b.z, mix(ROWS_AT[k], bowed, bow)));
  }
}

// A recurrence, against the flow: from the edge of the source plate that looks outward to that of the target plate,
// over (or under) everything at the height of the apex. across: place along the two edges, -1 ... 1.
void loop(float across, out vec3 c[N_CONTROL]) {
  float outward = u_rope.w > u_place[0].y ? 0.5 : -0.5;
  float from = u_place[0].y + outward * u_extent[0].x, to = u_place[1].y + outward * u_extent[1].x;
  float zs = across * 0.46 * u_extent[0].y, zt = across * 0.46 * u_extent[1].y;
  for (int k = 0; k < N_CONTROL; ++k) {
    float base = k < 5 ? from : k > 5 ? to : 0.5 * (from + to);
    c[k] = vec3(mix(u_place[0].x, u_place[1].x, LOOP_AT[k]), mix(base, u_rope.w, LOOP_UP[k]), mix(zs, zt, LOOP_AT[k]));
  }
}
