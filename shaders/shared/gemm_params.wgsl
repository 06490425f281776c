// C = activation(alpha * op(A) op(B) + C + bias): sizes, leading dimensions and first elements.
struct Params {
  m: u32,
  n: u32,
  k: u32,
  lda: u32,
  ldb: u32,
  ldc: u32,
  a0: u32,
  b0: u32,
  c0: u32,
  mirror0: u32,
  bias0: u32,
  flags: u32,
  activation: u32,
  alpha: f32,
  // Column of element (0, 0) minus its row, in the whole of C.
  shift: i32,
}

const ACCUMULATE = 1u;
const BIAS = 2u;
// Only what is on or above the diagonal is wanted.
const UPPER = 4u;
// Only what is on or below the diagonal is wanted.
const LOWER = 8u;
// What is stored is also stored at the mirrored place: after the last chunk of k, the others read one triangle only.
const MIRROR = 16u;
