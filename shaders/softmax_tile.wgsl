// One tile of a softmax over a vocabulary, a row a thread: running maximum, sum of exponentials, and the target's logit
// (Milakov and Gimelshein, 2018).
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
  let before = state[id.x * 3u];
  var largest = before;
  for (var j = 0u; j < p.cols; j++) {
    largest = max(largest, logits[first + j]);
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
  state[id.x * 3u] = largest;
  state[id.x * 3u + 1u] = state[id.x * 3u + 1u] * exp(before - largest) + sum;
  let target_id = targets[p.row0 + id.x];
  if (target_id >= p.first && target_id - p.first < p.cols) {
    state[id.x * 3u + 2u] = logits[first + target_id - p.first];
  }
}
