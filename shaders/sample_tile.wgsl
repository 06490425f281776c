// One tile of a draw from a softmax over a vocabulary, a row a thread: the first column at which the summed probabilities exceed
// the row's uniform number. The state holds what is left of that number, and the column.
struct Params { rows: u32, cols: u32, first: u32 }
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> norms: array<f32>;
@group(0) @binding(2) var<storage, read_write> state: array<vec2<f32>>;
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.rows) {
    return;
  }
  let first = id.x * p.cols;
  let norm = norms[id.x];
  var left = state[id.x].x;
  var place = state[id.x].y;
  // Short partial sums, so that small probabilities are not lost; the part in which the sum is exceeded is walked again.
  for (var start = 0u; start < p.cols && left >= 0.0; start += 256u) {
    let end = min(start + 256u, p.cols);
    var part = 0.0;
    for (var j = start; j < end; j++) {
      part += exp(logits[first + j] - norm);
    }
    if (left - part >= 0.0) {
      left -= part;
      place = f32(p.first + end - 1u);
      continue;
    }
    part = 0.0;
    for (var j = start; j < end && left - part >= 0.0; j++) {
      part += exp(logits[first + j] - norm);
      // Columns below 2^24 are whole numbers in f32.
      place = f32(p.first + j);
    }
    left -= part;
  }
  state[id.x] = vec2<f32>(left, place);
}
