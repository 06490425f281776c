// Gradient of attention with respect to its queries: a query row of one head a thread, the probabilities computed anew. Also leaves,
// for the gradients of keys and values, each row's ln of summed exponentials and the dot product of context and upstream.
#include "shared/element_{{WIDTH}}.wgsl"
// Elements of a head; each sum in a register of its own.
const LENGTH = {{LENGTH}}u;
struct Params { rows: u32, row0: u32, key0: u32, heads: u32, kv_heads: u32, causal: u32, scale: f32 }
@group(0) @binding(0) var<storage, read> q: array<Element>;
@group(0) @binding(1) var<storage, read> keys: array<Element>;
@group(0) @binding(2) var<storage, read> values: array<Element>;
// First row and end of the sequence that each row belongs to.
@group(0) @binding(3) var<storage, read> bounds: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read> context: array<Element>;
@group(0) @binding(5) var<storage, read> upstream: array<Element>;
@group(0) @binding(6) var<storage, read_write> out: array<Element>;
@group(0) @binding(7) var<storage, read_write> traces: array<vec2<f32>>;
@group(0) @binding(8) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let head = id.y;
  if (id.x >= p.rows) {
    return;
  }
  let row = p.row0 + id.x;
  let mine = (id.x * p.heads + head) * LENGTH;
  let kv_head = head / (p.heads / p.kv_heads);
  let bound = bounds[row];
  let end = select(bound.y, min(bound.y, row + 1u), p.causal != 0u);
  var largest = -1e30;
  var weight = 0.0;
  for (var key = bound.x; key < end; key++) {
    let at = ((key - p.key0) * p.kv_heads + kv_head) * LENGTH;
    var product = Element();
#for D 0..{{LENGTH}}
    product += q[mine + {{D}}u] * keys[at + {{D}}u];
#end
    let score = total(product) * p.scale;
    let top = max(largest, score);
    weight = weight * exp(largest - top) + exp(score - top);
    largest = top;
  }
  let norm = largest + log(weight);
  var along = Element();
#for D 0..{{LENGTH}}
  along += context[mine + {{D}}u] * upstream[mine + {{D}}u];
  var sum{{D}} = Element();
#end
  let mean = total(along);
  for (var key = bound.x; key < end; key++) {
    let at = ((key - p.key0) * p.kv_heads + kv_head) * LENGTH;
    var product = Element();
    var change = Element();
#for D 0..{{LENGTH}}
    product += q[mine + {{D}}u] * keys[at + {{D}}u];
    change += upstream[mine + {{D}}u] * values[at + {{D}}u];
#end
    let share = exp(total(product) * p.scale - norm) * (total(change) - mean) * p.scale;
#for D 0..{{LENGTH}}
    sum{{D}} += share * keys[at + {{D}}u];
#end
  }
#for D 0..{{LENGTH}}
  out[mine + {{D}}u] = sum{{D}};
#end
  traces[id.x * p.heads + head] = vec2<f32>(norm, mean);
}
