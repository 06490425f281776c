//! Weights as products of narrow matrices.

use super::Session;
use super::changes::Changes;
use crate::base::{Error, Result, Run};
use crate::device::Device;
use crate::export::OutputOptions;
use crate::recipe::LowRank;

impl Session {
    /// Carries out a recipe of this kind.
    pub(super) async fn factorise(&mut self, _device: &Device, _run: &Run, _method: &LowRank, _output: &OutputOptions) -> Result<Changes> {
        Err(Error::recipe("method.kind \"low_rank\" is not there yet; choose structured."))
    }
}
