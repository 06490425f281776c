// out[i] = (or +=) table[ids[i]].
struct Params { rows: u32, cols: u32, row0: u32, row_step: u32, col_step: u32, accumulate: u32 }
#include "shared/load_{{TABLE}}.wgsl" NAME=table BINDING=0
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.cols || id.y >= p.rows) {
    return;
  }
  let at = id.y * p.cols + id.x;
  var value = table_one(ids[p.row0 + id.y] * p.row_step + id.x * p.col_step);
  if (p.accumulate != 0u) {
    value += out[at];
  }
  out[at] = value;
}
