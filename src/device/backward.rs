//! Operations of the backward pass: gradients with respect to inputs, never weights. `upstream` is the gradient of the loss with
//! respect to an operation's result, and has its shape.

use super::{Activation, AttentionShape, Device, Segments, Tensor, Weight};
use crate::base::Result;

impl Device {
    /// The gradient of a linear layer (without activation) with respect to its input: upstream W, for upstream [n, out] and
    /// W [out, in].
    pub async fn linear_backward(&self, upstream: &Tensor, weight: &Weight) -> Result<Tensor> {
        forward!(self.linear_backward(upstream, weight))
    }

    /// activation(x), elementwise.
    pub async fn activate(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        forward!(self.activate(x, activation))
    }

    /// upstream * activation'(x), elementwise; the slope of `Relu` at 0 is 0.
    pub async fn activate_backward(&self, x: &Tensor, upstream: &Tensor, activation: Activation) -> Result<Tensor> {
        forward!(self.activate_backward(x, upstream, activation))
    }

    /// The gradient of [`Device::layer_norm`] with respect to its input, which is x: the residual is in it already.
    pub async fn layer_norm_backward(&self, x: &Tensor, gain: &Tensor, upstream: &Tensor, eps: f32) -> Result<Tensor> {
        forward!(self.layer_norm_backward(x, gain, upstream, eps))
    }

    /// The gradient of [`Device::rms_norm`] with respect to its input x.
    pub async fn rms_norm_backward(&self, x: &Tensor, gain: &Tensor, upstream: &Tensor, eps: f32) -> Result<Tensor> {
        forward!(self.rms_norm_backward(x, gain, upstream, eps))
    }

    /// The gradients of [`Device::attention`] with respect to q, k and v, from its result `context`; probabilities are computed
    /// anew. There is no cache: q, k and v have the rows of `segments`.
    pub async fn attention_backward(
        &self,
        inputs: [&Tensor; 3],
        context: &Tensor,
        upstream: &Tensor,
        segments: &Segments,
        shape: AttentionShape,
    ) -> Result<[Tensor; 3]> {
        forward!(self.attention_backward(inputs, context, upstream, segments, shape))
    }

    /// Sums of a * b over the rows of each segment: a and b [n, c] give [segments, c].
    pub async fn segment_dots(&self, a: &Tensor, b: &Tensor, segments: &Segments) -> Result<Tensor> {
        forward!(self.segment_dots(a, b, segments))
    }

    /// One tile of a draw from a softmax over a vocabulary that is too wide to hold. `logits` [n, tile] are the columns
    /// `first..first + tile`, `norms` [n, 1] each row's ln of summed exponentials; `state` [n, 2] begins with a uniform number
    /// from 0 to 1 and 0 in each row, and ends with the column that was drawn in its second place.
    pub async fn sample_tile(&self, logits: &Tensor, first: usize, norms: &Tensor, state: &Tensor) -> Result<()> {
        forward!(self.sample_tile(logits, first, norms, state))
    }

    /// One tile of the gradient of weighted cross-entropies with respect to the logits, [n, tile]: weight (softmax - 1 at the
    /// target). `logits` are the columns `first..first + tile`; `rows` [n, 2] has each row's ln of summed exponentials and weight.
    pub async fn softmax_backward_tile(&self, logits: &Tensor, first: usize, targets: &[u32], rows: &Tensor) -> Result<Tensor> {
        forward!(self.softmax_backward_tile(logits, first, targets, rows))
    }
}
