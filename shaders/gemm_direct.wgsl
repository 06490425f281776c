// Matrix product for software adapters: 4 x 4 outputs a thread, straight from memory. Such adapters run the threads of a
// workgroup one after another, so a barrier costs more than the loads that it would save.
#include "shared/gemm_params.wgsl"
#include "shared/load_{{A}}.wgsl" NAME=a BINDING=0
#include "shared/load_{{B}}.wgsl" NAME=b BINDING=1
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<uniform> p: Params;
#include "shared/block_{{A_ORDER}}.wgsl" NAME=a EXTENT=m
#include "shared/block_{{B_ORDER}}.wgsl" NAME=b EXTENT=n
#include "shared/activation.wgsl"
#include "shared/gemm_epilogue.wgsl"

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = id.y * 4u;
  let j = id.x * 4u;
  if (!has_work(i, j, 4, 4)) {
    return;
  }
  let a_first = a_start(i);
  let b_first = b_start(j);
  var r0 = vec4<f32>();
  var r1 = vec4<f32>();
  var r2 = vec4<f32>();
  var r3 = vec4<f32>();
  let whole = p.k & ~3u;
  for (var k = 0u; k < whole; k += 4u) {
    let x = a_block(a_first, k);
    let y = b_block(b_first, k);
    r0 += x[0].x * y[0] + x[1].x * y[1] + x[2].x * y[2] + x[3].x * y[3];
    r1 += x[0].y * y[0] + x[1].y * y[1] + x[2].y * y[2] + x[3].y * y[3];
    r2 += x[0].z * y[0] + x[1].z * y[1] + x[2].z * y[2] + x[3].z * y[3];
    r3 += x[0].w * y[0] + x[1].w * y[1] + x[2].w * y[2] + x[3].w * y[3];
  }
  for (var k = whole; k < p.k; k++) {
    let x = a_slice(a_first, k);
    let y = b_slice(b_first, k);
    r0 += x.x * y;
    r1 += x.y * y;
    r2 += x.z * y;
    r3 += x.w * y;
  }
  put_row(i, j, r0);
  put_row(i + 1u, j, r1);
  put_row(i + 2u, j, r2);
  put_row(i + 3u, j, r3);
}
