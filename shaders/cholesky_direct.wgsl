// What cholesky_block computes, for software adapters, in place and without barriers: compiling those takes such adapters
// seconds. Phase 0 factors, in one thread; phase 1 inverts, a column a thread. Apart they also stay below the 65,535 loop
// iterations after which llvmpipe leaves a shader's loops.
const N = 64u;
// Pivots below this are noise of f32, given the unit diagonal.
const TINY = 1e-6;
struct Params { a0: u32, stride: u32, inverse0: u32, pivot0: u32, phase: u32 }
// The block itself becomes L on and below the diagonal, and the inverse, transposed, above it.
@group(0) @binding(0) var<storage, read_write> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> inverse: array<f32>;
@group(0) @binding(2) var<storage, read_write> pivots: array<f32>;
@group(0) @binding(3) var<uniform> p: Params;

fn at(row: u32, col: u32) -> u32 {
  return p.a0 + row * p.stride + col;
}

fn factor() {
  for (var k = 0u; k < N; k++) {
    let pivot = a[at(k, k)];
    pivots[p.pivot0 + k] = pivot;
    // With a pivot that is not positive (or not a number) the result is void, but stays finite; the host sees the pivot.
    let root = sqrt(select(1.0, pivot, pivot > TINY));
    a[at(k, k)] = root;
    for (var r = k + 1u; r < N; r++) {
      let l = a[at(r, k)] / root;
      a[at(r, k)] = l;
      for (var c = k + 1u; c <= r; c++) {
        a[at(r, c)] -= l * a[at(c, k)];
      }
    }
  }
}

// Column r of the inverse solves L x = e_r.
fn invert(r: u32) {
  let first = 1.0 / a[at(r, r)];
  for (var i = 0u; i <= r; i++) {
    inverse[p.inverse0 + i * N + r] = select(0.0, first, i == r);
  }
  for (var i = r + 1u; i < N; i++) {
    var sum = a[at(i, r)] * first;
    for (var t = r + 1u; t < i; t++) {
      sum += a[at(i, t)] * a[at(r, t)];
    }
    let x = -sum / a[at(i, i)];
    a[at(r, i)] = x;
    inverse[p.inverse0 + i * N + r] = x;
  }
}

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) thread: u32) {
  if (p.phase != 0u) {
    invert(thread);
  } else if (thread == 0u) {
    factor();
  }
}
