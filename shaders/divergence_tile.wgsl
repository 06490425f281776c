// One tile of KL(p || q), a row a thread.
struct Params { rows: u32, cols: u32 }
@group(0) @binding(0) var<storage, read> p_logits: array<f32>;
@group(0) @binding(1) var<storage, read> q_logits: array<f32>;
@group(0) @binding(2) var<storage, read> p_norms: array<f32>;
@group(0) @binding(3) var<storage, read> q_norms: array<f32>;
@group(0) @binding(4) var<storage, read_write> sums: array<f32>;
@group(0) @binding(5) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.rows) {
    return;
  }
  let first = id.x * p.cols;
  var sum = 0.0;
  for (var start = 0u; start < p.cols; start += 256u) {
    var part = 0.0;
    for (var j = first + start; j < first + min(start + 256u, p.cols); j++) {
      let ln_p = p_logits[j] - p_norms[id.x];
      part += exp(ln_p) * (ln_p - (q_logits[j] - q_norms[id.x]));
    }
    sum += part;
  }
  sums[id.x] += sum;
}
