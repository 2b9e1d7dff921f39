// A face shows the exact colour of the ramp: no light, no fog, no shadow on it.
// PLATE: a whole layer at rest. LINES: some cells are large enough for lines between them. SEAMS: tiles are so small that
// pixels between two count. FAR: the same in motion, where some tiles are as small as a pixel. MIXED: between two epochs.
// PICTURE: in its own colours. EMPTY: values are missing. MASKED: some cells are not finite.
#include "cells.glsl"
#ifdef PLATE
#include "lattice.glsl"
#endif
layout(location = 1) in vec2 v_at;
layout(location = 2) flat in vec2 v_half;
layout(location = 3) flat in int v_tile;
layout(location = 4) flat in int v_behind;
uniform sampler2D u_ramp;
uniform vec3 u_fog;
uniform vec3 u_rim;
uniform vec3 u_side;
uniform vec3 u_nonfinite;
uniform float u_grid;  // strength of the lines between cells
layout(location = 0) out vec4 f_colour;

const float RIM = 0.035;
const float LINE = 0.035;

vec2 lengths(vec2 dx, vec2 dy) {
  return max(sqrt(dx * dx + dy * dy), vec2(1e-7));
}

vec3 ramp(float s) {
  float at = c_shape.z == 1 ? 0.5 + 0.5 * clamp(s, -1.0, 1.0) : clamp(s, 0.0, 1.0);
  return texelFetch(u_ramp, ivec2(int(at * float(textureSize(u_ramp, 0).x - 1) + 0.5), 0), 0).rgb;
}

#ifdef MASKED
bool is_lost = false;  // whether a colour of this pixel was that of cells that are not finite

float band(float d, float half_width, float w) {
  return 1.0 - smoothstep(half_width - 0.5 * w, half_width + 0.5 * w, d);
}

// A cell that is not finite, in cells q of a tile: NaN is hatched, +Inf has a + and -Inf a - cut out of it, where it is
// large enough for that.
vec3 lost(int tile, vec2 q, vec2 w) {
  int k = tile - c_slots.y;
  ivec2 cell = clamp(ivec2(floor(q)), ivec2(0), c_shape.yx - 1);
  ivec2 at = c_levels[0].xy + ivec2(k % c_slots.x, k / c_slots.x) * c_levels[0].wz + cell;
  vec2 v = texelFetch(u_maps_a, at, 0).rg;
#ifdef MIXED
  v = v.y > 0.5 ? v : texelFetch(u_maps_b, at, 0).rg;
#endif
  vec2 p = q - vec2(cell), d = abs(p - 0.5);
  float hatch = 1.0 - band(abs(fract(2.0 * (p.x + p.y) + 0.5) - 0.5), 0.25, 2.0 * (w.x + w.y));
  float minus = band(d.y, 0.09, w.y) * band(d.x, 0.32, w.x), plus = max(minus, band(d.x, 0.09, w.x) * band(d.y, 0.32, w.y));
  float gone = v.x > 0.0 ? plus : v.x < 0.0 ? minus : hatch;
  return mix(u_nonfinite, ramp(0.0), gone * smoothstep(0.28, 0.14, max(w.x, w.y)));
}
#endif

vec3 coloured(vec2 v, vec2 w) {
#ifdef MASKED
  // A cell that is not finite stays in sight however small it is: on smaller levels an eighth of it is enough,
  // as much as the nearest pixel has of it at least.
  if (v.y > (max(w.x, w.y) > 1.0 ? 0.12 : 0.5)) {
    is_lost = true;
    return u_nonfinite;
  }
#endif
  return ramp(v.x);
}

