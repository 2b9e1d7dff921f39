// Eleven control points of a strand: a clamped cubic B-spline with uniform inner knots (eighths).
// The formulae stand in docs/PICTURE.md and, in numpy, in nn3d.stage.reference; both must give the same numbers.
uniform sampler2D u_tiles_0;     // anchors of the source's tiles: 2 texels each, wrapped after 1,024 tiles
uniform sampler2D u_tiles_1;     // of the target's tiles
uniform sampler2D u_clusters_0;  // centroids of the source's clusters
uniform sampler2D u_clusters_1;
uniform vec4 u_route;            // strength, side (−1 … 1), gutter of the target, path (0 route, 1 direct, 2 arc)
uniform vec4 u_rope;             // radius R0, half distance of the signs, share of the rope, apex of an arc
uniform float u_leave;           // how far above the middle of its source a rope starts
uniform vec2 u_turn;             // share of its way over which a rope changes lane
uniform vec4 u_radii;            // cluster radii of source and target, number of trunk strands, epoch mix

uniform vec2 u_behind;           // how far seen from behind, 0 … 1; gutter of the source

const float BEND = 0.24;   // g of the flight formula
const float PART = 0.34;   // signs part by this in the routed trunk
const float GATHER = 0.42; // R0 of the routed trunk
const float RING_BACK = 0.45; // how far behind a ring strands run to its middle
const float RISE = 0.05;     // strands turn up into their tiles behind the lanes of the gutter by twice this
const int N_CONTROL = 11;

void anchors(sampler2D table, int k, out vec4 a, out vec4 b) {
  ivec2 at = ivec2((k % 1024) * 2, k / 1024);
  a = texelFetch(table, at, 0);
  b = texelFetch(table, at + ivec2(1, 0), 0);
}

struct End {
  float x;       // of the layer
  vec2 tile;     // centre of the tile, world (y, z)
  vec2 cell;     // the cell on the face
  vec2 cluster;  // centroid
  vec2 half_at;  // half height and width of the tile now
  float open;
  float thick;
  float y;       // of the layer
  float ring;    // share of the circle in its arrangement
};

// Which way strands run: `side` of the reader, gutter under the target's rows, full widths of source and target.
struct Way {
  float side;
  float gutter;
  vec2 width;
};

Way front_way() {
  return Way(u_route.y, u_route.z, vec2(u_extent[0].y, u_extent[1].y));
}

// Seen from behind, the ends of a strand swap: it is built along −x, from its target to its source.
Way behind_way() {
  return Way(-u_route.y, u_behind.y, vec2(u_extent[1].y, u_extent[0].y));
}

End flipped(End e) {
  e.x = -e.x;
  return e;
}

vec3 unflipped(vec3 p) {
  return vec3(-p.x, p.yz);
}

End make_end(int e, sampler2D tiles, sampler2D clusters, int tile, int cluster, vec2 uv) {
  End r;
  vec4 a, b;
  r.open = opened(e, tile);
  r.x = u_place[e].x;
  r.y = u_place[e].y;
  anchors(tiles, tile, a, b);
  r.tile = placed(e, a, b, r.open) + vec2(r.y, 0.0);
  r.half_at = half_size(e, r.open);
  r.cell = r.tile + vec2((1.0 - 2.0 * uv.y) * r.half_at.x, (2.0 * uv.x - 1.0) * r.half_at.y);
  anchors(clusters, cluster, a, b);
  r.cluster = placed(e, a, b, ease(u_place[e].z)) + vec2(r.y, 0.0);
  r.thick = half_thickness(e, r.open);
  r.ring = u_weights[e].y;
  return r;
}

// Where a strand docks on its target tile: its lower edge in line and grid, the edge toward the centre in a circle.
vec2 dock_at(End t, float dock) {
  vec2 low = t.tile + vec2(-t.half_at.x, 2.0 * dock * t.half_at.y);
  vec2 inward = vec2(t.y, 0.0) - t.tile;
  vec2 scaled = inward / max(t.half_at, vec2(1e-6));
  float m = max(max(abs(scaled.x), abs(scaled.y)), 1e-6);
  vec2 edge = inward / m + (abs(scaled.x) > abs(scaled.y) ? vec2(0.0, dock * t.half_at.y)
                                                          : vec2(dock * t.half_at.x, 0.0));
  vec2 inner = t.tile + clamp(edge, -t.half_at, t.half_at);
  return mix(low, inner, t.ring * t.open);
}

