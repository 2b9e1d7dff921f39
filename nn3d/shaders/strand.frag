// Tube shading across a ribbon, a flat dark halo that separates strands in depth (Everts et al. 2009).
#include "fog.glsl"
layout(location = 0) in vec4 g_profile;
layout(location = 1) in vec3 g_world;
layout(location = 2) in vec3 g_side;
layout(location = 3) in float g_along;
layout(location = 4) flat in float g_amount;
layout(location = 5) in float g_fine;
uniform mat4 u_clip_from_world;
uniform vec3 u_eye;
uniform vec3 u_positive;
uniform vec3 u_negative;
uniform vec3 u_halo;
uniform float u_dash_negative;  // dashes of a negative strand (0: none), for grey print
uniform vec4 u_shade;  // light theme, bright, floor of the strength, dashes a strand (0: none)
#if defined(IDS)
uniform uvec2 u_link;  // number of the layer of strands + 1, its first strand that is drawn
layout(location = 0) out uvec2 f_id;
#elif defined(SUM)
layout(location = 0) out vec4 f_sum;
#elif defined(VEIL)
uniform vec2 u_veil;  // opacity, distance of the camera from its target
layout(location = 0) out vec4 f_sum;
layout(location = 1) out vec4 f_log;
#else
uniform float u_alpha;  // see include/alpha.glsl
layout(location = 0) out vec4 f_colour;
#endif

float power_18(float s) {
  float s2 = s * s, s4 = s2 * s2, s8 = s4 * s4;
  return s8 * s8 * s2;
}

void main() {
  float dashes = g_amount < 0.0 ? max(u_shade.w, u_dash_negative) : u_shade.w;
  if (dashes > 0.0 && fract(g_along * dashes) > 0.56) discard;
  float hw = g_profile.y, total = g_profile.z;
  float across = g_profile.x * total;
  float off_axis = abs(across);
  float footprint = length(vec2(dFdx(across), dFdy(across)));  // of a px, across the strand
  float x = clamp(across / hw, -1.0, 1.0);
  float nz = sqrt(max(0.0, 1.0 - x * x));
  vec3 to_eye = u_eye - g_world;
  float far = length(to_eye);
  vec3 view = to_eye / far;
  float shift = off_axis > hw ? -(0.02 + (off_axis - hw) * 1.5) : min(nz * hw, 0.05) * (1.0 - g_fine);
  shift += 0.01 * min(1.0, abs(g_amount));  // of strands at one depth the strongest is in front, in any order of drawing
  vec4 q = u_clip_from_world * vec4(g_world + view * shift, 1.0);
  gl_FragDepth = clamp(q.z / q.w * 0.5 + 0.5, 0.0, 1.0);
#if defined(IDS)
  f_id = uvec2(u_link.x, u_link.y + uint(gl_PrimitiveID));
#elif defined(SUM)
  float aa = max(footprint, 1e-6);
  float cover = clamp((hw - off_axis) / aa + 0.5, 0.0, 1.0) * g_profile.w;
  f_sum = vec4(max(g_amount, 0.0), max(-g_amount, 0.0), 0.0, 0.0) * cover;
#else
  x *= 1.0 - g_fine;
  nz = mix(nz, 0.785, g_fine);  // the mean over a tube
  vec3 n = normalize(g_side * x + view * nz);
  vec3 light = normalize(vec3(-0.35, 0.85, 0.45));
  float d = dot(n, light) * 0.5 + 0.5;
  float strength = u_shade.z + (1.0 - u_shade.z) * pow(min(1.0, abs(g_amount)), 0.6);
  vec3 hue = mix(u_fog, g_amount < 0.0 ? u_negative : u_positive, strength);
  vec3 c;
  if (u_shade.x > 0.5) c = hue * (0.72 + 0.38 * d) * mix(0.80, 1.0, nz);
  else c = hue * (0.46 + 0.74 * d) * mix(0.62, 1.0, nz) + 0.07 * power_18(max(0.0, dot(reflect(-light, n), view)));
  c = mix(u_fog, c, mix(0.55, 1.0, g_profile.w) * u_shade.y);
  float aa = footprint;
  float halo = smoothstep(hw - aa * 0.5, hw + aa * 0.5, off_axis);
  c = mix(c, mix(u_fog, u_halo, min(1.0, u_shade.y * 1.2)), halo * (1.0 - g_fine));
  c = fogged(c, far);
#ifdef VEIL
  float alpha = min(0.98, u_veil.x * clamp((total - off_axis) / max(aa, 1e-6) + 0.5, 0.0, 1.0));
  float weight = alpha * exp2(clamp(0.6 * (u_veil.y - far), -10.0, 10.0));
  f_sum = vec4(c * weight, weight);
  f_log = vec4(log(1.0 - alpha), 0.0, 0.0, 0.0);
#else
  f_colour = vec4(c, u_alpha);
#endif
#endif
}
