// sums += the partial sums, in a fixed order.
struct Params { chunks: u32, length: u32 }
@group(0) @binding(0) var<storage, read> partial: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
@group(0) @binding(2) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.length) {
    return;
  }
  var sum = 0.0;
  for (var chunk = 0u; chunk < p.chunks; chunk++) {
    sum += partial[chunk * p.length + id.x];
  }
  sums[id.x] += sum;
}