// Two cubic Béziers refined to eleven control points (knot insertion is exact; rows sum to 1).
const float REFINE_5[55] = float[55](
  1., 0., 0., 0., 0.,
  0.75, 0.25, 0., 0., 0.,
  0.375, 0.5625, 0.0625, 0., 0.,
  0.09375, 0.6328125, 0.25, 0.0234375, 0.,
  0., 0.46875, 0.4375, 0.09375, 0.,
  0., 0.234375, 0.53125, 0.234375, 0.,
  0., 0.09375, 0.4375, 0.46875, 0.,
  0., 0.0234375, 0.25, 0.6328125, 0.09375,
  0., 0., 0.0625, 0.5625, 0.375,
  0., 0., 0., 0.25, 0.75,
  0., 0., 0., 0., 1.);

void flight(End s, End t, vec2 from, vec2 to, vec4 spread, float sign_c, float radius, out vec3 c[N_CONTROL]) {
  float L = t.x - s.x;
  float x0 = s.x + s.thick, x1 = t.x - t.thick;
  float h = sign_c * 0.10 * min(1.0, radius / 0.1) * abs(L) * 0.1;
  vec2 oi = spread.xy * s.open, oj = spread.zw * t.open;
  vec2 ga = s.cluster, gb = t.cluster;
  vec3 p[5];
  p[0] = vec3(x0, from);
  p[1] = vec3(mix(x0, x1, BEND), ga + 1.3 * radius * oi + vec2(h * 0.5, 0.0));
  p[2] = vec3(mix(x0, x1, 0.5), (ga + gb) * 0.5 + radius * (oi + oj) * 0.5 + vec2(h, 0.0));
  p[3] = vec3(mix(x0, x1, 1.0 - BEND), gb + 1.3 * radius * oj + vec2(h * 0.5, 0.0));
  p[4] = vec3(x1, to);
  for (int k = 0; k < N_CONTROL; ++k) {
    c[k] = vec3(0.0);
    for (int j = 0; j < 5; ++j) c[k] += REFINE_5[k * 5 + j] * p[j];
  }
}

// Between open layers: behind the plate, gathered to its cluster, along the trunk, through the gutter under the
// target's row, within the plate's own thickness so that no face is crossed, up into the lower edge of the tile.
void routed(Way w, End s, End t, vec2 to, vec2 off, float lane, float sign_c, out vec3 c[N_CONTROL]) {
  float L = t.x - s.x, side = w.side;
  float z_in = -side * (w.width.y * 0.5 + 0.9), z_out = side * (w.width.x * 0.5 + 0.2);
  float gutter = t.tile.x - t.half_at.x - 0.5 * w.gutter + (lane * 0.16 + sign_c * 0.14) * w.gutter;
  float mean = t.cluster.x - t.half_at.x - 0.5 * w.gutter;
  vec2 a = s.cluster;
  float h = sign_c * PART, r = GATHER;
  c[0] = vec3(s.x + s.thick, s.cell);
  c[1] = vec3(s.x + 0.6, s.cell);
  c[2] = vec3(s.x + 0.13 * L, a.x * 0.94 + mean * 0.06 + r * off.x * 0.8 + h * 0.5, a.y * 0.55 + z_out * 0.10 + r * off.y * 0.8);
  c[3] = vec3(s.x + 0.34 * L, a.x * 0.62 + mean * 0.38 + r * off.x * 0.7 + h, a.y * 0.25 + r * off.y * 0.7);
  c[4] = vec3(s.x + 0.60 * L, mean * 0.86 + a.x * 0.14 + h + r * 0.6 * off.x, z_in * 0.62 + a.y * 0.12 + r * off.y * 0.6);
  c[5] = vec3(t.x - 0.10 * L, gutter * 0.9 + mean * 0.1 + h * 0.5, z_in * 1.02);
  c[6] = vec3(t.x - RISE, gutter + h * 0.10, z_in * 0.98);
  c[7] = vec3(t.x - RISE, gutter, (z_in + t.tile.y) * 0.5);
  c[8] = vec3(t.x + RISE, gutter, to.y - 0.10 * side * t.half_at.y);
  c[9] = vec3(t.x + RISE, gutter * 0.35 + to.x * 0.65, to.y);
  c[10] = vec3(t.x, to);
}

