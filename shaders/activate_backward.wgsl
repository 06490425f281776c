// out = upstream * activation'(x), an element a thread.
struct Params { count: u32, per_row: u32, kind: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> upstream: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> p: Params;
#include "shared/activation.wgsl"

// Far out every slope is 0 or 1, and powers of x would overflow.
fn slope(far_x: f32, kind: u32) -> f32 {
  let x = clamp(far_x, -30.0, 30.0);
  switch kind {
    case 1u: { return 0.5 * (1.0 + erf_approximate(x * 0.70710678)) + x * 0.39894228 * exp(-0.5 * x * x); }
    case 2u: {
      let t = tanh_safe(0.79788456 * x * (1.0 + 0.044715 * x * x));
      return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * 0.79788456 * (1.0 + 0.134145 * x * x);
    }
    case 3u: { return select(0.0, 1.0, x > 0.0); }
    case 4u: {
      let sigmoid = 1.0 / (1.0 + exp(-x));
      return sigmoid * (1.0 + x * (1.0 - sigmoid));
    }
    case 5u: {
      let t = tanh_safe(x);
      return 1.0 - t * t;
    }
    default: { return 1.0; }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = id.y * p.per_row + id.x;
  if (id.x < p.per_row && i < p.count) {
    out[i] = upstream[i] * slope(x[i], p.kind);
  }
}
