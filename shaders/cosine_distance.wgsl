// 1 - cos of the angle between rows of a and b, a row a thread: half the squared distance of the rows brought to length 1, since
// 1 - cos itself cancels in f32 where the rows are nearly parallel.
#include "shared/element_{{WIDTH}}.wgsl"
struct Params { rows: u32, cols: u32 }
@group(0) @binding(0) var<storage, read> a: array<Element>;
@group(0) @binding(1) var<storage, read> b: array<Element>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.rows) {
    return;
  }
  let length = p.cols / WIDTH;
  let first = id.x * length;
  var a_squares = Element();
  var b_squares = Element();
  for (var j = first; j < first + length; j++) {
    a_squares += a[j] * a[j];
    b_squares += b[j] * b[j];
  }
  let lengths = sqrt(vec2<f32>(total(a_squares), total(b_squares)));
  if (lengths.x == 0.0 || lengths.y == 0.0) {
    out[id.x] = 1.0;
    return;
  }
  var apart = Element();
  for (var j = first; j < first + length; j++) {
    let d = a[j] / lengths.x - b[j] / lengths.y;
    apart += d * d;
  }
  out[id.x] = 0.5 * total(apart);
}
