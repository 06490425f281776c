// Halves, two a word. unpack2x16float is core WGSL: no f16 extension is needed.
@group(0) @binding({{BINDING}}) var<storage, read> {{NAME}}: array<vec2<u32>>;

fn {{NAME}}_four(i: u32) -> vec4<f32> {
  let words = {{NAME}}[i >> 2u];
  return vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y));
}

fn {{NAME}}_one(i: u32) -> f32 {
  return unpack2x16float({{NAME}}[i >> 2u][(i >> 1u) & 1u])[i & 1u];
}
