// The depth cue of structure and strands; faces of tiles take none, or the key would lie.
uniform vec3 u_fog;
uniform vec3 u_fog_range;  // from, to (distance from the eye), largest share

vec3 fogged(vec3 colour, float distance_to_eye) {
  float f = clamp((distance_to_eye - u_fog_range.x) / (u_fog_range.y - u_fog_range.x), 0.0, 1.0);
  return mix(colour, u_fog, f * u_fog_range.z);
}
