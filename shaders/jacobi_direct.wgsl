// What jacobi computes, for software adapters, without barriers: compiling those takes such adapters seconds. A thread a pair.
struct Params { rows: u32, length: u32, players: u32, round: u32 }
@group(0) @binding(0) var<storage, read_write> a: array<f32>;
// Largest |cos| of the angle of each pair so far.
@group(0) @binding(1) var<storage, read_write> worst: array<f32>;
@group(0) @binding(2) var<uniform> p: Params;

// Rows this close to orthogonal are left alone: f32 does not tell.
const NEAR = 1e-7;

fn player(place: u32) -> u32 {
  return select(1u + (place + p.players - 2u + p.round) % (p.players - 1u), 0u, place == 0u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let pair = id.x;
  if (pair >= p.players / 2u) {
    return;
  }
  let one = player(pair);
  let other = player(p.players - 1u - pair);
  let upper = min(one, other) * p.length;
  let lower = max(one, other) * p.length;
  // Of an odd number of rows one has no partner.
  if (max(one, other) >= p.rows) {
    return;
  }
  var total = vec3<f32>();
  for (var i = 0u; i < p.length; i++) {
    let x = a[upper + i];
    let y = a[lower + i];
    total += vec3<f32>(x * x, y * y, x * y);
  }
  let size = sqrt(total.x) * sqrt(total.y);
  let cosine = select(0.0, abs(total.z) / size, size > 0.0);
  worst[pair] = max(worst[pair], cosine);
  if (cosine <= NEAR) {
    return;
  }
  let zeta = (total.y - total.x) / (2.0 * total.z);
  let t = select(-1.0, 1.0, zeta >= 0.0) / (abs(zeta) + sqrt(1.0 + zeta * zeta));
  let c = 1.0 / sqrt(1.0 + t * t);
  let s = c * t;
  for (var i = 0u; i < p.length; i++) {
    let x = a[upper + i];
    let y = a[lower + i];
    a[upper + i] = c * x - s * y;
    a[lower + i] = s * x + c * y;
  }
}
