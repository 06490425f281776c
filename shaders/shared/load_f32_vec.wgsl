// Four elements a load; every index of a quadruple is a multiple of 4.
@group(0) @binding({{BINDING}}) var<storage, read> {{NAME}}: array<vec4<f32>>;

fn {{NAME}}_four(i: u32) -> vec4<f32> {
  return {{NAME}}[i >> 2u];
}

fn {{NAME}}_one(i: u32) -> f32 {
  return {{NAME}}[i >> 2u][i & 3u];
}