// Lines between cells where these are large, and the rim of the tile. uv and its width fw: of the tile.
vec3 lined(vec3 c, vec2 uv, vec2 fw) {
#ifdef LINES
  vec2 cells = vec2(c_shape.yx), w = fw * cells, d = abs(fract(uv * cells - 0.5) - 0.5);
  vec2 line = 1.0 - smoothstep(LINE - w * 0.5, LINE + w * 0.75, d);
  float seen = smoothstep(0.22, 0.09, max(w.x, w.y));
  c = mix(c, mix(u_fog, u_side, 0.55), max(line.x, line.y) * u_grid * seen);
#endif
  // A rim thinner than a pixel takes its share of it, no more.
  vec2 size = v_half.yx * 2.0, e = min(uv, 1.0 - uv) * size, fe = fw * size;
  float width = min(RIM, 0.10 * min(v_half.x, v_half.y));
  vec2 rim = clamp((width - e) / fe + 0.5, 0.0, 1.0) * clamp(3.0 * width / fe, 0.0, 1.0);
  return mix(c, u_rim, max(rim.x, rim.y));
}

// How much of its colour a cell keeps while the rest dims.
float kept(int tile, vec2 uv) {
  ivec2 at = ivec2(uv * vec2(c_shape.yx));
  bool inside = at.y >= c_lit.x && at.y < c_lit.y && at.x >= c_lit.z && at.x < c_lit.w;
  return inside && tile >= c_own.x && tile < c_own.y ? 1.0 : c_half.w;
}

vec3 face(int tile, vec2 uv, vec2 fw) {
  vec2 cells = vec2(c_shape.yx), q = uv * cells, w = fw * cells;
#if defined(EMPTY)
  vec3 c = ramp(0.0);
#elif defined(PICTURE)
  vec3 c = vec3(shown(0, q, w).x, shown(1, q, w).x, shown(2, q, w).x);
#else
  vec2 v = shown(tile, q, w);
  vec3 c = coloured(v, w);
#ifdef MASKED
  if (v.y > 0.5 && max(w.x, w.y) < 0.28) c = lost(tile, q, w);
#endif
#endif
  if (tile == c_own.z && int(q.y) * c_shape.y + int(q.x) >= c_own.w) c = ramp(0.0);
  return lined(c, uv, fw);
}

#ifdef PLATE
#ifdef SEAMS
const float MOST_PARTS = 6.0;  // of a pixel, along each side of the lattice

// A pixel over several tiles is cut at their seams: the colour of each part counts by its area. Where more tiles lie
// under it than MOST_PARTS a side, it is cut evenly.
vec3 faces(vec2 g, vec2 fg, vec2 fill) {
  vec2 end = vec2(c_lattice.yx), a = clamp(g - 0.5 * fg, vec2(0.0), end - 1e-4), b = clamp(g + 0.5 * fg, a + 1e-4, end);
  vec2 first = floor(a), n = ceil(b) - first, many = step(MOST_PARTS + 0.5, n);
  vec2 from = mix(first, a, many), part = mix(vec2(1.0), (b - a) / MOST_PARTS, many);
  n = min(n, vec2(MOST_PARTS));
  vec3 sum = vec3(0.0);
  float area = 1e-9, t = 0.0;
  do {
    float j = floor((t + 0.5) / n.x);
    vec2 corner = from + vec2(t - j * n.x, j) * part, lo = max(a, corner), hi = min(b, corner + part);
    ivec2 at = at_tile(0.5 * (lo + hi));
    int tile = at.y * c_lattice.y + at.x;
    vec2 u0 = clamp(in_tile(lo, at, fill), vec2(0.0), vec2(1.0)), u1 = clamp(in_tile(hi, at, fill), vec2(0.0), vec2(1.0));
    vec2 uv = 0.5 * (u0 + u1), w = max(u1 - u0, vec2(1e-6));
    if (v_behind == 1) uv.x = 1.0 - uv.x;
    float share = tile >= c_slots.y && tile < c_slots.z ? w.x * w.y : 0.0;
    sum += share * face(clamp(tile, c_slots.y, c_slots.z - 1), uv, w);
    area += share;
    t += 1.0;
  } while (t < n.x * n.y);
  return sum / area;
}

const float MOST_CUTS = 3.0;  // of a pixel, along each side of it

