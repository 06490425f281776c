//! Weights as products of narrow matrices: spectra from the dense statistics, ranks from the spectra, factors layer by layer.

mod outcome;
mod ranks;
mod spectra;

pub(super) use spectra::Taken;

use super::Session;
use super::changes::Changes;
use crate::base::{Error, Instant, Phase, Result, Run};
use crate::device::Device;
use crate::export::{OutputKind, OutputOptions, export_block, export_factored, output_dtype};
use crate::forward::each_layer;
use crate::model::{Architecture, Layer};
use crate::recipe::LowRank;
use crate::score::{Form, Inputs, Singles, factorisation, group, lower};
use outcome::{Cut, outcome};
use ranks::Chosen;

impl Session {
    /// Carries out a recipe of this kind.
    pub(super) async fn factorise(&mut self, device: &Device, run: &Run, method: &LowRank, output: &OutputOptions) -> Result<Changes> {
        let clock = Instant::now();
        let kept = kept_share(&self.model.architecture, method.ratio)?;
        let Chosen { spectra, ranks, probes } = self.chosen(device, run, method, kept).await?;
        let score = clock.elapsed().as_secs_f64();

        let clock = Instant::now();
        let architecture = &self.model.architecture;
        let mut changes = Changes::none(&self.model);
        let (store, scratch, depth) = (&self.store, self.output.as_ref(), architecture.layers.len());
        let form = if output.kind == OutputKind::Factored { Form::Factors } else { Form::Product };
        let dtype = |own| output_dtype(output, own);
        let factorisation = factorisation(&method.factorisation)?;
        let mut ranks = ranks.into_iter();
        let mut biases = 0;
        each_layer(&self.model.checkpoint, architecture, async |index, layer, mut host| {
            run.report(Phase::Reconstruct, Some(index), depth, index as f64 / depth as f64);
            host.check_finite(layer)?;
            biases += host.linears().into_iter().filter_map(|linear| linear.bias.as_ref()).map(|bias| bias.rows).sum::<usize>();
            let mut lowered = false;
            for part in &spectra[index].parts {
                let spectrum = &part.spectrum;
                let Some(rank) = ranks.next().flatten() else {
                    changes.linears.extend(outcome(layer, part, None));
                    continue;
                };
                let cut = Cut::new(spectrum, rank, method.sparse);
                let number = group(layer, part.places.start);
                let linears = host.linears();
                let hosts = part.of(&linears);
                let mut read = match cut.singles {
                    0 => None,
                    _ => {
                        Some(Inputs::new(device, store, &self.read_by(index, number)?, hosts.iter().any(|host| host.bias.is_some())).await?)
                    }
                };
                let scaling = read.as_ref().map(|read| factorisation.scaling(&read.mean_squares));
                let singles = read.as_mut().zip(scaling.as_ref()).map(|(inputs, scaling)| Singles { inputs, scaling, count: cut.singles });
                let of = (spectrum, &spectra[index].means[number][..]);
                let low = lower(device, store, &hosts, of, (cut.rank, singles), form, dtype).await?;
                changes.linears.extend(outcome(layer, part, Some((cut, low.error))));
                let places = host.linears_mut().into_iter().skip(part.places.start);
                places.zip(low.linears).for_each(|(linear, low)| *linear = low);
                lowered = true;
            }
            if lowered {
                let host = host.converted(dtype)?;
                changes.changed.extend(match form {
                    Form::Factors => export_factored(layer, &host, scratch).await?,
                    Form::Product => export_block(layer, &host, scratch).await?,
                });
            }
            device.finish().await
        })
        .await?;
        changes.kept_parameters = Some(changes.linears.iter().map(|linear| linear.kept).sum::<u64>() + biases as u64);
        changes.found.rank_probes = probes;
        changes.spent = (score, clock.elapsed().as_secs_f64());
        Ok(changes)
    }
}

/// The share of the weights' parameters that a ratio leaves: biases count, and stay.
fn kept_share(architecture: &Architecture, ratio: f64) -> Result<f64> {
    let weights: usize = architecture.layers.iter().flat_map(Layer::linears).map(|linear| linear.inputs * linear.outputs).sum();
    let all = architecture.linear_parameters() as f64;
    let kept = 1.0 - ratio * all / weights.max(1) as f64;
    match kept > 0.0 {
        true => Ok(kept),
        false => Err(Error::recipe(format!("method.ratio is {ratio}, but biases stay; choose less."))),
    }
}
