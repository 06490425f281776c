//! The backward pass through a block: gradients of a loss with respect to its input and to masks on its units, none with respect
//! to weights. What the forward direction computes is computed anew from the block's input (Chen et al., 2016), so that between
//! layers only those inputs are kept.

use super::{Batch, Block, DeviceNorm};
use crate::base::Result;
use crate::device::{Activation, Device, Segments, Tensor};
use crate::model::{NormPlacement, Rotary};

/// Gradients of a loss below one sublayer.
#[derive(Debug, Clone)]
pub struct SublayerGradient {
    /// With respect to the residual stream before the sublayer, [tokens, hidden].
    pub input: Tensor,
    /// With respect to a factor on each channel that the consumer reads, at 1, by sequence: [sequences, channels]. That of a
    /// unit's mask is the sum over its channels.
    pub masks: Tensor,
}

/// Gradients of a loss below a block.
#[derive(Debug, Clone)]
pub struct BlockGradient {
    /// With respect to the block's input, [tokens, hidden].
    pub input: Tensor,
    /// With respect to factors on the channels of attention and of the FFN, in the order of [`crate::model::Unit::ALL`]; see
    /// [`SublayerGradient::masks`].
    pub masks: [Tensor; 2],
}

impl DeviceNorm {
    /// The gradient with respect to the input x.
    pub(in crate::forward) async fn backward(&self, device: &Device, x: &Tensor, upstream: &Tensor) -> Result<Tensor> {
        match self.bias {
            Some(_) => device.layer_norm_backward(x, &self.gain, upstream, self.eps).await,
            None => device.rms_norm_backward(x, &self.gain, upstream, self.eps).await,
        }
    }
}

impl Block {
    /// Gradients below the block, from its input x and the gradient with respect to its output, both [tokens, hidden].
    pub async fn backward(&self, device: &Device, x: &Tensor, upstream: &Tensor, batch: &Batch) -> Result<BlockGradient> {
        let attention = self.trace_attention(device, x, batch).await?;
        let middle = self.after(device, &attention.sum, &self.attention_norm).await?;
        let ffn = self.ffn_backward(device, &middle, upstream, &batch.segments).await?;
        let attention = self.descend_attention(device, x, attention, &ffn.input, batch).await?;
        Ok(BlockGradient { input: attention.input, masks: [attention.masks, ffn.masks] })
    }

    /// Gradients below attention, from the residual stream x before it and the gradient with respect to the stream after it.
    pub async fn attention_backward(&self, device: &Device, x: &Tensor, upstream: &Tensor, batch: &Batch) -> Result<SublayerGradient> {
        let trace = self.trace_attention(device, x, batch).await?;
        self.descend_attention(device, x, trace, upstream, batch).await
    }

    async fn trace_attention(&self, device: &Device, x: &Tensor, batch: &Batch) -> Result<AttentionTrace> {
        let input = self.before(device, x, &self.attention_norm).await?;
        let qkv = self.queries_keys_values(device, &input, &batch.positions).await?;
        let contexts = device.attention(&qkv[0], &qkv[1], &qkv[2], &batch.segments, self.shape).await?;
        let sum = device.add(x, &self.project_contexts(device, &contexts).await?, 1.0).await?;
        Ok(AttentionTrace { qkv, contexts, sum })
    }

    async fn descend_attention(
        &self,
        device: &Device,
        x: &Tensor,
        trace: AttentionTrace,
        upstream: &Tensor,
        batch: &Batch,
    ) -> Result<SublayerGradient> {
        let AttentionTrace { qkv: [q, k, v], contexts, sum } = trace;
        let through = self.after_backward(device, &sum, upstream, &self.attention_norm).await?;
        drop(sum);
        let d_contexts = self.attention_output.backward(device, &through).await?;
        let masks = device.segment_dots(&contexts, &d_contexts, &batch.segments).await?;
        let [mut dq, mut dk, dv] = device.attention_backward([&q, &k, &v], &contexts, &d_contexts, &batch.segments, self.shape).await?;
        if let Some(Rotary { frequencies }) = &self.rotary {
            // The transpose of a turn is the turn back.
            let back: Vec<f32> = frequencies.iter().map(|frequency| -frequency).collect();
            dq = device.rotary(&dq, &batch.positions, &back, self.shape.head_dim).await?;
            dk = device.rotary(&dk, &batch.positions, &back, self.shape.head_dim).await?;
        }
        let mut inner = self.query.backward(device, &dq).await?;
        for (linear, gradient) in [(&self.key, &dk), (&self.value, &dv)] {
            inner = device.add(&inner, &linear.backward(device, gradient).await?, 1.0).await?;
        }
        let inner = self.before_backward(device, x, &inner, &self.attention_norm).await?;
        Ok(SublayerGradient { input: device.add(&through, &inner, 1.0).await?, masks })
    }

