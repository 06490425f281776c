// A block of 4 x 4 of an operand for a tile, with zeros past the end of k.
fn {{NAME}}_fetch(first: vec4<u32>, k: u32) -> mat4x4<f32> {
  if (k + 4u <= p.k) {
    return {{NAME}}_block(first, k);
  }
  var block = mat4x4<f32>();
#for T 0..4
  if (k + {{T}}u < p.k) {
    block[{{T}}] = {{NAME}}_slice(first, k + {{T}}u);
  }
#end
  return block;
}
