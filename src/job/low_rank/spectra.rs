//! Spectra of all linear layers of a model.

use crate::base::{Error, Phase, Result, Run};
use crate::calibrate::KeptMoments;
use crate::device::Device;
use crate::forward::each_layer;
use crate::job::Session;
use crate::model::Unit;
use crate::score::{Factorisation, Inputs, LayerSpectra, group, spectrum};

impl Session {
    /// The spectra of every layer, from what pass 1 collected.
    pub(super) async fn taken_spectra(&self, device: &Device, run: &Run, factorisation: &dyn Factorisation) -> Result<Vec<LayerSpectra>> {
        let (architecture, store) = (&self.model.architecture, &self.store);
        let depth = architecture.layers.len();
        let mut all = Vec::with_capacity(depth);
        each_layer(&self.model.checkpoint, architecture, async |index, layer, host| {
            let (mut linears, mut means) = (Vec::new(), <[Vec<f64>; 4]>::default());
            let mut inputs: Option<(usize, Inputs)> = None;
            let places = host.linears().len();
            for (place, linear) in host.linears().into_iter().enumerate() {
                run.report(Phase::Score, Some(index), depth, (index as f64 + place as f64 / places as f64) / depth as f64);
                let number = group(layer, place);
                let mut read = match inputs.take() {
                    Some((group, inputs)) if group == number => inputs,
                    _ => Inputs::new(device, store, &self.read_by(index, number)?, linear.bias.is_some()).await?,
                };
                let weight = device.upload(linear.weight.inputs(), linear.weight.outputs(), &linear.weight.to_f32_inputs_major()?).await?;
                let scaling = factorisation.scaling(&read.mean_squares);
                linears.push(spectrum(device, store, &weight, &mut read, &scaling).await?);
                means[number].clone_from(&read.means);
                inputs = Some((number, read));
            }
            all.push(LayerSpectra { linears, means });
            device.finish().await
        })
        .await?;
        Ok(all)
    }

    /// Sums over what a group of linear layers reads.
    fn read_by(&self, index: usize, group: usize) -> Result<Vec<&KeptMoments>> {
        let unit = if group < 2 { Unit::Heads } else { Unit::Neurons };
        let missing = || Error::internal("spectra without statistics");
        match group % 2 {
            0 => Ok(vec![&self.statistics.reader_grams.get(index).ok_or_else(missing)?[unit as usize]]),
            _ => self.statistics.site(index, unit).map(|site| vec![&site.fit, &site.held_out]).ok_or_else(missing),
        }
    }
}
