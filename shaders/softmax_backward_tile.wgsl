// One tile of the gradient of the cross-entropy with respect to the logits: weight * (softmax - 1 at the target), an element a thread.
struct Params { cols: u32, first: u32, row0: u32 }
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
// Each row's ln of summed exponentials, and its weight.
@group(0) @binding(2) var<storage, read> rows: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.cols) {
    return;
  }
  let at = id.y * p.cols + id.x;
  let row = rows[id.y];
  let hit = select(0.0, 1.0, targets[p.row0 + id.y] == p.first + id.x);
  out[at] = row.y * (exp(logits[at] - row.x) - hit);
}
