// out[i, j] = a[rows[i], cols[j]], where a list that is not there means all.
struct Params { rows: u32, cols: u32, row0: u32, stride: u32, has_rows: u32, has_cols: u32 }
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> row_list: array<u32>;
@group(0) @binding(2) var<storage, read> col_list: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.cols || id.y >= p.rows) {
    return;
  }
  var row = id.y;
  var col = id.x;
  if (p.has_rows != 0u) {
    row = row_list[p.row0 + id.y];
  }
  if (p.has_cols != 0u) {
    col = col_list[id.x];
  }
  out[id.y * p.cols + id.x] = a[row * p.stride + col];
}
