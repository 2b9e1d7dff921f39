// From the bench, where everything is laid out, to the world: plates turn and lean to the reader (nn3d.stage.stance).
uniform mat3 u_stance;  // columns: where a plate's own normal, up and right point

// A point of the bench: x stays, y leans, z turns.
vec3 stood(vec3 p) {
  return vec3(p.x, 0.0, 0.0) + p.y * u_stance[1] + p.z * u_stance[2];
}

// An offset within a plate: its thickness goes along its normal.
vec3 leaned(vec3 d) {
  return u_stance * d;
}
