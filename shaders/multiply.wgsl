// out = a * b.
#include "shared/element_{{WIDTH}}.wgsl"
struct Params { count: u32, per_row: u32 }
@group(0) @binding(0) var<storage, read> a: array<Element>;
@group(0) @binding(1) var<storage, read> b: array<Element>;
@group(0) @binding(2) var<storage, read_write> out: array<Element>;
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = id.y * p.per_row + id.x;
  if (id.x < p.per_row && i < p.count) {
    out[i] = a[i] * b[i];
  }
}