// Into a ring: soon aside, so as not to cross its face, past its edge, round to its back, and from its middle out to the inner edges of the tiles.
void ringed(Way w, End s, End t, vec2 to, vec2 off, float sign_c, inout vec3 c[N_CONTROL]) {
  float z_in = -w.side * (w.width.y * 0.5 + 0.9), L = t.x - c[0].x;
  vec2 middle = vec2(t.y, 0.0), near = vec2(t.y + sign_c * PART + GATHER * off.x, z_in);
  c[2].y = mix(s.cluster.x + GATHER * off.x, near.x, 0.10);
  c[3].y = mix(s.cluster.x + GATHER * off.x, near.x, 0.45);
  c[4].y = mix(s.cluster.x + GATHER * off.x, near.x, 0.85);
  c[2].z = mix(c[2].z, z_in, 0.5);
  c[3].z = mix(c[3].z, z_in, 0.9);
  c[4].z = z_in;
  c[5] = vec3(t.x - 0.08 * L, near.x, z_in * 1.02);
  c[6] = vec3(t.x + RING_BACK, near);
  c[7] = vec3(t.x + 2.0 * RING_BACK, mix(near, middle, 0.7));
  c[8] = vec3(t.x + 2.0 * RING_BACK, mix(middle, to, 0.45));
  c[9] = vec3(t.x + RING_BACK, mix(middle, to, 0.85));
  c[10] = vec3(t.x, to);
}

// 1:1 links: z and y move evenly with x, then the same dock.
void direct(Way w, End s, End t, vec2 to, float lane, out vec3 c[N_CONTROL]) {
  float L = t.x - s.x, side = w.side;
  float z_in = -side * (w.width.y * 0.5 + 0.9);
  float gutter = t.tile.x - t.half_at.x - 0.5 * w.gutter + lane * 0.30 * w.gutter;
  const float at[6] = float[6](0.0, 0.14, 0.34, 0.60, 0.82, 1.0);
  const float up[6] = float[6](0.0, 0.03, 0.22, 0.70, 1.0, 1.0);
  const float over[6] = float[6](0.0, 0.12, 0.36, 0.68, 0.92, 1.0);
  for (int k = 0; k < 6; ++k) {
    float x = k == 0 ? s.x + s.thick : k == 5 ? t.x - 0.4 : s.x + at[k] * L;
    c[k] = vec3(x, mix(s.cell.x, gutter, up[k]), mix(s.cell.y, z_in, over[k]));
  }
  c[6] = vec3(t.x - 0.08, gutter, z_in * 0.94);
  c[7] = vec3(t.x, gutter, (z_in + t.tile.y) * 0.5);
  c[8] = vec3(t.x, gutter, to.y - 0.10 * side * t.half_at.y);
  c[9] = vec3(t.x, gutter * 0.35 + to.x * 0.65, to.y);
  c[10] = vec3(t.x, to);
}

// A strand between open layers, by its kind of link.
void open_way(Way w, End s, End t, vec2 to, vec2 off, float lane, float sign_c, out vec3 c[N_CONTROL]) {
  if (u_route.w > 0.5) direct(w, s, t, to, lane, c);
  else routed(w, s, t, to, off, lane, sign_c, c);
  if (t.ring <= 0.0) return;
  vec3 r[N_CONTROL] = c;
  ringed(w, s, t, to, off, sign_c, r);
  for (int k = 0; k < N_CONTROL; ++k) c[k] = mix(c[k], r[k], t.ring);
}

// From behind, strands dock on their source in the order of their targets: (dock, lane).
vec2 dock_behind(int target, vec2 target_uv) {
  float order = (float(target) + 0.98 * target_uv.y + 0.049 * target_uv.x) / max(1.0, u_weights[1].w);
  float lane = fract((float(target) + 0.73 * target_uv.y + 0.37 * target_uv.x) * 0.6180339887498949);
  return vec2((order - 0.5) * 0.76, abs(lane - 0.5) * 3.6 - 0.9);
}

