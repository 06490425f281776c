// out = activation(x), an element a thread.
struct Params { count: u32, per_row: u32, kind: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> p: Params;
#include "shared/activation.wgsl"

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = id.y * p.per_row + id.x;
  if (id.x < p.per_row && i < p.count) {
    out[i] = activate(x[i], p.kind);
  }
}
