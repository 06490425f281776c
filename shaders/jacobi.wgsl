// One round of one-sided Jacobi rotations (Hestenes, 1958): every pair of rows of this round is turned so that the two are
// orthogonal. A workgroup a pair; the pairs of a round have no row in common, by the circle method of tournaments: player 0 stays
// and the others move on by one place a round. Rows are not exchanged by their lengths: with this order of pairs that takes
// twice as many sweeps, and more the larger the matrix is.
struct Params { rows: u32, length: u32, players: u32, round: u32 }
@group(0) @binding(0) var<storage, read_write> a: array<f32>;
// Largest |cos| of the angle of each pair so far.
@group(0) @binding(1) var<storage, read_write> worst: array<f32>;
@group(0) @binding(2) var<uniform> p: Params;

const LANES = 64u;
// Rows this close to orthogonal are left alone: f32 does not tell.
const NEAR = 1e-7;
var<workgroup> sums: array<vec3<f32>, 64>;

fn player(place: u32) -> u32 {
  return select(1u + (place + p.players - 2u + p.round) % (p.players - 1u), 0u, place == 0u);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let one = player(group.x);
  let other = player(p.players - 1u - group.x);
  let upper = min(one, other) * p.length;
  let lower = max(one, other) * p.length;
  // Of an odd number of rows one has no partner.
  if (max(one, other) >= p.rows) {
    return;
  }
  var sum = vec3<f32>();
  for (var i = lane; i < p.length; i += LANES) {
    let x = a[upper + i];
    let y = a[lower + i];
    sum += vec3<f32>(x * x, y * y, x * y);
  }
  sums[lane] = sum;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      sums[lane] += sums[lane + half];
    }
  }
  workgroupBarrier();
  let total = sums[0];
  let size = sqrt(total.x) * sqrt(total.y);
  let cosine = select(0.0, abs(total.z) / size, size > 0.0);
  if (lane == 0u) {
    worst[group.x] = max(worst[group.x], cosine);
  }
  if (cosine <= NEAR) {
    return;
  }
  let zeta = (total.y - total.x) / (2.0 * total.z);
  let t = select(-1.0, 1.0, zeta >= 0.0) / (abs(zeta) + sqrt(1.0 + zeta * zeta));
  let c = 1.0 / sqrt(1.0 + t * t);
  let s = c * t;
  for (var i = lane; i < p.length; i += LANES) {
    let x = a[upper + i];
    let y = a[lower + i];
    a[upper + i] = c * x - s * y;
    a[lower + i] = s * x + c * y;
  }
}
