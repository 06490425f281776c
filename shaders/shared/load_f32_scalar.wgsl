// One element a load, for odd leading dimensions.
@group(0) @binding({{BINDING}}) var<storage, read> {{NAME}}: array<f32>;

fn {{NAME}}_one(i: u32) -> f32 {
  return {{NAME}}[i];
}

fn {{NAME}}_four(i: u32) -> vec4<f32> {
  return vec4<f32>({{NAME}}[i], {{NAME}}[i + 1u], {{NAME}}[i + 2u], {{NAME}}[i + 3u]);
}
