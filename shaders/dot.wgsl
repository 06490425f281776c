// Partial sums of a * b: 64 elements (or quadruples) a thread, side by side across threads. The host adds them in f64.
#include "shared/element_{{WIDTH}}.wgsl"
const STEPS = 64u;
struct Params { count: u32, per_row: u32 }
@group(0) @binding(0) var<storage, read> a: array<Element>;
@group(0) @binding(1) var<storage, read> b: array<Element>;
@group(0) @binding(2) var<storage, read_write> partial: array<f32>;
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let index = group.y * p.per_row + group.x;
  if (group.x >= p.per_row || index * 64u * STEPS >= p.count) {
    return;
  }
  var sum = Element();
  for (var step = 0u; step < STEPS; step++) {
    let i = (index * STEPS + step) * 64u + lane;
    if (i < p.count) {
      sum += a[i] * b[i];
    }
  }
  partial[index * 64u + lane] = total(sum);
}
