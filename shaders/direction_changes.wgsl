// Change of the direction of some rows in every copy of a state, a row a thread. With d = r - reference and
// |r|^2 = |reference|^2 (1 + q), q = d . (r + reference) / |reference|^2, nothing cancels where the change is small.
#include "shared/element_{{WIDTH}}.wgsl"
struct Params { rows: u32, length: u32, row0: u32, count: u32, tokens: u32 }
@group(0) @binding(0) var<storage, read> states: array<Element>;
@group(0) @binding(1) var<storage, read> places: array<u32>;
@group(0) @binding(2) var<storage, read> own_rows: array<Element>;
@group(0) @binding(3) var<storage, read_write> out: array<Element>;
@group(0) @binding(4) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.rows) {
    return;
  }
  let row = p.row0 + id.x;
  let copy = row / p.count;
  let place = row - copy * p.count;
  let moved = (copy * p.tokens + places[place]) * p.length;
  let own = place * p.length;
  var squares = Element();
  var growth = Element();
  for (var j = 0u; j < p.length; j++) {
    let was = own_rows[own + j];
    let now = states[moved + j];
    squares += was * was;
    growth += (now - was) * (now + was);
  }
  let square = max(total(squares), 1e-20);
  let q = total(growth) / square;
  let root = sqrt(max(1.0 + q, 1e-12));
  let old_scale = 1.0 / sqrt(square);
  let new_scale = old_scale / root;
  // 1 / root - 1.
  let shrink = -q / (root * (1.0 + root));
  for (var j = 0u; j < p.length; j++) {
    let was = own_rows[own + j];
    out[id.x * p.length + j] = (states[moved + j] - was) * new_scale + was * (old_scale * shrink);
  }
}
