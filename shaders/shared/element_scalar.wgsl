// One element at a time, for odd row lengths.
alias Element = f32;
const WIDTH = 1u;

fn total(v: Element) -> f32 {
  return v;
}
