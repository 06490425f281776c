//! Weights as products of narrow matrices: spectra from the dense statistics, ranks from the spectra, factors layer by layer.

mod spectra;

use super::changes::Changes;
use super::report::LinearOutcome;
use super::{Session, no_calibration};
use crate::allocate::{GroupProbe, Probing, RankRequest, Ranks, kept_parameters, probe_ranks, rank_allocation};
use crate::base::{Error, Instant, Phase, Result, Run};
use crate::device::Device;
use crate::export::{OutputKind, OutputOptions, export_block, export_factored, output_dtype};
use crate::forward::each_layer;
use crate::model::{Architecture, Layer, Linear};
use crate::recipe::{LowRank, Sensitivity};
use crate::score::{Form, LayerSpectra, Spectrum, factorisation, group, lower_linear};
use std::rc::Rc;

impl Session {
    /// Carries out a recipe of this kind.
    pub(super) async fn factorise(&mut self, device: &Device, run: &Run, method: &LowRank, output: &OutputOptions) -> Result<Changes> {
        let clock = Instant::now();
        let spectra = match &self.spectra {
            Some((name, spectra)) if *name == method.factorisation => spectra.clone(),
            _ => {
                // The old ones first, so that the new ones find their room.
                self.spectra = None;
                Rc::new(self.taken_spectra(device, run, factorisation(&method.factorisation)?).await?)
            }
        };
        self.spectra = Some((method.factorisation.clone(), spectra.clone()));
        let architecture = &self.model.architecture;
        let kept = kept_share(architecture, method.ratio)?;
        let (ranks, probes) = self.ranks(device, run, method, &spectra, kept).await?;
        let score = clock.elapsed().as_secs_f64();

        let clock = Instant::now();
        let mut changes = Changes::none(&self.model);
        let (store, scratch, depth) = (&self.store, self.output.as_ref(), architecture.layers.len());
        let form = if output.kind == OutputKind::Factored { Form::Factors } else { Form::Product };
        let mut biases = 0;
        let mut at = 0;
        each_layer(&self.model.checkpoint, architecture, async |index, layer, mut host| {
            run.report(Phase::Reconstruct, Some(index), depth, index as f64 / depth as f64);
            host.check_finite(layer)?;
            let spectra = &spectra[index];
            let ranks = &ranks[at..at + spectra.linears.len()];
            at += ranks.len();
            let dtype = |own| output_dtype(output, own);
            for (place, linear) in host.linears_mut().into_iter().enumerate() {
                biases += linear.bias.as_ref().map_or(0, |bias| bias.rows);
                let (spectrum, means) = (&spectra.linears[place], &spectra.means[group(layer, place)][..]);
                changes.linears.push(outcome(layer, place, spectrum, ranks[place]));
                if let Some(rank) = ranks[place] {
                    *linear = lower_linear(device, store, linear, (spectrum, means), rank, form, dtype).await?;
                }
            }
            if ranks.iter().any(Option::is_some) {
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

    /// The rank of every linear layer, by layer and place; and what was measured for it.
    async fn ranks(
        &self,
        device: &Device,
        run: &Run,
        method: &LowRank,
        spectra: &[LayerSpectra],
        kept: f64,
    ) -> Result<(Ranks, Option<Vec<GroupProbe>>)> {
        let allocation = rank_allocation(&method.allocation)?;
        let all: Vec<Spectrum> = spectra.iter().flat_map(|layer| layer.linears.iter().cloned()).collect();
        let alike = vec![1.0; all.len()];
        let request = RankRequest { spectra: &all, weights: &alike, kept, floor: method.floor };
        if !allocation.weighs() {
            return Ok((allocation.ranks(&request), None));
        }
        let mut even = rank_allocation("uniform")?.ranks(&request).into_iter();
        let mut rank = |spectrum: &Spectrum| even.next().flatten().unwrap_or(spectrum.values.len());
        let ranks: Vec<Vec<usize>> = spectra.iter().map(|layer| layer.linears.iter().map(&mut rank).collect()).collect();
        let (calibration, _) = self.calibration.as_ref().ok_or_else(no_calibration)?;
        let (model, store) = (&self.model, &self.store);
        let probing = Probing { device, run, store, checkpoint: &model.checkpoint, architecture: &model.architecture, calibration };
        let probes = probe_ranks(&probing, spectra, &ranks).await?;
        let weights = weights(&model.architecture, spectra, &probes, method.sensitivity)?;
        Ok((allocation.ranks(&RankRequest { weights: &weights, ..request }), Some(probes)))
    }
}

/// What a unit of error energy of each linear layer costs: the probes of its group, shared out by relative errors.
fn weights(architecture: &Architecture, spectra: &[LayerSpectra], probes: &[GroupProbe], sensitivity: Sensitivity) -> Result<Vec<f64>> {
    let mut weights = Vec::new();
    for (index, (layer, spectra)) in architecture.layers.iter().zip(spectra).enumerate() {
        for (place, spectrum) in spectra.linears.iter().enumerate() {
            let probe = probes.iter().find(|probe| (probe.layer, probe.input) == (index, group(layer, place)));
            let probe = probe.ok_or_else(|| Error::internal("a layer that was not probed"))?;
            let cost = match sensitivity {
                Sensitivity::Alone => probe.alone,
                Sensitivity::Within => probe.within,
                Sensitivity::Both => 0.5 * (probe.alone + probe.within),
            };
            let relative = if probe.error > 0.0 { cost / probe.error } else { 0.0 };
            weights.push(if spectrum.total > 0.0 { relative / spectrum.total } else { 0.0 });
        }
    }
    Ok(weights)
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

fn outcome(layer: &Layer, place: usize, spectrum: &Spectrum, rank: Option<usize>) -> LinearOutcome {
    let linear = layer.linears()[place];
    let error = rank.map_or(0.0, |rank| spectrum.errors()[rank]);
    LinearOutcome {
        tensor: tensor_name(linear, place),
        shape: [spectrum.outputs, spectrum.inputs],
        kept: kept_parameters(spectrum, rank) as u64,
        rank,
        error: Some(if spectrum.total > 0.0 { error / spectrum.total } else { 0.0 }),
        error_after: None,
    }
}

/// Name of a linear layer's weight; of layers that share a tensor, with which of them it is.
fn tensor_name(linear: &Linear, place: usize) -> String {
    match (linear.fused_at, ["q", "k", "v"].get(place)) {
        (Some(_), Some(part)) => format!("{}.{part}", linear.weight),
        _ => linear.weight.clone(),
    }
}
