// Matrix product for software adapters: 8 x 4 outputs a thread, straight from memory. Such adapters run the threads of a
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
  let i = id.y * 8u;
  let j = id.x * 4u;
  if (!has_work(i, j, 8, 4)) {
    return;
  }
  let b_first = b_start(j);
#for Q 0..2
  let a_first{{Q}} = a_start(i + {{Q}}u * 4u);
  var x{{Q}} = vec4<f32>();
  var y{{Q}} = vec4<f32>();
  var z{{Q}} = vec4<f32>();
  var w{{Q}} = vec4<f32>();
#end
  let whole = p.k & ~3u;
  for (var k = 0u; k < whole; k += 4u) {
    let b = b_block(b_first, k);
#for Q 0..2
    let a{{Q}} = a_block(a_first{{Q}}, k);
    x{{Q}} += a{{Q}}[0].x * b[0] + a{{Q}}[1].x * b[1] + a{{Q}}[2].x * b[2] + a{{Q}}[3].x * b[3];
    y{{Q}} += a{{Q}}[0].y * b[0] + a{{Q}}[1].y * b[1] + a{{Q}}[2].y * b[2] + a{{Q}}[3].y * b[3];
    z{{Q}} += a{{Q}}[0].z * b[0] + a{{Q}}[1].z * b[1] + a{{Q}}[2].z * b[2] + a{{Q}}[3].z * b[3];
    w{{Q}} += a{{Q}}[0].w * b[0] + a{{Q}}[1].w * b[1] + a{{Q}}[2].w * b[2] + a{{Q}}[3].w * b[3];
#end
  }
  for (var k = whole; k < p.k; k++) {
    let b = b_slice(b_first, k);
#for Q 0..2
    let a{{Q}} = a_slice(a_first{{Q}}, k);
    x{{Q}} += a{{Q}}.x * b;
    y{{Q}} += a{{Q}}.y * b;
    z{{Q}} += a{{Q}}.z * b;
    w{{Q}} += a{{Q}}.w * b;
#end
  }
  var rows = array<vec4<f32>, 8>(x0, y0, z0, w0, x1, y1, z1, w1);
  for (var r = 0u; r < 8u; r++) {
    put_row(i + r, j, rows[r]);
  }
}
