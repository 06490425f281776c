//! Spectra of all linear layers of a model.

use crate::base::{Error, Phase, Result, Run};
use crate::calibrate::KeptMoments;
use crate::device::Device;
use crate::forward::each_layer;
use crate::job::Session;
use crate::model::Unit;
use crate::score::{Inputs, LayerSpectra, Part, factorisation, group, spectrum_of};
use std::rc::Rc;

/// Spectra that were taken, for the next recipe with the same factorisation.
pub(in crate::job) struct Taken {
    factorisation: String,
    /// Of every layer for itself, and of those with one input together.
    spectra: [Option<Rc<Vec<LayerSpectra>>>; 2],
}

impl Session {
    /// The spectra of every linear layer, or `joint`, of those with one input together.
    pub(super) async fn spectra_of(&mut self, device: &Device, run: &Run, name: &str, joint: bool) -> Result<Rc<Vec<LayerSpectra>>> {
        let taken = self.spectra.take().filter(|taken| taken.factorisation == name);
        let mut taken = taken.unwrap_or_else(|| Taken { factorisation: name.to_owned(), spectra: [None, None] });
        let spectra = match &taken.spectra[usize::from(joint)] {
            Some(spectra) => spectra.clone(),
            None => {
                let other = taken.spectra[usize::from(!joint)].as_ref().map_or(&[][..], |other| other);
                Rc::new(self.taken_spectra(device, run, name, joint, other).await?)
            }
        };
        taken.spectra[usize::from(joint)] = Some(spectra.clone());
        self.spectra = Some(taken);
        Ok(spectra)
    }

    /// The spectra from what pass 1 collected, but for those that are `known`.
    async fn taken_spectra(
        &self,
        device: &Device,
        run: &Run,
        name: &str,
        joint: bool,
        known: &[LayerSpectra],
    ) -> Result<Vec<LayerSpectra>> {
        let (architecture, store, factorisation) = (&self.model.architecture, &self.store, factorisation(name)?);
        let depth = architecture.layers.len();
        let mut all = Vec::with_capacity(depth);
        each_layer(&self.model.checkpoint, architecture, async |index, layer, host| {
            let (mut parts, mut means) = (Vec::new(), known.get(index).map(|layer| layer.means.clone()).unwrap_or_default());
            let mut inputs: Option<(usize, Inputs)> = None;
            let linears = host.linears();
            for places in Part::places(layer, joint) {
                run.report(Phase::Score, Some(index), depth, (index as f64 + places.start as f64 / linears.len() as f64) / depth as f64);
                let same = known.get(index).and_then(|layer| layer.parts.iter().find(|part| part.places == places));
                if let Some(part) = same {
                    parts.push(part.clone());
                    continue;
                }
                let hosts = linears.get(places.clone()).unwrap_or_default();
                let number = group(layer, places.start);
                let mut read = match inputs.take() {
                    Some((group, inputs)) if group == number => inputs,
                    _ => {
                        let biased = hosts.iter().any(|host| host.bias.is_some());
                        Inputs::new(device, store, &self.read_by(index, number)?, biased).await?
                    }
                };
                let spectrum = spectrum_of(device, store, hosts, &mut read, factorisation).await?;
                parts.push(Part { places, spectrum });
                means[number].clone_from(&read.means);
                inputs = Some((number, read));
            }
            all.push(LayerSpectra { parts, means });
            device.finish().await
        })
        .await?;
        Ok(all)
    }

    /// Sums over what a group of linear layers reads.
    pub(super) fn read_by(&self, index: usize, group: usize) -> Result<Vec<&KeptMoments>> {
        let unit = if group < 2 { Unit::Heads } else { Unit::Neurons };
        let missing = || Error::internal("spectra without statistics");
        match group % 2 {
            0 => Ok(vec![&self.statistics.reader_grams.get(index).ok_or_else(missing)?[unit as usize]]),
            _ => self.statistics.site(index, unit).map(|site| vec![&site.fit, &site.held_out]).ok_or_else(missing),
        }
    }
}
