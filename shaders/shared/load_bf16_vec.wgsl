// bfloat16 is the upper half of an f32; two a word, the first in the lower half.
@group(0) @binding({{BINDING}}) var<storage, read> {{NAME}}: array<vec2<u32>>;

fn {{NAME}}_four(i: u32) -> vec4<f32> {
  let words = {{NAME}}[i >> 2u];
  let bits = vec4<u32>(words.x << 16u, words.x & 0xffff0000u, words.y << 16u, words.y & 0xffff0000u);
  return bitcast<vec4<f32>>(bits);
}

fn {{NAME}}_one(i: u32) -> f32 {
  let word = {{NAME}}[i >> 2u][(i >> 1u) & 1u];
  return bitcast<f32>(select(word << 16u, word & 0xffff0000u, (i & 1u) == 1u));
}
