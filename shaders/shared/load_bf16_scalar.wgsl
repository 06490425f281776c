// bfloat16, two a word, at any index.
@group(0) @binding({{BINDING}}) var<storage, read> {{NAME}}: array<u32>;

fn {{NAME}}_one(i: u32) -> f32 {
  let word = {{NAME}}[i >> 1u];
  return bitcast<f32>(select(word << 16u, word & 0xffff0000u, (i & 1u) == 1u));
}

fn {{NAME}}_four(i: u32) -> vec4<f32> {
  return vec4<f32>({{NAME}}_one(i), {{NAME}}_one(i + 1u), {{NAME}}_one(i + 2u), {{NAME}}_one(i + 3u));
}
