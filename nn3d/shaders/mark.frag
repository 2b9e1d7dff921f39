// Coverage of a mark at a pixel: a glyph's texel, or the analytic share of the pixel that a rectangle or line covers.
uniform sampler2D u_glyphs;

layout(location = 0) noperspective in vec2 v_place;
layout(location = 1) flat in vec4 v_shape;
layout(location = 2) flat in vec2 v_kind;
layout(location = 3) flat in vec4 v_colour;
layout(location = 4) flat in vec4 v_right;

layout(location = 0) out vec4 f_colour;

const float TEXT = 0.0;
const float RECT = 1.0;

// Share of a pixel-long stretch around `at` that lies between `from` and `to`.
float overlap(float at, float from, float to) {
    return clamp(min(to, at + 0.5) - max(from, at - 0.5), 0.0, 1.0);
}

float glyph() {
    ivec2 texel = ivec2(floor(v_place - v_shape.xy));
    return texelFetch(u_glyphs, texel + ivec2(v_shape.zw), 0).r;
}

float rectangle(float radius) {
    float share = overlap(v_place.x, v_shape.x, v_shape.z) * overlap(v_place.y, v_shape.y, v_shape.w);
    vec2 half_size = (v_shape.zw - v_shape.xy) * 0.5;
    float r = min(radius, min(half_size.x, half_size.y));
    vec2 inside = abs(v_place - (v_shape.xy + v_shape.zw) * 0.5) - half_size + r;
    return inside.x > 0.0 && inside.y > 0.0 ? min(share, clamp(r - length(inside) + 0.5, 0.0, 1.0)) : share;
}

float line(float half_width) {
    vec2 along = v_shape.zw - v_shape.xy;
    float size = length(along);
    vec2 axis = size > 0.0 ? along / size : vec2(1.0, 0.0);
    vec2 from = v_place - v_shape.xy;
    float across = from.y * axis.x - from.x * axis.y;
    return overlap(across, -half_width, half_width) * overlap(dot(from, axis), 0.0, size);
}

void main() {
    vec4 colour = v_colour;
    float coverage;
    if (v_kind.x == TEXT) {
        coverage = glyph();
    } else if (v_kind.x == RECT) {
        coverage = rectangle(v_kind.y);
        float width = max(v_shape.z - v_shape.x, 1e-6);
        colour = mix(v_colour, v_right, clamp((v_place.x - v_shape.x) / width, 0.0, 1.0));
    } else {
        coverage = line(v_kind.y);
    }
    f_colour = vec4(colour.rgb, colour.a * coverage);
}
