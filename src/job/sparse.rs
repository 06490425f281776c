//! Zeros among the weights: layer by layer along the pruned model.

use super::Session;
use super::changes::Changes;
use crate::base::{Error, Result, Run};
use crate::device::Device;
use crate::export::OutputOptions;
use crate::recipe::Sparse;

impl Session {
    /// Carries out a recipe of this kind.
    pub(super) async fn sparsify(&mut self, _device: &Device, _run: &Run, _method: &Sparse, _output: &OutputOptions) -> Result<Changes> {
        Err(Error::recipe("method.kind \"sparse\" is not there yet; choose structured."))
    }
}
