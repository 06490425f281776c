// One tile of a softmax over a vocabulary, a row a thread: running maximum and the first column that has it, sum of exponentials, and the
// target's logit (Milakov and Gimelshein, 2018).
struct Params { rows: u32, cols: u32, first: u32, row0: u32 }
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read_write> state: array<f32>;
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.rows) {
    return;
  }
  let first = id.x * p.cols;
  let mine = id.x * 4u;
  let before = state[mine];
  var largest = before;
  // Columns below 2^24 are whole numbers in f32.
  var place = state[mine + 3u];
  for (var j = 0u; j < p.cols; j++) {
    let logit = logits[first + j];
    if (logit > largest) {
      largest = logit;
      place = f32(p.first + j);
    }
  }
  // Short partial sums, so that small terms are not lost in a large total.
  var sum = 0.0;
  for (var start = 0u; start < p.cols; start += 256u) {
    var part = 0.0;
    for (var j = start; j < min(start + 256u, p.cols); j++) {
      part += exp(logits[first + j] - largest);
    }
    sum += part;
  }
  state[mine] = largest;
  state[mine + 1u] = state[mine + 1u] * exp(before - largest) + sum;
  state[mine + 3u] = place;
  let target_id = targets[p.row0 + id.x];
  if (target_id >= p.first && target_id - p.first < p.cols) {
    state[mine + 2u] = logits[first + target_id - p.first];
  }
}
