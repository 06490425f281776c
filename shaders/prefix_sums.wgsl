// What the outputs of a row lose while its weights go one after another: a workgroup a row, a token (or four) a thread. With y the
// row's output and l the part of it that the weights so far made, <y, l> and |l|^2 are small where little has gone, so that nothing
// cancels. At the last point l is y.
#include "shared/element_{{WIDTH}}.wgsl"
struct Params { rows: u32, inputs: u32, length: u32, step: u32, points: u32 }
@group(0) @binding(0) var<storage, read> weight: array<f32>;
@group(0) @binding(1) var<storage, read> order: array<u32>;
@group(0) @binding(2) var<storage, read> tokens: array<Element>;
@group(0) @binding(3) var<storage, read> outputs: array<Element>;
@group(0) @binding(4) var<storage, read_write> sums: array<vec2<f32>>;
@group(0) @binding(5) var<uniform> p: Params;

const LANES = 64u;
// Points whose sums are taken together: three sums in a row would cost as many barriers for each of them.
const BATCH = 16u;
// One more than the lanes, so that threads that read the same lane of different points do not wait for each other.
const STRIDE = 65u;
var<workgroup> parts: array<vec2<f32>, 1040>;
var<workgroup> quarters: array<vec2<f32>, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = group.x;
  for (var first = 0u; first < p.length; first += LANES) {
    let place = min(first + lane, p.length - 1u);
    // Threads beyond the last token add nothing.
    let counts = select(0.0, 1.0, first + lane < p.length);
    let own = counts * outputs[row * p.length + place];
    var lost = Element();
    for (var batch = 0u; batch < p.points; batch += BATCH) {
      let count = min(BATCH, p.points - batch);
      for (var i = 0u; i < count; i++) {
        let point = batch + i;
        let end = min((point + 1u) * p.step, p.inputs);
        for (var next = point * p.step; next < end; next++) {
          let input = order[row * p.inputs + next];
          lost += weight[row * p.inputs + input] * tokens[input * p.length + place];
        }
        if (point + 1u == p.points) {
          lost = own;
        }
        parts[i * STRIDE + lane] = counts * vec2<f32>(total(own * lost), total(lost * lost));
      }
      workgroupBarrier();
      // Four threads a point, which add up a quarter of the lanes each.
      let point = lane % BATCH;
      let quarter = lane / BATCH * BATCH;
      var sum = vec2<f32>();
      if (point < count) {
        for (var t = 0u; t < BATCH; t++) {
          sum += parts[point * STRIDE + quarter + t];
        }
      }
      quarters[lane] = sum;
      workgroupBarrier();
      if (lane < count) {
        let all = (quarters[lane] + quarters[lane + 16u]) + (quarters[lane + 32u] + quarters[lane + 48u]);
        let at = row * p.points + batch + lane;
        sums[at] = select(sums[at], vec2<f32>(), first == 0u) + all;
      }
    }
  }
}
