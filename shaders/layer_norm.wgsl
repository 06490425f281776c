// Layer normalisation of x (+ residual), a row a thread. The variance is taken around the mean, in a second pass, since
// E[v^2] - E[v]^2 cancels in f32; the same pass takes back what rounding did to the mean.
#include "shared/element_{{WIDTH}}.wgsl"
struct Params { rows: u32, cols: u32, has_residual: u32, eps: f32 }
@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read> residual: array<Element>;
@group(0) @binding(2) var<storage, read> gain: array<Element>;
@group(0) @binding(3) var<storage, read> bias: array<Element>;
@group(0) @binding(4) var<storage, read_write> out: array<Element>;
@group(0) @binding(5) var<uniform> p: Params;

fn value(at: u32) -> Element {
  var v = x[at];
  if (p.has_residual != 0u) {
    v += residual[at];
  }
  return v;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.rows) {
    return;
  }
  let length = p.cols / WIDTH;
  let first = id.x * length;
  var sum = Element();
  for (var j = 0u; j < length; j++) {
    sum += value(first + j);
  }
  let rough = total(sum) / f32(p.cols);
  var rest = Element();
  var squares = Element();
  for (var j = 0u; j < length; j++) {
    let d = value(first + j) - rough;
    rest += d;
    squares += d * d;
  }
  let shift = total(rest) / f32(p.cols);
  let mean = rough + shift;
  let variance = max(total(squares) / f32(p.cols) - shift * shift, 0.0);
  let scale = 1.0 / sqrt(variance + p.eps);
  for (var j = 0u; j < length; j++) {
    out[first + j] = (value(first + j) - mean) * scale * gain[j] + bias[j];
  }
}