// The rope of a pair: from behind plate a to the near edge of plate b, one rope a sign. flip: −1 along −x.
void rope_between(int a, int b, float flip, Way w, vec2 disc, float sign_c, float radius, out vec3 c[N_CONTROL]) {
  float side = w.side, open_s = ease(u_place[a].z);
  float xs = flip * u_place[a].x + half_thickness(a, open_s), xt = flip * u_place[b].x;
  float z_out = side * 0.40 * w.width.x * open_s, z_in = -side * w.width.y * 0.5;
  float h = sign_c * u_rope.y;
  vec2 turn = flip > 0.0 ? u_turn : 1.0 - u_turn.yx;
  const float at[11] = float[11](0.0, 0.06, 0.14, 0.24, 0.36, 0.50, 0.64, 0.80, 0.92, 0.985, 1.0);
  const float part[11] = float[11](0.5, 0.5, 0.55, 0.72, 0.9, 1.0, 1.0, 1.0, 1.0, 0.95, 0.85);
  const float over[11] = float[11](0.0, 0.0, 0.06, 0.16, 0.33, 0.56, 0.80, 0.98, 1.0, 1.0, 1.0);
  const float room[11] = float[11](0.0, 0.0, 0.0, 0.0, 0.0, 0.12, 0.4, 0.9, 0.95, 0.6, 0.02);
  const float wide[11] = float[11](0.55, 0.7, 0.85, 0.95, 1.0, 1.0, 1.0, 0.97, 0.93, 0.86, 0.8);
  float ya = u_place[a].y + (flip > 0.0 ? u_leave : 0.0), yb = u_place[b].y + (flip > 0.0 ? 0.0 : u_leave);
  for (int k = 0; k < N_CONTROL; ++k) {
    float lift = ease((at[k] - turn.x) / max(turn.y - turn.x, 1e-3));
    vec2 yz = vec2(mix(ya, yb, lift) + h * part[k], mix(z_out, z_in, over[k]) - side * room[k]);
    c[k] = vec3(mix(xs, xt, at[k]), yz + radius * wide[k] * disc);
  }
}

void rope(vec2 disc, float sign_c, float radius, out vec3 c[N_CONTROL]) {
  rope_between(0, 1, 1.0, front_way(), disc, sign_c, radius, c);
  if (u_behind.x <= 0.0) return;
  vec3 d[N_CONTROL];
  rope_between(1, 0, -1.0, behind_way(), disc, sign_c, radius, d);
  for (int k = 0; k < N_CONTROL; ++k) c[k] = mix(c[k], unflipped(d[N_CONTROL - 1 - k]), u_behind.x);
}

// A skip: parallel strands from the top of one plate to the top of the other.
void arc(float across, out vec3 c[N_CONTROL]) {
  float top_s = u_place[0].y + 0.5 * u_extent[0].x, top_t = u_place[1].y + 0.5 * u_extent[1].x;
  float zs = across * 0.42 * u_extent[0].y, zt = across * 0.42 * u_extent[1].y;
  const float at[11] = float[11](0.0, 0.0, 0.01, 0.05, 0.16, 0.5, 0.84, 0.95, 0.99, 1.0, 1.0);
  const float up[11] = float[11](0.0, 0.35, 0.75, 0.96, 1.0, 1.0, 1.0, 0.96, 0.75, 0.35, 0.0);
  for (int k = 0; k < N_CONTROL; ++k) {
    float base = k < 5 ? top_s : k > 5 ? top_t : 0.5 * (top_s + top_t);
    c[k] = vec3(mix(u_place[0].x, u_place[1].x, at[k]), mix(base, u_rope.w, up[k]), mix(zs, zt, at[k]));
  }
}

// Strength 0 is the straight line between a strand's two ends.
void straighten(inout vec3 c[N_CONTROL]) {
  float length_x = c[10].x - c[0].x;
  for (int k = 1; k < 10; ++k) {
    float t = clamp((c[k].x - c[0].x) / (abs(length_x) < 1e-6 ? 1.0 : length_x), 0.0, 1.0);
    c[k] = mix(mix(c[0], c[10], t), c[k], u_route.x);
  }
}