    /// Gradients below the FFN, from the residual stream x before it and the gradient with respect to the stream after it.
    pub async fn ffn_backward(&self, device: &Device, x: &Tensor, upstream: &Tensor, segments: &Segments) -> Result<SublayerGradient> {
        let input = self.before(device, x, &self.ffn_norm).await?;
        let up = self.ffn_input.apply(device, &input, Activation::Identity).await?;
        // Of a gated FFN: the gate before its activation, and after.
        let (gates, neurons) = match &self.ffn_gate {
            Some(gate) => {
                let before = gate.apply(device, &input, Activation::Identity).await?;
                let after = device.activate(&before, self.activation).await?;
                let neurons = device.multiply(&after, &up).await?;
                (Some((gate, before, after)), neurons)
            }
            None => (None, device.activate(&up, self.activation).await?),
        };
        drop(input);
        let through = match self.placement {
            NormPlacement::Pre => upstream.clone(),
            NormPlacement::Post => {
                let sum = device.add(x, &self.project_neurons(device, &neurons).await?, 1.0).await?;
                self.after_backward(device, &sum, upstream, &self.ffn_norm).await?
            }
        };
        let d_neurons = self.ffn_output.backward(device, &through).await?;
        let masks = device.segment_dots(&neurons, &d_neurons, segments).await?;
        drop(neurons);
        let inner = match gates {
            Some((gate, before, after)) => {
                let d_up = device.multiply(&d_neurons, &after).await?;
                let d_gate = device.activate_backward(&before, &device.multiply(&d_neurons, &up).await?, self.activation).await?;
                device.add(&self.ffn_input.backward(device, &d_up).await?, &gate.backward(device, &d_gate).await?, 1.0).await?
            }
            None => self.ffn_input.backward(device, &device.activate_backward(&up, &d_neurons, self.activation).await?).await?,
        };
        let inner = self.before_backward(device, x, &inner, &self.ffn_norm).await?;
        Ok(SublayerGradient { input: device.add(&through, &inner, 1.0).await?, masks })
    }

    /// The residual stream after a sublayer, from the residual sum.
    async fn after(&self, device: &Device, sum: &Tensor, norm: &DeviceNorm) -> Result<Tensor> {
        match self.placement {
            NormPlacement::Pre => Ok(sum.clone()),
            NormPlacement::Post => norm.apply(device, sum).await,
        }
    }

    /// The gradient with respect to the residual sum, from that with respect to the stream after the sublayer.
    async fn after_backward(&self, device: &Device, sum: &Tensor, upstream: &Tensor, norm: &DeviceNorm) -> Result<Tensor> {
        match self.placement {
            NormPlacement::Pre => Ok(upstream.clone()),
            NormPlacement::Post => norm.backward(device, sum, upstream).await,
        }
    }

    /// The gradient with respect to the residual stream before a sublayer, from that with respect to the sublayer's input.
    async fn before_backward(&self, device: &Device, x: &Tensor, upstream: &Tensor, norm: &DeviceNorm) -> Result<Tensor> {
        match self.placement {
            NormPlacement::Pre => norm.backward(device, x, upstream).await,
            NormPlacement::Post => Ok(upstream.clone()),
        }
    }
}

/// What attention computed on the way up.
struct AttentionTrace {
    qkv: [Tensor; 3],
    contexts: Tensor,
    /// The residual stream before attention plus its output.
    sum: Tensor,
}
