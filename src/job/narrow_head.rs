//! What sits on top of a narrower residual stream: the last normalisation and the head.

use super::narrow::{Both, bare};
use super::repair::SecondPass;
use super::report::HeadOutcome;
use crate::base::Result;
use crate::checkpoint::{Data, OutputTensor, Scratch};
use crate::device::{Activation, Tensor};
use crate::export::{export_linear, joined, output_dtype};
use crate::forward::{DeviceLinear, DeviceNorm, HostLinear};
use crate::model::{Head, Linear};
use crate::score::pooled_outputs;

/// Rows of a vocabulary that are fitted together.
const TILE: usize = 4096;

impl SecondPass<'_> {
    /// Repairs the head. A head that is tied to the token table stays tied: the last normalisation alone is scaled for it.
    pub(super) async fn narrow_head(
        &self,
        hidden: &[u32],
        states: &Both,
        changed: &mut Vec<OutputTensor>,
        scratch: &dyn Scratch,
    ) -> Result<Vec<HeadOutcome>> {
        let (device, architecture) = (self.device, &self.model.architecture);
        let mut norms = None;
        if let Some(norm) = &architecture.final_norm {
            let wide = DeviceNorm::read(device, &self.model.checkpoint, norm, architecture.norm_eps).await?;
            let sliced = self.sliced_norm(norm, hidden).await?;
            let narrow = DeviceNorm::upload(device, &sliced, architecture.norm_eps).await?;
            let pair = async |number: usize| {
                let (y, x) = (self.state(&states.dense, number).await?, self.state(&states.student, number).await?);
                self.pair(hidden, &wide.apply(device, &y).await?, narrow.apply(device, &x).await?).await
            };
            let scaled = self.fit_norm(&sliced, norm, pair, changed, scratch).await?;
            norms = Some((wide, scaled));
        }
        // What the head reads of a batch: all channels, and the kept ones.
        let top = async |number: usize| -> Result<(Tensor, Tensor)> {
            let (y, x) = (self.state(&states.dense, number).await?, self.state(&states.student, number).await?);
            match &norms {
                Some((wide, narrow)) => Ok((wide.apply(device, &y).await?, narrow.apply(device, &x).await?)),
                None => Ok((y, x)),
            }
        };
        match &architecture.head {
            Head::None => Ok(Vec::new()),
            Head::CausalLm { decoder } if decoder.weight == architecture.embeddings.tokens => Ok(Vec::new()),
            Head::CausalLm { decoder } => self.narrow_vocabulary(decoder, hidden, top, changed, scratch).await,
            Head::Classifier { pooler, activation, classifier } => {
                let first = async |number: usize| -> Result<(Tensor, Tensor)> {
                    let rows = self.calibration.batches[number].firsts();
                    let (y, x) = top(number).await?;
                    Ok((device.select(&y, Some(&rows), None).await?, device.select(&x, Some(&rows), None).await?))
                };
                let kept = pooled_outputs(&self.model.checkpoint, architecture, hidden.len()).await?;
                self.narrow_classifier((pooler, *activation, classifier), hidden, &kept, first, changed, scratch).await
            }
            Head::MaskedLm { transform, norm, .. } => {
                let host = HostLinear::read(&self.model.checkpoint, transform).await?;
                let targets = bare(device, &host.keep_outputs(hidden)).await?;
                let pair = async |number: usize| {
                    let (y, x) = top(number).await?;
                    Ok((x, targets.apply(device, &y, Activation::Identity).await?))
                };
                let (fitted, outcome) = self.fit(1, &self.cut(&host, hidden, hidden)?, self.shifts(transform, None), pair).await?;
                changed.extend(export_linear(transform, &fitted, scratch).await?);
                let (wide, narrow) = (DeviceLinear::upload(device, &host).await?, DeviceLinear::upload(device, &fitted).await?);
                let wide_norm = DeviceNorm::read(device, &self.model.checkpoint, norm, architecture.norm_eps).await?;
                let sliced = self.sliced_norm(norm, hidden).await?;
                let narrow_norm = DeviceNorm::upload(device, &sliced, architecture.norm_eps).await?;
                let pair = async |number: usize| {
                    let (y, x) = top(number).await?;
                    let y = wide_norm.apply(device, &wide.apply(device, &y, architecture.activation).await?).await?;
                    let x = narrow_norm.apply(device, &narrow.apply(device, &x, architecture.activation).await?).await?;
                    self.pair(hidden, &y, x).await
                };
                self.fit_norm(&sliced, norm, pair, changed, scratch).await?;
                Ok(vec![HeadOutcome { tensor: transform.weight.clone(), outcome }])
            }
        }
    }

    /// First layer and logits of a classifier; of the first layer's outputs `kept` stay.
    async fn narrow_classifier(
        &self,
        (pooler, activation, classifier): (&Linear, Activation, &Linear),
        hidden: &[u32],
        kept: &[u32],
        first: impl AsyncFn(usize) -> Result<(Tensor, Tensor)>,
        changed: &mut Vec<OutputTensor>,
        scratch: &dyn Scratch,
    ) -> Result<Vec<HeadOutcome>> {
        let (device, checkpoint) = (self.device, &self.model.checkpoint);
        let host = HostLinear::read(checkpoint, pooler).await?;
        let targets = bare(device, &host.keep_outputs(kept)).await?;
        let pair = async |number: usize| {
            let (y, x) = first(number).await?;
            Ok((x, targets.apply(device, &y, Activation::Identity).await?))
        };
        let (fitted, pooled) = self.fit(1, &self.cut(&host, hidden, kept)?, self.shifts(pooler, None), pair).await?;
        changed.extend(export_linear(pooler, &fitted, scratch).await?);

        let (wide, narrow) = (DeviceLinear::upload(device, &host).await?, DeviceLinear::upload(device, &fitted).await?);
        let host = HostLinear::read(checkpoint, classifier).await?;
        let targets = bare(device, &host).await?;
        let pair = async |number: usize| {
            let (y, x) = first(number).await?;
            let wanted = targets.apply(device, &wide.apply(device, &y, activation).await?, Activation::Identity).await?;
            Ok((narrow.apply(device, &x, activation).await?, wanted))
        };
        let truncated = host.keep_inputs(kept).converted(|own| output_dtype(&self.recipe.output, own))?;
        let (fitted, logits) = self.fit(1, &truncated, self.shifts(classifier, None), pair).await?;
        changed.extend(export_linear(classifier, &fitted, scratch).await?);
        Ok(vec![
            HeadOutcome { tensor: pooler.weight.clone(), outcome: pooled },
            HeadOutcome { tensor: classifier.weight.clone(), outcome: logits },
        ])
    }

    /// The projection to a vocabulary, some rows at a time.
    async fn narrow_vocabulary(
        &self,
        decoder: &Linear,
        hidden: &[u32],
        top: impl AsyncFn(usize) -> Result<(Tensor, Tensor)>,
        changed: &mut Vec<OutputTensor>,
        scratch: &dyn Scratch,
    ) -> Result<Vec<HeadOutcome>> {
        let device = self.device;
        let (mut pieces, mut dtype, mut outcomes) = (Vec::new(), None, Vec::new());
        for start in (0..decoder.outputs).step_by(TILE) {
            let rows: Vec<u32> = (start as u32..(start + TILE).min(decoder.outputs) as u32).collect();
            let host = HostLinear { weight: self.model.checkpoint.rows(&decoder.weight, &rows).await?, bias: None, factor: None };
            let targets = bare(device, &host).await?;
            let pair = async |number: usize| {
                let (y, x) = top(number).await?;
                Ok((x, targets.apply(device, &y, Activation::Identity).await?))
            };
            let truncated = host.keep_inputs(hidden).converted(|own| output_dtype(&self.recipe.output, own))?;
            let (fitted, outcome) = self.fit(1, &truncated, false, pair).await?;
            dtype = Some(fitted.weight.dtype);
            pieces.push(scratch.put(&decoder.weight, fitted.weight.bytes).await?);
            outcomes.push(HeadOutcome { tensor: decoder.weight.clone(), outcome });
            device.finish().await?;
        }
        if let Some(dtype) = dtype {
            let data = Data::Changed(joined(&decoder.weight, pieces));
            changed.push(OutputTensor {
                name: decoder.weight.clone(),
                dtype,
                shape: vec![decoder.outputs as u64, hidden.len() as u64],
                data,
            });
        }
        Ok(outcomes)
    }

    /// A layer with these inputs and outputs, in the dtypes that will be written.
    fn cut(&self, host: &HostLinear, inputs: &[u32], outputs: &[u32]) -> Result<HostLinear> {
        host.keep_inputs(inputs).keep_outputs(outputs).converted(|own| output_dtype(&self.recipe.output, own))
    }
}
