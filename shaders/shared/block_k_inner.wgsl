// An operand whose rows run along k. Rows past the end repeat the last one; their results are never stored.
fn {{NAME}}_start(i: u32) -> vec4<u32> {
  let rows = min(vec4<u32>(i, i + 1u, i + 2u, i + 3u), vec4<u32>(p.{{EXTENT}} - 1u));
  return p.{{NAME}}0 + rows * p.ld{{NAME}};
}

// Element [t][r] is the operand at row r of the four that begin at `start`, and at k + t.
fn {{NAME}}_block(start: vec4<u32>, k: u32) -> mat4x4<f32> {
  return transpose(mat4x4<f32>(
    {{NAME}}_four(start.x + k), {{NAME}}_four(start.y + k), {{NAME}}_four(start.z + k), {{NAME}}_four(start.w + k)));
}

fn {{NAME}}_slice(start: vec4<u32>, k: u32) -> vec4<f32> {
  return vec4<f32>({{NAME}}_one(start.x + k), {{NAME}}_one(start.y + k), {{NAME}}_one(start.z + k), {{NAME}}_one(start.w + k));
}

// Quadruple and step of k that a thread fetches: neighbours go along k, as memory does.
fn {{NAME}}_place(thread: u32, quads: u32) -> vec2<u32> {
  return vec2<u32>(thread / 4u, thread % 4u);
}
