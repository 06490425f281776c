// Squared change of the similarity matrix of some rows in every copy, for software adapters: four rows of the matrix a thread,
// from the diagonal on; what lies right of the diagonal block counts twice. See similarity_tiled.wgsl.
struct Params { rows: u32, cols: u32, copy0: u32, parts: u32 }
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> changes: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
@group(0) @binding(3) var<uniform> p: Params;

// Column k of four rows of a matrix, zeros beyond its end.
fn a_quad(row: u32, k: u32) -> vec4<f32> {
  var quad = vec4<f32>();
  for (var r = 0u; r < min(4u, p.rows - row); r++) {
    quad[r] = a[(row + r) * p.cols + k];
  }
  return quad;
}

fn change_quad(first: u32, row: u32, k: u32) -> vec4<f32> {
  var quad = vec4<f32>();
  for (var r = 0u; r < min(4u, p.rows - row); r++) {
    quad[r] = changes[(first + row + r) * p.cols + k];
  }
  return quad;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = id.x * 4u;
  if (i >= p.rows) {
    return;
  }
  let copy = p.copy0 + id.y;
  let first = copy * p.rows;
  var sum = 0.0;
  for (var j = i; j < p.rows; j += 4u) {
    var x = vec4<f32>();
    var y = vec4<f32>();
    var z = vec4<f32>();
    var w = vec4<f32>();
    for (var k = 0u; k < p.cols; k++) {
      let change_i = change_quad(first, i, k);
      let middle_i = a_quad(i, k) + 0.5 * change_i;
      let change_j = change_quad(first, j, k);
      let middle_j = a_quad(j, k) + 0.5 * change_j;
      x += middle_i.x * change_j + change_i.x * middle_j;
      y += middle_i.y * change_j + change_i.y * middle_j;
      z += middle_i.z * change_j + change_i.z * middle_j;
      w += middle_i.w * change_j + change_i.w * middle_j;
    }
    sum += select(2.0, 1.0, i == j) * (dot(x, x) + dot(y, y) + dot(z, z) + dot(w, w));
  }
  sums[copy * p.parts + id.x] = sum;
}
