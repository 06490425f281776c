// Squared change of the similarity matrix of some rows in every copy, for GPUs: a tile of 64 x 64 entries a workgroup, 4 x 4 a thread.
// With the changes d of the rows a and m = a + d / 2, entry (i, j) changes by m_i . d_j + d_i . m_j. Tiles above the diagonal
// stand for those below it too.
struct Params { rows: u32, cols: u32, copy0: u32, parts: u32, tiles: u32 }
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> changes: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
@group(0) @binding(3) var<uniform> p: Params;

// Columns at a time, and quadruples of rows of a tile.
const DEPTH = 8u;
const QUADS = 16u;
// Column by column, in quadruples of rows; first those of the rows of the tile, then those of its columns. A quadruple's place is
// swapped about by column, so that threads that store at once meet different banks.
var<workgroup> middles: array<vec4<f32>, 256>;
var<workgroup> moves: array<vec4<f32>, 256>;
var<workgroup> shared_sums: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let copy = p.copy0 + group.y;
  var tile_i = 0u;
  var tile_j = group.x;
  while (tile_j >= p.tiles - tile_i) {
    tile_j -= p.tiles - tile_i;
    tile_i++;
  }
  tile_j += tile_i;
  let x = thread % QUADS;
  let y = thread / QUADS;
  // Half of the threads fetch for the rows, the others for the columns: one column of four rows each.
  let side = thread / 128u;
  let step = thread % DEPTH;
  let quad = thread % 128u / DEPTH;
  let row = select(tile_j, tile_i, side == 0u) * 64u + quad * 4u;
  let stored = side * 128u + step * QUADS + (quad ^ step);
  var e0 = vec4<f32>();
  var e1 = vec4<f32>();
  var e2 = vec4<f32>();
  var e3 = vec4<f32>();
  for (var start = 0u; start < p.cols; start += DEPTH) {
    let k = start + step;
    var own = vec4<f32>();
    var shift = vec4<f32>();
#for R 0..4
    if (k < p.cols && row + {{R}}u < p.rows) {
      own[{{R}}] = a[(row + {{R}}u) * p.cols + k];
      shift[{{R}}] = changes[(copy * p.rows + row + {{R}}u) * p.cols + k];
    }
#end
    middles[stored] = own + 0.5 * shift;
    moves[stored] = shift;
    workgroupBarrier();
#for K 0..8
    {
      let middle_i = middles[{{K}}u * QUADS + (y ^ {{K}}u)];
      let shifti = moves[{{K}}u * QUADS + (y ^ {{K}}u)];
      let middle_j = middles[128u + {{K}}u * QUADS + (x ^ {{K}}u)];
      let shiftj = moves[128u + {{K}}u * QUADS + (x ^ {{K}}u)];
      e0 += middle_i.x * shiftj + shifti.x * middle_j;
      e1 += middle_i.y * shiftj + shifti.y * middle_j;
      e2 += middle_i.z * shiftj + shifti.z * middle_j;
      e3 += middle_i.w * shiftj + shifti.w * middle_j;
    }
#end
    workgroupBarrier();
  }
  shared_sums[thread] = dot(e0, e0) + dot(e1, e1) + dot(e2, e2) + dot(e3, e3);
  for (var half = 128u; half > 0u; half >>= 1u) {
    workgroupBarrier();
    if (thread < half) {
      shared_sums[thread] += shared_sums[thread + half];
    }
  }
  if (thread == 0u) {
    sums[copy * p.parts + group.x] = select(2.0, 1.0, tile_i == tile_j) * shared_sums[0];
  }
}
