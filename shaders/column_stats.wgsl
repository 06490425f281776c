// Column sums and sums of squares of up to 512 rows: short sums in registers, whose parts column_combine adds up in memory.
#include "shared/element_{{WIDTH}}.wgsl"
const CHUNK = 512u;
struct Params { rows: u32, length: u32 }
@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read_write> partial: array<Element>;
@group(0) @binding(2) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.length) {
    return;
  }
  let first = id.y * CHUNK;
  let end = min(first + CHUNK, p.rows);
  var sum = Element();
  var squares = Element();
  for (var row = first; row < end; row++) {
    let v = x[row * p.length + id.x];
    sum += v;
    squares += v * v;
  }
  partial[2u * id.y * p.length + id.x] = sum;
  partial[(2u * id.y + 1u) * p.length + id.x] = squares;
}
