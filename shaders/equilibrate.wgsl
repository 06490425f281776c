// scale[i] = 1 / sqrt(a[i, i]): with it the matrix gets a unit diagonal, which takes large features off the condition number.
struct Params { rows: u32, padded: u32 }
@group(0) @binding(0) var<storage, read> a: array<f32>;
// Row 0: the scales; row 1: the diagonal.
@group(0) @binding(1) var<storage, read_write> scale: array<f32>;
@group(0) @binding(2) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.padded) {
    return;
  }
  var diagonal = 1.0;
  if (id.x < p.rows) {
    diagonal = a[id.x * p.rows + id.x];
  }
  // A diagonal that is not positive stays as it is; the factorisation flags it.
  scale[id.x] = select(1.0, 1.0 / sqrt(diagonal), diagonal > 0.0);
  scale[p.padded + id.x] = diagonal;
}
