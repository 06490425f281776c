// Copies of base, each without what one unit adds to it: base - x[:, U] directions[U, :] over the channels U of the unit.
#include "shared/element_{{WIDTH}}.wgsl"
struct Params { rows: u32, length: u32, row0: u32, tokens: u32, unit_size: u32, channels: u32 }
@group(0) @binding(0) var<storage, read> base: array<Element>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> directions: array<Element>;
@group(0) @binding(3) var<storage, read> units: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<Element>;
@group(0) @binding(5) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.length || id.y >= p.rows) {
    return;
  }
  let row = p.row0 + id.y;
  let copy = row / p.tokens;
  let token = row - copy * p.tokens;
  let first = units[copy] * p.unit_size;
  var removed = Element();
  for (var channel = first; channel < first + p.unit_size; channel++) {
    removed += x[token * p.channels + channel] * directions[channel * p.length + id.x];
  }
  out[id.y * p.length + id.x] = base[token * p.length + id.x] - removed;
}
