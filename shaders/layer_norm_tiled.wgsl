// Layer normalisation of x (+ residual) for GPUs, a row a workgroup. The variance is taken around the mean, in a second pass, since
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

// Sums of x and of y over the threads of the workgroup.
var<workgroup> shared_sums: array<vec2<f32>, 64>;

fn add_up(own: vec2<f32>, lane: u32) -> vec2<f32> {
  workgroupBarrier();
  shared_sums[lane] = own;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half >>= 1u) {
    if (lane < half) {
      shared_sums[lane] += shared_sums[lane + half];
    }
    workgroupBarrier();
  }
  return shared_sums[0];
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let length = p.cols / WIDTH;
  let first = group.x * length;
  var sum = Element();
  for (var j = lane; j < length; j += 64u) {
    sum += value(first + j);
  }
  let rough = add_up(vec2<f32>(total(sum), 0.0), lane).x / f32(p.cols);
  var rest = Element();
  var squares = Element();
  for (var j = lane; j < length; j += 64u) {
    let d = value(first + j) - rough;
    rest += d;
    squares += d * d;
  }
  let moments = add_up(vec2<f32>(total(rest), total(squares)), lane) / f32(p.cols);
  let mean = rough + moments.x;
  let variance = max(moments.y - moments.x * moments.x, 0.0);
  let scale = 1.0 / sqrt(variance + p.eps);
  for (var j = lane; j < length; j += 64u) {
    out[first + j] = (value(first + j) - mean) * scale * gain[j] + bias[j];
  }
}
