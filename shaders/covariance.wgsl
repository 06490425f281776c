// out[i, j] = gram[r, c] / count - mean[r] * mean[c] + damp [r = c], for r = rows[i] and c = cols[j].
struct Params { rows: u32, cols: u32, row0: u32, stride: u32, per_count: f32, damp: f32 }
@group(0) @binding(0) var<storage, read> gram: array<f32>;
@group(0) @binding(1) var<storage, read> mean: array<f32>;
@group(0) @binding(2) var<storage, read> row_list: array<u32>;
@group(0) @binding(3) var<storage, read> col_list: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
@group(0) @binding(5) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.cols || id.y >= p.rows) {
    return;
  }
  let r = row_list[p.row0 + id.y];
  let c = col_list[id.x];
  let value = gram[r * p.stride + c] * p.per_count - mean[r] * mean[c];
  out[id.y * p.cols + id.x] = value + select(0.0, p.damp, r == c);
}
