// Element-wise functions of a linear layer. The numbers are those of `Activation` on the host.

// Abramowitz and Stegun 7.1.26: absolute error below 1.5e-7 in exact arithmetic.
fn erf_approximate(x: f32) -> f32 {
  let t = 1.0 / (1.0 + 0.3275911 * abs(x));
  let poly = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  let size = min(abs(x), 9.0);
  return sign(x) * (1.0 - poly * exp(-size * size));
}

// The builtin may go through exp(2x) and give NaN for large x. Near 0 the quotient would cancel: a series there.
fn tanh_safe(x: f32) -> f32 {
  let e = exp(-2.0 * min(abs(x), 20.0));
  let far = sign(x) * (1.0 - e) / (1.0 + e);
  let s = x * x;
  let near = x * (1.0 + s * (-0.33333333 + s * (0.13333333 - s * 0.053968254)));
  return select(far, near, abs(x) < 0.15);
}

fn activate(x: f32, kind: u32) -> f32 {
  switch kind {
    case 1u: { return 0.5 * x * (1.0 + erf_approximate(x * 0.70710678)); }
    case 2u: { return 0.5 * x * (1.0 + tanh_safe(0.79788456 * x * (1.0 + 0.044715 * x * x))); }
    case 3u: { return max(x, 0.0); }
    case 4u: { return x / (1.0 + exp(min(-x, 80.0))); }
    case 5u: { return tanh_safe(x); }
    default: { return x; }
  }
}
