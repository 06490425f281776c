// out[s, c] += the sum over the rows of segment s of a[row, c] * b[row, c]: a column of a segment a thread.
#include "shared/element_{{WIDTH}}.wgsl"
struct Params { length: u32, first: u32 }
@group(0) @binding(0) var<storage, read> a: array<Element>;
@group(0) @binding(1) var<storage, read> b: array<Element>;
// First row and end of each segment, as far as they lie in a and b.
@group(0) @binding(2) var<storage, read> bounds: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> out: array<Element>;
@group(0) @binding(4) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.length) {
    return;
  }
  let bound = bounds[id.y];
  var sum = Element();
  for (var row = bound.x; row < bound.y; row++) {
    sum += a[row * p.length + id.x] * b[row * p.length + id.x];
  }
  out[(p.first + id.y) * p.length + id.x] += sum;
}
