// Gradients of attention with respect to keys and values: a key row of one key/value head a thread, over the queries that see it.
#include "shared/element_{{WIDTH}}.wgsl"
// Elements of a head; each sum in a register of its own.
const LENGTH = {{LENGTH}}u;
struct Params { rows: u32, row0: u32, query0: u32, heads: u32, kv_heads: u32, causal: u32, scale: f32 }
@group(0) @binding(0) var<storage, read> q: array<Element>;
@group(0) @binding(1) var<storage, read> keys: array<Element>;
@group(0) @binding(2) var<storage, read> values: array<Element>;
// First row and end of the sequence that each row belongs to.
@group(0) @binding(3) var<storage, read> bounds: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read> upstream: array<Element>;
// What attention_backward_queries left of each query row and head.
@group(0) @binding(5) var<storage, read> traces: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read_write> out_keys: array<Element>;
@group(0) @binding(7) var<storage, read_write> out_values: array<Element>;
@group(0) @binding(8) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let kv_head = id.y;
  if (id.x >= p.rows) {
    return;
  }
  let row = p.row0 + id.x;
  let mine = (id.x * p.kv_heads + kv_head) * LENGTH;
  let group = p.heads / p.kv_heads;
  let bound = bounds[row];
  let begin = select(bound.x, row, p.causal != 0u);
#for D 0..{{LENGTH}}
  var key{{D}} = Element();
  var value{{D}} = Element();
#end
  for (var query = begin; query < bound.y; query++) {
    for (var member = 0u; member < group; member++) {
      let place = (query - p.query0) * p.heads + kv_head * group + member;
      let at = place * LENGTH;
      var product = Element();
      var change = Element();
#for D 0..{{LENGTH}}
      product += q[at + {{D}}u] * keys[mine + {{D}}u];
      change += upstream[at + {{D}}u] * values[mine + {{D}}u];
#end
      let trace = traces[place];
      let probability = exp(total(product) * p.scale - trace.x);
      let share = probability * (total(change) - trace.y) * p.scale;
#for D 0..{{LENGTH}}
      key{{D}} += share * q[at + {{D}}u];
      value{{D}} += probability * upstream[at + {{D}}u];
#end
    }
  }
#for D 0..{{LENGTH}}
  out_keys[mine + {{D}}u] = key{{D}};
  out_values[mine + {{D}}u] = value{{D}};
#end
}
