// to[i, j] = from[i, j] for blocks inside larger matrices.
struct Params { rows: u32, cols: u32, from0: u32, from_stride: u32, to0: u32, to_stride: u32 }
@group(0) @binding(0) var<storage, read> from_block: array<f32>;
@group(0) @binding(1) var<storage, read_write> to_block: array<f32>;
@group(0) @binding(2) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < p.cols && id.y < p.rows) {
    to_block[p.to0 + id.y * p.to_stride + id.x] = from_block[p.from0 + id.y * p.from_stride + id.x];
  }
}
