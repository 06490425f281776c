// What prefix_sums computes, for software adapters, without barriers: a row a thread, sixteen tokens (or four) at a time.
#include "shared/element_{{WIDTH}}.wgsl"
struct Params { rows: u32, inputs: u32, length: u32, step: u32, points: u32 }
@group(0) @binding(0) var<storage, read> weight: array<f32>;
@group(0) @binding(1) var<storage, read> order: array<u32>;
@group(0) @binding(2) var<storage, read> tokens: array<Element>;
@group(0) @binding(3) var<storage, read> outputs: array<Element>;
@group(0) @binding(4) var<storage, read_write> sums: array<vec2<f32>>;
@group(0) @binding(5) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let row = id.x;
  if (row >= p.rows) {
    return;
  }
  for (var first = 0u; first < p.length; first += 4u) {
#for T 0..4
    let place{{T}} = min(first + {{T}}u, p.length - 1u);
    let counts{{T}} = select(0.0, 1.0, first + {{T}}u < p.length);
    let own{{T}} = counts{{T}} * outputs[row * p.length + place{{T}}];
    var lost{{T}} = Element();
#end
    for (var point = 0u; point < p.points; point++) {
      let end = min((point + 1u) * p.step, p.inputs);
      for (var next = point * p.step; next < end; next++) {
        let input = order[row * p.inputs + next];
        let value = weight[row * p.inputs + input];
        let token = input * p.length;
#for T 0..4
        lost{{T}} += value * tokens[token + place{{T}}];
#end
      }
      var sum = vec2<f32>();
#for T 0..4
      if (point + 1u == p.points) {
        lost{{T}} = own{{T}};
      }
      sum += counts{{T}} * vec2<f32>(total(own{{T}} * lost{{T}}), total(lost{{T}} * lost{{T}}));
#end
      let at = row * p.points + point;
      sums[at] = select(sums[at], vec2<f32>(), first == 0u) + sum;
    }
  }
}
