// Gradient of a normalisation with respect to its input, a row a thread. With n = (x - mean) * scale and g = upstream * gain, it is
// scale * (g - mean(g) - n * mean(g * n)); root-mean-square norms are not centred, so both means of the row count as 0.
#include "shared/element_{{WIDTH}}.wgsl"
struct Params { rows: u32, cols: u32, centred: u32, eps: f32 }
@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read> gain: array<Element>;
@group(0) @binding(2) var<storage, read> upstream: array<Element>;
@group(0) @binding(3) var<storage, read_write> out: array<Element>;
@group(0) @binding(4) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.rows) {
    return;
  }
  let length = p.cols / WIDTH;
  let first = id.x * length;
  let count = f32(p.cols);
  let centred = f32(p.centred);
  var sum = Element();
  for (var j = 0u; j < length; j++) {
    sum += x[first + j];
  }
  let rough = centred * total(sum) / count;
  var rest = Element();
  for (var j = 0u; j < length; j++) {
    rest += x[first + j] - rough;
  }
  // What rounding did to the mean is taken back.
  let mean = rough + centred * total(rest) / count;
  var squares = Element();
  var gradients = Element();
  var products = Element();
  for (var j = 0u; j < length; j++) {
    let d = x[first + j] - mean;
    let g = upstream[first + j] * gain[j];
    squares += d * d;
    gradients += g;
    products += g * d;
  }
  let scale = 1.0 / sqrt(total(squares) / count + p.eps);
  let shift = centred * total(gradients) / count;
  let along = total(products) / count * scale * scale;
  for (var j = 0u; j < length; j++) {
    let d = x[first + j] - mean;
    out[first + j] = scale * (upstream[first + j] * gain[j] - shift - d * along);
  }
}
