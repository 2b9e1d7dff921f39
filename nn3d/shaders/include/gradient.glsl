// The radial ground, and a dither that keeps it and the pool of light on it free of bands.
uniform vec3 u_inner;
uniform vec3 u_outer;
uniform float u_dither;  // 1; 0 where the ground is one plain colour
uniform vec2 u_size;     // of the target, px

vec3 gradient() {
  float r = length((gl_FragCoord.xy / u_size - vec2(0.5, 0.54)) * vec2(1.15, 1.0));
  return mix(u_inner, u_outer, smoothstep(0.05, 0.78, r));
}

// Interleaved gradient noise (Jimenez 2014).
vec3 dithered(vec3 c) {
  float chance = fract(52.9829189 * fract(dot(gl_FragCoord.xy, vec2(0.06711056, 0.00583715))));
  return c + u_dither * (chance - 0.5) / 255.0 * 1.2;
}
