//! Models whose statistics are kept between recipes.

use super::{Engine, NamedBlob, Texts, order, plain, result, thrown};
use crate::base::{Error, ErrorKind};
use crate::job::{Bench, Pruned, Storage};
use crate::recipe::Recipe;
use js_sys::{Function, JSON};
use wasm_bindgen::prelude::*;

/// A model with what is known of it, and what the last recipe gave.
pub(super) struct Kept {
    bench: Bench,
    last: Option<Pruned>,
}

#[wasm_bindgen]
impl Engine {
    /// Opens a model for recipes with the same calibration and evaluation, as number `id` of the caller's. Nothing is run yet.
    pub async fn open_bench(&self, id: u32, files: Vec<NamedBlob>, recipe: JsValue, texts: Texts) -> Result<(), JsValue> {
        let (folder, recipe, inputs) = order(&files, &recipe, &texts)?;
        let (device, _) = self.take().map_err(thrown)?;
        let opened = Bench::open(&device, &folder, &recipe, inputs, Storage::in_browser(&device).await).await;
        self.device.set(Some(device));
        let bench = opened.map_err(thrown)?;
        self.benches.borrow_mut().insert(id, Kept { bench, last: None });
        Ok(())
    }

    /// Carries out a recipe on an open model: as [`Engine::prune`], with `held`, the bytes that are kept for the next one by where they
    /// are. Only if `evaluate`, the result is measured.
    pub async fn attempt(&self, id: u32, recipe: JsValue, evaluate: bool, on_progress: Function) -> Result<JsValue, JsValue> {
        let recipe = Recipe::parse(&String::from(JSON::stringify(&recipe)?)).map_err(thrown)?;
        let mut kept = self.lend(id)?;
        let (device, run) = match self.begin(on_progress) {
            Ok(begun) => begun,
            Err(error) => return Err(self.settle(id, kept, error)),
        };
        let pruned = kept.bench.attempt(&device, &run, &recipe, evaluate).await;
        self.device.set(Some(device));
        self.give(id, kept, pruned).await
    }

    /// Measures what the last recipe gave, if that was not done: it again, with the figures.
    pub async fn measure(&self, id: u32, on_progress: Function) -> Result<JsValue, JsValue> {
        let mut kept = self.lend(id)?;
        let Some(last) = kept.last.take() else {
            return Err(self.settle(id, kept, Error::recipe("No recipe was tried on this model yet, so there is nothing to measure.")));
        };
        let (device, run) = match self.begin(on_progress) {
            Ok(begun) => begun,
            Err(error) => return Err(self.settle(id, Kept { last: Some(last), ..kept }, error)),
        };
        let measured = kept.bench.measure(&device, &run, &last).await;
        self.device.set(Some(device));
        // What could not be measured can still be measured later.
        kept.last = Some(last);
        self.give(id, kept, measured).await
    }

    /// Lets go of a model and of everything that is kept of it.
    pub fn close_bench(&self, id: u32) {
        self.benches.borrow_mut().remove(&id);
    }
}

impl Engine {
    /// Bytes on the device that are kept between recipes.
    pub(super) fn held(&self) -> u64 {
        self.benches.borrow().values().map(|kept| kept.bench.held().device).sum()
    }

    /// Takes an open model for one call.
    fn lend(&self, id: u32) -> Result<Kept, JsValue> {
        self.benches.borrow_mut().remove(&id).ok_or_else(|| {
            thrown(Error::input("What was kept of this model is gone, or another call uses it; prune the model again to collect it anew."))
        })
    }

    /// Puts an open model back with what a recipe gave, and hands that to the page.
    async fn give(&self, id: u32, mut kept: Kept, pruned: crate::base::Result<Pruned>) -> Result<JsValue, JsValue> {
        let pruned = match pruned {
            Ok(pruned) => pruned,
            Err(error) => return Err(self.settle(id, kept, error)),
        };
        let given = result(&pruned, &[("held", plain(&kept.bench.held())?)]).await;
        kept.last = Some(pruned);
        self.benches.borrow_mut().insert(id, kept);
        given
    }

    /// Puts an open model back after an error, unless it can be relied on no longer.
    fn settle(&self, id: u32, kept: Kept, error: Error) -> JsValue {
        if !matches!(error.kind(), ErrorKind::Device | ErrorKind::Memory | ErrorKind::Internal) {
            self.benches.borrow_mut().insert(id, kept);
        }
        thrown(error)
    }
}
