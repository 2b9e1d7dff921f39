// A plate at rest as one square: which tile lies at a place of its lattice (in pitches, column then row), and how much
// of a pixel the tiles cover.
#ifndef LATTICE_TAPS
#define LATTICE_TAPS 4.0
#endif

vec2 filled() {
  return 2.0 * c_half.yx / c_grid.wz;
}

// Share of a stretch of width w around g that lies on tiles: exact, for tiles of any size.
vec2 covered(vec2 g, vec2 w, vec2 fill) {
  vec2 n = vec2(c_lattice.yx), gap = (1.0 - fill) * 0.5;
  vec2 a = clamp(g - 0.5 * w, vec2(0.0), n), b = clamp(g + 0.5 * w, vec2(0.0), n);
  vec2 fa = floor(a) * fill + clamp(a - floor(a) - gap, vec2(0.0), fill);
  vec2 fb = floor(b) * fill + clamp(b - floor(b) - gap, vec2(0.0), fill);
  return (fb - fa) / w;
}

ivec2 at_tile(vec2 g) {
  return ivec2(clamp(floor(g), vec2(0.0), vec2(c_lattice.yx) - 1.0));
}

// Place in the tile, 0 … 1 from its left and top edge; beyond them in the gap.
vec2 in_tile(vec2 g, ivec2 tile, vec2 fill) {
  return (g - vec2(tile) - 0.5) / fill + 0.5;
}