// A pixel is a sheared part of the plate. Over cells smaller than itself it is cut along its own sides, so that what is
// averaged follows the shear, and colours rather than values are.
vec3 pixel(vec2 g, vec2 gx, vec2 gy, vec2 fill) {
  vec2 fg = lengths(gx, gy), w = fg / fill * vec2(c_shape.yx);
  float tiles = max(fg.x, fg.y), most = tiles < 0.9 ? MOST_CUTS : tiles < 1.5 ? 2.0 : 1.0;  // seams cut it, too
  float n = clamp(ceil(max(w.x, w.y)), 1.0, most), area = 1e-9, t = 0.0;
  vec3 sum = vec3(0.0);
  do {
    float j = floor((t + 0.5) / n);
    vec2 cut = (vec2(t - j * n, j) + 0.5) / n - 0.5, at = g + cut.x * gx + cut.y * gy;
    vec2 covers = max(covered(at, fg / n, fill), vec2(0.0));
    sum += covers.x * covers.y * faces(at, fg / n, fill);
    area += covers.x * covers.y;
    t += 1.0;
  } while (t < n * n);
#ifdef MASKED
  if (is_lost && max(w.x, w.y) > 1.0) return u_nonfinite;
#endif
  return sum / area;
}
#endif
#ifdef FAR
// Where tiles are as small as a pixel, several of them lie under it and none is left out.
vec3 faces(vec2 g, vec2 fg, vec2 fill, vec2 uv) {
  vec2 cells = vec2(c_shape.yx), sum = vec2(0.0);
  vec2 taps = clamp(ceil(fg * 1.5 - 0.1), vec2(1.0), vec2(LATTICE_TAPS)), step_by = fg / taps;
  vec2 w = step_by / fill * cells, from = g - 0.5 * fg + 0.5 * step_by;
  float n = 0.0, t = 0.0;
  do {
    float j = floor(t / taps.x);
    vec2 p = from + vec2(t - j * taps.x, j) * step_by;
    ivec2 at = at_tile(p);
    int tile = at.y * c_lattice.y + at.x;
    vec2 in_it = clamp(in_tile(p, at, fill), vec2(0.0), vec2(1.0));
    if (v_behind == 1) in_it.x = 1.0 - in_it.x;
    vec2 v = shown(clamp(tile, c_slots.y, c_slots.z - 1), in_it * cells, w);
    float here = tile >= c_slots.y && tile < c_slots.z ? 1.0 : 0.0;
    sum = vec2(sum.x + v.x * here, max(sum.y, v.y * here));
    n += here;
    t += 1.0;
  } while (t < taps.x * taps.y);
  return lined(coloured(vec2(sum.x / max(n, 1.0), sum.y), fg / fill * cells), uv, fg / fill);
}
#endif

void main() {
  vec2 fg = lengths(dFdx(v_at), dFdy(v_at)), fill = filled();
  vec2 share = covered(v_at, fg, fill);
  float alpha = share.x * share.y;
  ivec2 at = at_tile(v_at);
  int tile = at.y * c_lattice.y + at.x;
  if (alpha < 0.05 || tile < c_slots.y || tile >= c_slots.z) discard;
  vec2 uv = clamp(in_tile(v_at, at, fill), vec2(0.0), vec2(1.0));
  if (v_behind == 1) uv.x = 1.0 - uv.x;
#if defined(SEAMS)
  vec3 c = pixel(v_at, dFdx(v_at), dFdy(v_at), fill);
#elif defined(FAR) && !defined(PICTURE) && !defined(EMPTY)
  vec3 c = faces(v_at, fg, fill, uv);
#else
  vec3 c = face(tile, uv, fg / fill);
#endif
  f_colour = vec4(mix(u_fog, c, kept(tile, uv)), alpha);
}
#else
void main() {
  f_colour = vec4(mix(u_fog, face(v_tile, v_at, lengths(dFdx(v_at), dFdy(v_at))), kept(v_tile, v_at)), 1.0);
}
#endif
