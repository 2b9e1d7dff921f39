// What the alpha of the picture means before it is finished: 0 a face or the background, 0.5 structure and strands that
// take ambient shade (less: a part of it), 1 a strand that stands out: no shade, and no veil before it.
float takes_shade(float alpha) {
  return 1.0 - abs(2.0 * alpha - 1.0);
}

float stands_out(float alpha) {
  return smoothstep(0.55, 0.95, alpha);
}
