// An operand whose rows are the steps of k. Four columns past the end are whatever follows; they are never stored.
fn {{NAME}}_start(i: u32) -> vec4<u32> {
  return p.{{NAME}}0 + vec4<u32>(0u, 1u, 2u, 3u) * p.ld{{NAME}} + i;
}

// Element [t][r] is the operand at column r of four, and at row k + t.
fn {{NAME}}_block(start: vec4<u32>, k: u32) -> mat4x4<f32> {
  let rows = start + k * p.ld{{NAME}};
  return mat4x4<f32>({{NAME}}_four(rows.x), {{NAME}}_four(rows.y), {{NAME}}_four(rows.z), {{NAME}}_four(rows.w));
}

fn {{NAME}}_slice(start: vec4<u32>, k: u32) -> vec4<f32> {
  return {{NAME}}_four(start.x + k * p.ld{{NAME}});
}

// Quadruple and step of k that a thread fetches: neighbours go along the row, as memory does.
fn {{NAME}}_place(thread: u32, quads: u32) -> vec2<u32> {
  return vec2<u32>(thread % quads, thread / quads);
}
