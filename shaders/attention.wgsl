// Scaled dot-product attention of packed sequences: a query row of one head a thread, softmax in one pass over the keys
// (Milakov and Gimelshein, 2018). Threads of a workgroup read the same keys, so those come from the cache.
#include "shared/element_{{WIDTH}}.wgsl"
// Elements of a head, each in a register of its own.
const LENGTH = {{LENGTH}}u;
struct Params { rows: u32, row0: u32, key0: u32, heads: u32, kv_heads: u32, causal: u32, scale: f32 }
@group(0) @binding(0) var<storage, read> q: array<Element>;
@group(0) @binding(1) var<storage, read> keys: array<Element>;
@group(0) @binding(2) var<storage, read> values: array<Element>;
// First row and end of the sequence that each row belongs to.
@group(0) @binding(3) var<storage, read> bounds: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read_write> out: array<Element>;
@group(0) @binding(5) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let head = id.y;
  if (id.x >= p.rows) {
    return;
  }
  let row = p.row0 + id.x;
  let mine = (id.x * p.heads + head) * LENGTH;
  let kv_head = head / (p.heads / p.kv_heads);
#for D 0..{{LENGTH}}
  let query{{D}} = q[mine + {{D}}u] * p.scale;
  var sum{{D}} = Element();
#end
  let bound = bounds[row];
  let end = select(bound.y, min(bound.y, row + 1u), p.causal != 0u);
  var largest = -1e30;
  var weight = 0.0;
  for (var key = bound.x; key < end; key++) {
    let at = ((key - p.key0) * p.kv_heads + kv_head) * LENGTH;
    var product = Element();
#for D 0..{{LENGTH}}
    product += query{{D}} * keys[at + {{D}}u];
#end
    let score = total(product);
    if (score > largest) {
      // Rare after the first few keys.
      let shrink = exp(largest - score);
      largest = score;
      weight *= shrink;
#for D 0..{{LENGTH}}
      sum{{D}} *= shrink;
#end
    }
    let share = exp(score - largest);
    weight += share;
#for D 0..{{LENGTH}}
    sum{{D}} += share * values[at + {{D}}u];
#end
  }
#for D 0..{{LENGTH}}
  out[mine + {{D}}u] = sum{{D}} / weight;
#end
}
