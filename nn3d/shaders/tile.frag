// A face shows the exact colour of the ramp: no light, no fog, no shadow on it. Sides take fixed factors.
#include "fog.glsl"
layout(location = 0) in vec3 v_world;
layout(location = 1) in vec2 v_uv;
layout(location = 2) flat in vec3 v_normal;
layout(location = 3) flat in vec2 v_half;
layout(location = 4) flat in int v_tile;
uniform sampler2DArray u_maps_a;
uniform sampler2DArray u_maps_b;
uniform sampler2D u_ramp;
uniform vec4 u_gain;       // gain a, gain b, offset a, offset b
uniform vec4 u_show;       // epoch mix, power, bright, whether values are there
// rows, columns, kind (0 one-signed, 1 signed, 2 colour picture), values in a texture row or tiles in a texture layer
uniform ivec4 u_cells;
uniform vec3 u_rim;
uniform vec3 u_side;
uniform vec3 u_nonfinite;
uniform vec3 u_eye;
uniform vec2 u_grid;       // strength of the cell grid, 1 in the light theme
layout(location = 0) out vec4 f_colour;

const float RIM = 0.035;

float side_factor(vec3 n) {
  float f = n.y > 0.5 ? 1.22 : n.y < -0.5 ? 0.55 : n.z > 0.5 ? 0.92 : 0.6;
  return u_grid.y > 0.5 ? mix(1.0, f, 0.55) : f;
}

// Sharp texels up close, trilinear away: the seam between two texels is one pixel wide (smooth derivatives kept).
vec2 sharpened(vec2 q) {
  vec2 seam = floor(q + 0.5);
  vec2 w = max(fwidth(q), vec2(1e-6));
  return seam + clamp((q - seam) / w, -0.5, 0.5);
}

float value_at(sampler2DArray maps, vec2 uv, vec2 dx, vec2 dy, int layer) {
  return textureGrad(maps, vec3(uv, float(layer)), dx, dy).r;
}

float single(sampler2DArray maps) {
  int n = u_cells.w;
  return texelFetch(maps, ivec3(v_tile % n, v_tile / n, 0), 0).r;
}

vec3 coloured(float v, float gain, float offset) {
  if (isnan(v) || isinf(v)) return u_nonfinite;
  float t = (v - offset) * gain;
  float s = pow(clamp(abs(t), 0.0, 1.0), u_show.y);
  float at = u_cells.z == 1 ? 0.5 + 0.5 * (t < 0.0 ? -s : s) : (t < 0.0 ? 0.0 : s);
  return texture(u_ramp, vec2(at * 255.0 / 256.0 + 0.5 / 256.0, 0.5)).rgb;
}

vec3 face(vec2 uv) {
  if (u_show.w < 0.5) return texture(u_ramp, vec2(u_cells.z == 1 ? 0.5 : 0.5 / 256.0, 0.5)).rgb;
  vec2 rc = vec2(u_cells.yx);
  if (u_cells.x * u_cells.y == 1 && u_cells.z != 2) {
    return coloured(mix(single(u_maps_a), single(u_maps_b), u_show.x), mix(u_gain.x, u_gain.y, u_show.x),
                    mix(u_gain.z, u_gain.w, u_show.x));
  }
  vec2 dx = dFdx(uv), dy = dFdy(uv);
  vec2 at = sharpened(uv * rc) / rc;
  if (u_cells.z == 2) {
    return vec3(value_at(u_maps_a, at, dx, dy, 0), value_at(u_maps_a, at, dx, dy, 1), value_at(u_maps_a, at, dx, dy, 2));
  }
  int pack = u_cells.w, layer = v_tile / pack;
  vec2 part = vec2(1.0, 1.0 / float(pack));
  at = at * part + vec2(0.0, part.y * float(v_tile % pack));
  dx *= part;
  dy *= part;
  float v = mix(value_at(u_maps_a, at, dx, dy, layer), value_at(u_maps_b, at, dx, dy, layer), u_show.x);
  return coloured(v, mix(u_gain.x, u_gain.y, u_show.x), mix(u_gain.z, u_gain.w, u_show.x));
}

void main() {
  vec3 c;
  if (abs(v_normal.x) > 0.5) {
    vec2 uv = v_normal.x > 0.0 ? vec2(1.0 - v_uv.x, v_uv.y) : v_uv;
    c = face(uv);
    vec2 q = uv * vec2(u_cells.yx);
    vec2 fw = fwidth(q);
    vec2 d = abs(fract(q - 0.5) - 0.5);
    vec2 line = 1.0 - smoothstep(0.035 - fw * 0.5, 0.035 + fw * 0.75, d);
    float seen = smoothstep(0.22, 0.09, max(fw.x, fw.y));
    if (u_cells.x * u_cells.y > 1) c = mix(c, mix(u_fog, u_side, 0.55), max(line.x, line.y) * u_grid.x * seen);
    vec2 e = min(uv, 1.0 - uv) * v_half.yx * 2.0;
    vec2 fe = fwidth(e);
    float width = min(RIM, 0.10 * min(v_half.x, v_half.y));
    vec2 rim = 1.0 - smoothstep(vec2(width) - fe * 0.5, vec2(width) + fe * 0.5, e);
    rim *= clamp(3.0 * width / fe, 0.0, 1.0);  // a rim thinner than a pixel takes its share of it, no more
    c = mix(c, u_rim, max(rim.x, rim.y));
  } else {
    c = fogged(u_side * side_factor(v_normal), distance(u_eye, v_world));
  }
  f_colour = vec4(mix(u_fog, c, u_show.z), 1.0);
}
