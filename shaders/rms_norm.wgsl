// Root-mean-square normalisation, a row a thread.
#include "shared/element_{{WIDTH}}.wgsl"
struct Params { rows: u32, cols: u32, eps: f32 }
@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read> gain: array<Element>;
@group(0) @binding(2) var<storage, read_write> out: array<Element>;
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.rows) {
    return;
  }
  let length = p.cols / WIDTH;
  let first = id.x * length;
  var squares = Element();
  for (var j = 0u; j < length; j++) {
    squares += x[first + j] * x[first + j];
  }
  let scale = 1.0 / sqrt(total(squares) / f32(p.cols) + p.eps);
  for (var j = 0u; j < length; j++) {
    out[first + j] = x[first + j] * scale * gain[j];
  }
}
