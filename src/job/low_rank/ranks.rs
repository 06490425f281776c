//! Which layers are cut together, and to which rank.

use crate::allocate::{GroupProbe, Probing, RankRequest, Ranks, Sharing, probe_ranks, rank_allocation, share};
use crate::base::{Error, Result, Run};
use crate::device::Device;
use crate::job::{Session, no_calibration};
use crate::model::Architecture;
use crate::recipe::{LowRank, Sensitivity};
use crate::score::{LayerSpectra, Spectrum, group};
use std::rc::Rc;

/// What a recipe makes of the spectra.
pub(super) struct Chosen {
    /// What is cut together, by layer.
    pub(super) spectra: Rc<Vec<LayerSpectra>>,
    /// The rank of each part, layer after layer.
    pub(super) ranks: Ranks,
    /// What was measured for it.
    pub(super) probes: Option<Vec<GroupProbe>>,
}

impl Session {
    /// Ranks that keep this share of the weights' parameters at most.
    pub(super) async fn chosen(&mut self, device: &Device, run: &Run, method: &LowRank, kept: f64) -> Result<Chosen> {
        let allocation = rank_allocation(&method.allocation)?;
        let chooses = method.joint && allocation.chooses_sharing();
        let mut spectra = self.spectra_of(device, run, &method.factorisation, method.joint && !chooses).await?;
        let all = spectra_in(&spectra);
        let alike = vec![1.0; all.len()];
        let request = RankRequest { spectra: &all, weights: &alike, kept, floor: method.floor };
        if !allocation.weighs() {
            let ranks = allocation.ranks(&request);
            return Ok(Chosen { spectra, ranks, probes: None });
        }
        let mut even = rank_allocation("uniform")?.ranks(&request).into_iter();
        let mut rank = |spectrum: &Spectrum| even.next().flatten().unwrap_or(spectrum.values.len());
        let ranks: Vec<Vec<usize>> = spectra.iter().map(|layer| layer.parts.iter().map(|part| rank(&part.spectrum)).collect()).collect();
        let joint = match chooses {
            true => Some(self.spectra_of(device, run, &method.factorisation, true).await?),
            false => None,
        };
        let (calibration, _) = self.calibration.as_ref().ok_or_else(no_calibration)?;
        let (model, store) = (&self.model, &self.store);
        let probing = Probing { device, run, store, checkpoint: &model.checkpoint, architecture: &model.architecture, calibration };
        let probes = probe_ranks(&probing, &spectra, &ranks).await?;
        if let Some(joint) = joint {
            let of_each = |spectra: &[LayerSpectra]| weights(&model.architecture, spectra, &probes, method.sensitivity);
            let (apart, together) = (of_each(&spectra)?, of_each(&joint)?);
            spectra = Rc::new(sharing([&spectra, &joint], [apart, together], (kept, method.floor)));
        }
        let (all, weights) = (spectra_in(&spectra), weights(&model.architecture, &spectra, &probes, method.sensitivity)?);
        let ranks = allocation.ranks(&RankRequest { spectra: &all, weights: &weights, kept, floor: method.floor });
        Ok(Chosen { spectra, ranks, probes: Some(probes) })
    }
}

fn spectra_in(layers: &[LayerSpectra]) -> Vec<Spectrum> {
    layers.iter().flat_map(|layer| layer.parts.iter().map(|part| part.spectrum.clone())).collect()
}

/// Of the spectra of every layer for itself and of those with one input together, the one or the other wherever the price of a parameter
/// says so.
fn sharing([apart, joint]: [&[LayerSpectra]; 2], weights: [Vec<f64>; 2], (kept, floor): (f64, f64)) -> Vec<LayerSpectra> {
    let [mut of_apart, mut of_joint] = weights.map(Vec::into_iter);
    let mut groups = Vec::new();
    for (apart, joint) in apart.iter().zip(joint) {
        let mut rest = apart.parts.iter();
        for part in &joint.parts {
            let own = rest.by_ref().take(part.places.len()).map(|one| &one.spectrum).zip(of_apart.by_ref());
            groups.push(Sharing { apart: own.collect(), joint: (&part.spectrum, of_joint.next().unwrap_or(0.0)) });
        }
    }
    let mut shared = share(&groups, kept, floor).into_iter();
    let chosen = apart.iter().zip(joint).map(|(apart, joint)| {
        let mut parts = Vec::new();
        for part in &joint.parts {
            match shared.next().unwrap_or(false) {
                true => parts.push(part.clone()),
                false => parts.extend(apart.parts.iter().filter(|one| part.places.contains(&one.places.start)).cloned()),
            }
        }
        LayerSpectra { parts, means: apart.means.clone() }
    });
    chosen.collect()
}

/// What a unit of error energy of each part costs: the probes of its group, shared out by relative errors.
fn weights(architecture: &Architecture, spectra: &[LayerSpectra], probes: &[GroupProbe], sensitivity: Sensitivity) -> Result<Vec<f64>> {
    let mut weights = Vec::new();
    for (index, (layer, spectra)) in architecture.layers.iter().zip(spectra).enumerate() {
        for part in &spectra.parts {
            let probe = probes.iter().find(|probe| (probe.layer, probe.input) == (index, group(layer, part.places.start)));
            let probe = probe.ok_or_else(|| Error::internal("a layer that was not probed"))?;
            let cost = match sensitivity {
                Sensitivity::Alone => probe.alone,
                Sensitivity::Within => probe.within,
                Sensitivity::Both => 0.5 * (probe.alone + probe.within),
            };
            weights.push(part.spectrum.relative(if probe.error > 0.0 { cost / probe.error } else { 0.0 }));
        }
    }
    Ok(weights)
}
