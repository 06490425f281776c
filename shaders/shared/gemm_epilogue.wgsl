// What happens to a sum before it is stored.
fn wanted(i: u32, j: u32) -> bool {
  let inside = i < p.m && j < p.n;
  let distance = i32(j) + p.shift - i32(i);
  return inside && ((p.flags & UPPER) == 0u || distance >= 0);
}

fn put(i: u32, j: u32, sum: f32) {
  if (!wanted(i, j)) {
    return;
  }
  let at = p.c0 + i * p.ldc + j;
  var value = p.alpha * sum;
  if ((p.flags & ACCUMULATE) != 0u) {
    value += c[at];
  }
  if ((p.flags & BIAS) != 0u) {
    value += bias[p.bias0 + j];
  }
  if (p.activation != 0u) {
    value = activate(value, p.activation);
  }
  c[at] = value;
  if ((p.flags & MIRROR) != 0u) {
    c[p.mirror0 + j * p.ldc + i] = value;
  }
}

fn put_row(i: u32, j: u32, sums: vec4<f32>) {
  put(i, j, sums.x);
  put(i, j + 1u, sums.y);
  put(i, j + 2u, sums.z);
  put(i, j + 3u, sums.w);
}

// Whether a tile of `rows` by `cols` elements at (i, j) has anything to compute.
fn has_work(i: u32, j: u32, rows: i32, cols: i32) -> bool {
  let distance = i32(j) + p.shift - i32(i);
  let below = (p.flags & UPPER) != 0u && distance + cols <= 0;
  let above = (p.flags & LOWER) != 0u && distance >= rows;
  return i < p.m && j < p.n && !below && !above;
}
