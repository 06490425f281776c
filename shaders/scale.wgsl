// out[i, j] = scale[i] * a[i, j] (* scale[j]), with rows and columns of padding: zeros, or the unit matrix.
struct Params { rows: u32, cols: u32, a_rows: u32, a_cols: u32, a_stride: u32, both: u32, row0: u32 }
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> scale: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.cols || id.y >= p.rows) {
    return;
  }
  let i = p.row0 + id.y;
  let j = id.x;
  var value = select(0.0, 1.0, p.both != 0u && i == j);
  if (i < p.a_rows && j < p.a_cols) {
    value = a[id.y * p.a_stride + j] * scale[i];
    if (p.both != 0u) {
      value *= scale[j];
    }
  }
  out[id.y * p.cols + j] = value;
}
