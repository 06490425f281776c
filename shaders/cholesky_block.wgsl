// Factors one 64 x 64 diagonal block A = L L^T and inverts L, in one workgroup. Solving with a block is then a matrix
// product with the inverse. The tile fills the 16 KiB of workgroup memory that every device has: L is kept below the
// diagonal and on it, the inverse, transposed, above it.
const N = 64u;
// Pivots below this are noise of f32, given the unit diagonal.
const TINY = 1e-6;
struct Params { a0: u32, stride: u32, inverse0: u32, pivot0: u32 }
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> inverse: array<f32>;
@group(0) @binding(2) var<storage, read_write> pivots: array<f32>;
@group(0) @binding(3) var<uniform> p: Params;

var<workgroup> tile: array<array<f32, 64>, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) r: u32) {
  for (var c = 0u; c < N; c++) {
    tile[c][r] = a[p.a0 + c * p.stride + r];
  }
  for (var k = 0u; k < N; k++) {
    workgroupBarrier();
    let pivot = tile[k][k];
    // With a pivot that is not positive (or not a number) the result is void, but stays finite; the host sees the pivot.
    let root = sqrt(select(1.0, pivot, pivot > TINY));
    let l = tile[r][k] / root;
    workgroupBarrier();
    if (r == k) {
      tile[k][k] = root;
      pivots[p.pivot0 + k] = pivot;
    }
    if (r > k) {
      tile[r][k] = l;
    }
    workgroupBarrier();
    if (r > k) {
      for (var c = k + 1u; c <= r; c++) {
        tile[r][c] -= l * tile[c][k];
      }
    }
  }
  workgroupBarrier();
  // Thread r solves L x = e_r; x is row r of the upper part.
  let first = 1.0 / tile[r][r];
  for (var i = r + 1u; i < N; i++) {
    var sum = tile[i][r] * first;
    for (var t = r + 1u; t < i; t++) {
      sum += tile[i][t] * tile[r][t];
    }
    tile[r][i] = -sum / tile[i][i];
  }
  for (var i = 0u; i < N; i++) {
    inverse[p.inverse0 + i * N + r] = select(select(0.0, first, i == r), tile[r][i], i > r);
  }
}
