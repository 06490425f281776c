// Rotary positions: a pair of channels (j, j + half) of one head a thread.
struct Params { pairs: u32, half: u32, row0: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
// Cosine and sine of each distinct position and pair.
@group(0) @binding(1) var<storage, read> turns: array<vec2<f32>>;
// Which of the distinct positions each row has.
@group(0) @binding(2) var<storage, read> places: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.pairs) {
    return;
  }
  let head = id.x / p.half;
  let pair = id.x % p.half;
  let a = id.y * 2u * p.pairs + head * 2u * p.half + pair;
  let b = a + p.half;
  let turn = turns[places[p.row0 + id.y] * p.half + pair];
  out[a] = x[a] * turn.x - x[b] * turn.y;
  out[b] = x[b] * turn.x + x[a] * turn.y;
}
