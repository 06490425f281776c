// SparseGPT's sweep over some columns of a turned weight matrix, a row (output) a thread, so that neighbours read neighbours. Sixteen
// columns at a time are kept in registers: what the removals to the left of them leave is taken off, then they are swept. R is upper
// triangular: its zeros leave alone what is done. Values past the last column are never stored.
struct Params {
  width: u32,
  outputs: u32,
  // Outputs of this dispatch: the first, and how many.
  first: u32,
  count: u32,
  // R: elements from one row to the next, and the first column.
  stride: u32,
  start: u32,
  // Zeros of a group and its size; without groups the size is 0, and zeros are marked.
  zeros: u32,
  size: u32,
  // Bits of inputs that are always zero.
  dead: vec4<u32>,
}
@group(0) @binding(0) var<storage, read_write> weight: array<f32>;
#include "shared/load_{{R}}.wgsl" NAME=r BINDING=1
@group(0) @binding(2) var<storage, read_write> errors: array<f32>;
// Bit c of the whole number at (i, output) is column 16 i + c.
@group(0) @binding(3) var<storage, read_write> marks: array<f32>;
@group(0) @binding(4) var<uniform> p: Params;

var<private> scores: array<f32, 16>;

// Bits of the smallest scores of the group that begins at `begin`, the first where equal.
fn smallest(begin: u32) -> u32 {
  var bits = 0u;
  for (var i = begin; i < begin + p.size; i++) {
    var before = 0u;
    for (var j = begin; j < begin + p.size; j++) {
      if (scores[j] < scores[i] || (scores[j] == scores[i] && j < i)) {
        before++;
      }
    }
    if (before < p.zeros) {
      bits |= 1u << i;
    }
  }
  return bits;
}

// |error| that a weight leaves when it goes.
fn score(column: u32, value: f32, root: f32) -> f32 {
  let dead = (p.dead[(column >> 5u) & 3u] >> (column & 31u)) & 1u;
  return select(abs(value) / root, 0.0, dead == 1u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.count) {
    return;
  }
  let output = p.first + id.x;
  for (var first = 0u; first < p.width; first += 16u) {
#for Q 0..4
    var w{{Q}} = vec4<f32>();
    var root{{Q}} = vec4<f32>();
#for L 0..4
    {
      let column = min(first + {{Q}}u * 4u + {{L}}u, p.width - 1u);
      w{{Q}}[{{L}}] = weight[column * p.outputs + output];
      root{{Q}}[{{L}}] = r_one(column * p.stride + p.start + column);
    }
#end
#end
    for (var column = 0u; column < first; column++) {
      let error = errors[column * p.outputs + output];
      let row = column * p.stride + p.start + first;
#for Q 0..4
      w{{Q}} -= error * r_four(row + {{Q}}u * 4u);
#end
    }
    let word = first / 16u * p.outputs + output;
    var bits = 0u;
    if (p.size == 0u) {
      bits = u32(marks[word]);
    }
#for Q 0..4
    if (p.size > 0u && ({{Q}}u * 4u) % p.size == 0u) {
#for T 0..4
#for L 0..4
      scores[{{T}}u * 4u + {{L}}u] = score(first + {{T}}u * 4u + {{L}}u, w{{T}}[{{L}}], root{{T}}[{{L}}]);
#end
#end
      bits |= smallest({{Q}}u * 4u);
    }
#for L 0..4
    {
      let column = first + {{Q}}u * 4u + {{L}}u;
      if (column < p.width) {
        let gone = ((bits >> ({{Q}}u * 4u + {{L}}u)) & 1u) == 1u;
        let error = select(0.0, w{{Q}}[{{L}}] / root{{Q}}[{{L}}], gone);
        errors[column * p.outputs + output] = error;
        let row = column * p.stride + p.start + first;
#for T 0..4
        if ({{T}}u >= {{Q}}u) {
          w{{T}} -= error * r_four(row + {{T}}u * 4u);
        }
#end
        w{{Q}}[{{L}}] = select(w{{Q}}[{{L}}], 0.0, gone);
        weight[column * p.outputs + output] = w{{Q}}[{{L}}];
      }
    }
#end
#end
    if (p.size > 0u) {
      marks[word] = f32(bits & ((1u << min(p.width - first, 16u)) - 1u));
    }
  }
}
