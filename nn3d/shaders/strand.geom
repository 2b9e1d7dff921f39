// Each curve becomes a camera-facing ribbon; four invocations share its length.
layout(points, invocations = 4) in;
layout(triangle_strip, max_vertices = 24) out;
#include "stance.glsl"
layout(location = 0) in vec3 v_c0[];
layout(location = 1) in vec3 v_c1[];
layout(location = 2) in vec3 v_c2[];
layout(location = 3) in vec3 v_c3[];
layout(location = 4) in vec3 v_c4[];
layout(location = 5) in vec3 v_c5[];
layout(location = 6) in vec3 v_c6[];
layout(location = 7) in vec3 v_c7[];
layout(location = 8) in vec3 v_c8[];
layout(location = 9) in vec3 v_c9[];
layout(location = 10) in vec3 v_c10[];
layout(location = 11) in vec2 v_look[];
uniform mat4 u_clip_from_world;
uniform vec3 u_eye;
uniform vec4 u_px;      // world units a px and unit distance, smallest width px, halo px, halo share
uniform float u_crowd;   // how many strands lie one over the other where they are gathered; −1 they never do
uniform int u_segments;  // of a whole strand, at most 44
layout(location = 0) out vec4 g_profile;  // signed place across −1 … 1, half width, with halo, how far below the floor
layout(location = 1) out vec3 g_world;
layout(location = 2) out vec3 g_side;
layout(location = 3) out float g_along;
layout(location = 4) flat out float g_amount;
layout(location = 5) out float g_fine;  // how far it is too fine for sides and a halo of its own: 1, part of a tone

vec3 c[11];

float knot(int i) {
  return clamp(float(i - 3) / 8.0, 0.0, 1.0);
}

// De Boor's algorithm (1972); also gives the tangent.
void curve(float t, out vec3 at, out vec3 tangent) {
  int s = min(int(t * 8.0), 7);
  vec3 d0 = c[s], d1 = c[s + 1], d2 = c[s + 2], d3 = c[s + 3];
  d3 = mix(d2, d3, (t - knot(s + 3)) / (knot(s + 6) - knot(s + 3)));
  d2 = mix(d1, d2, (t - knot(s + 2)) / (knot(s + 5) - knot(s + 2)));
  d1 = mix(d0, d1, (t - knot(s + 1)) / (knot(s + 4) - knot(s + 1)));
  d3 = mix(d2, d3, (t - knot(s + 3)) / (knot(s + 5) - knot(s + 3)));
  d2 = mix(d1, d2, (t - knot(s + 2)) / (knot(s + 4) - knot(s + 2)));
  tangent = d3 - d2;
  at = mix(d2, d3, (t - knot(s + 3)) / (knot(s + 4) - knot(s + 3)));
}

void main() {
  if (v_look[0].x <= 1e-5) return;
  c[0] = v_c0[0]; c[1] = v_c1[0]; c[2] = v_c2[0]; c[3] = v_c3[0]; c[4] = v_c4[0]; c[5] = v_c5[0];
  c[6] = v_c6[0]; c[7] = v_c7[0]; c[8] = v_c8[0]; c[9] = v_c9[0]; c[10] = v_c10[0];
  for (int k = 0; k < 11; ++k) c[k] = stood(c[k]);
  int per = (u_segments + 3) / 4;
  int first = gl_InvocationID * per;
  if (first >= u_segments) return;
  int last = min(first + per, u_segments);
  for (int i = first; i <= last; ++i) {
    float t = float(i) / float(u_segments);
    vec3 at, tangent;
    curve(t, at, tangent);
    if (dot(tangent, tangent) < 1e-12) tangent = c[10] - c[0];
    tangent = normalize(tangent);
    vec3 view = u_eye - at;
    float d = length(view);
    view /= d;
    vec3 side = cross(tangent, view);
    float l = length(side);
    side = l > 1e-4 ? side / l : vec3(0.0, 1.0, 0.0);
    float px = u_px.x * d;
    float taper = mix(0.45, 1.0, smoothstep(0.0, 0.05, t) * smoothstep(0.0, 0.03, 1.0 - t));
    float w = v_look[0].x * taper;
    float floor_w = 0.5 * u_px.y * px;
    float hw = max(w, floor_w);
    float crowded = smoothstep(6.0, 20.0, u_crowd) * smoothstep(0.10, 0.34, t);
    float fine = u_crowd < 0.0 ? 0.0 : 1.0 - smoothstep(mix(0.6, 1.5, crowded), mix(1.3, 3.0, crowded), hw / px);
    float total = hw + clamp(hw * u_px.w, 0.35 * px, 1.6 * u_px.z * px) * (1.0 - fine);
    for (int e = -1; e <= 1; e += 2) {
      g_profile = vec4(float(e), hw, total, min(1.0, w / floor_w));
      g_world = at + side * float(e) * total;
      g_side = side;
      g_along = t;
      g_amount = v_look[0].y;
      g_fine = fine;
      gl_Position = u_clip_from_world * vec4(g_world, 1.0);
#ifdef IDS
      gl_PrimitiveID = gl_PrimitiveIDIn;
#endif
      EmitVertex();
    }
  }
  EndPrimitive();
}
