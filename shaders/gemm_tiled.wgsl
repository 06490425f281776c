// Matrix product for GPUs: tiles of A and B in workgroup memory, {{QUADS}} x 4 rows by {{COLS}} x 4 columns of outputs a thread
// in registers, 16 x 16 threads. Tiles are stored k by k in quadruples of rows or columns; a quadruple's place is swapped
// about by k, so that the eight threads that store at once meet eight different banks. The next tiles are fetched while
// the present ones are multiplied.
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

// Products a tile, and quadruples of rows and of columns.
const DEPTH = 16u;
const QUADS_A = {{QUADS}}u * 16u;
const QUADS_B = {{COLS}}u * 16u;
// Every thread below these fetches one block of 4 x 4.
const FETCH_A = QUADS_A * 4u;
const FETCH_B = QUADS_B * 4u;

var<workgroup> tile_a: array<vec4<f32>, QUADS_A * DEPTH>;
var<workgroup> tile_b: array<vec4<f32>, QUADS_B * DEPTH>;

#include "shared/fetch.wgsl" NAME=a
#include "shared/fetch.wgsl" NAME=b

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let i0 = group.y * QUADS_A * 4u;
  let j0 = group.x * QUADS_B * 4u;
  if (!has_work(i0, j0, i32(QUADS_A * 4u), i32(QUADS_B * 4u))) {
    return;
  }
  let x = thread % 16u;
  let y = thread / 16u;
  // The first threads fetch A, the next ones B.
  let for_a = thread < FETCH_A;
  let for_b = !for_a && thread < FETCH_A + FETCH_B;
  let place = select(b_place(thread - FETCH_A, QUADS_B), a_place(thread, QUADS_A), for_a);
  let quad = place.x;
  let step = place.y;
  let first = select(b_start(j0 + quad * 4u), a_start(i0 + quad * 4u), vec4<bool>(for_a));
  let stored = quad ^ (step * 2u);
#for Q 0..{{QUADS}}
#for C 0..{{COLS}}
  var x{{Q}}{{C}} = vec4<f32>();
  var y{{Q}}{{C}} = vec4<f32>();
  var z{{Q}}{{C}} = vec4<f32>();
  var w{{Q}}{{C}} = vec4<f32>();
#end
#end
  var next = mat4x4<f32>();
  if (for_a) {
    next = a_fetch(first, step * 4u);
  } else if (for_b) {
    next = b_fetch(first, step * 4u);
  }
  for (var k = 0u; k < p.k; k += DEPTH) {
    if (for_a) {
#for T 0..4
      tile_a[(step * 4u + {{T}}u) * QUADS_A + stored] = next[{{T}}];
#end
    } else if (for_b) {
#for T 0..4
      tile_b[(step * 4u + {{T}}u) * QUADS_B + stored] = next[{{T}}];
#end
    }
    workgroupBarrier();
    let ahead = k + DEPTH + step * 4u;
    if (for_a) {
      next = a_fetch(first, ahead);
    } else if (for_b) {
      next = b_fetch(first, ahead);
    }
#for S 0..4
#for T 0..4
    {
#for C 0..{{COLS}}
      let b{{C}} = tile_b[({{S}}u * 4u + {{T}}u) * QUADS_B + ((x + {{C}}u * 16u) ^ ({{S}}u * 2u))];
#end
#for Q 0..{{QUADS}}
      let a{{Q}} = tile_a[({{S}}u * 4u + {{T}}u) * QUADS_A + ((y * {{QUADS}}u + {{Q}}u) ^ ({{S}}u * 2u))];
#for C 0..{{COLS}}
      x{{Q}}{{C}} = fma(vec4<f32>(a{{Q}}.x), b{{C}}, x{{Q}}{{C}});
      y{{Q}}{{C}} = fma(vec4<f32>(a{{Q}}.y), b{{C}}, y{{Q}}{{C}});
      z{{Q}}{{C}} = fma(vec4<f32>(a{{Q}}.z), b{{C}}, z{{Q}}{{C}});
      w{{Q}}{{C}} = fma(vec4<f32>(a{{Q}}.w), b{{C}}, w{{Q}}{{C}});
#end
#end
    }
#end
#end
    workgroupBarrier();
  }
  // A loop over the rows keeps the epilogue's code short; the copy keeps the sums in registers until here.
#for Q 0..{{QUADS}}
#for C 0..{{COLS}}
  {
    var rows = array<vec4<f32>, 4>(x{{Q}}{{C}}, y{{Q}}{{C}}, z{{Q}}{{C}}, w{{Q}}{{C}});
    for (var r = 0u; r < 4u; r++) {
      put_row(i0 + (y * {{QUADS}}u + {{Q}}u) * 4u + r, j0 + (x + {{C}}u * 16u) * 4u, rows[r]);
    }
  }
#end
#end
}
