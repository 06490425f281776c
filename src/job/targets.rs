//! What plain repairs aim at, kept from one recipe to the next: it does not depend on what is removed.

use crate::base::Result;
use crate::calibrate::{Kept, Store};
use crate::model::Unit;
use crate::reconstruct::Wanted;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Layer, unit, whether the tokens are those that are held out, and whether the Gram matrix took part.
type Site = (usize, Unit, bool, bool);

/// The targets of every consumer, as far as there is room for them on the device.
#[derive(Default)]
pub(super) struct Targets(RefCell<BTreeMap<Site, (Wanted, Option<Kept>)>>);

impl Targets {
    /// The target of a consumer; made, and kept if there is room, where it is not there yet.
    pub(super) async fn get(&self, store: &Store, site: Site, make: impl AsyncFnOnce() -> Result<Wanted>) -> Result<Wanted> {
        if let Some((wanted, _)) = self.0.borrow().get(&site) {
            return Ok(wanted.clone());
        }
        let wanted = make().await?;
        // The place in the store counts the bytes; without a tensor there are none to speak of.
        let place = wanted.cross().map(|cross| store.keep_here(cross));
        if place.as_ref().is_none_or(Option::is_some) {
            self.0.borrow_mut().insert(site, (wanted.clone(), place.flatten()));
        }
        Ok(wanted)
    }

    /// Gives them up.
    pub(super) fn clear(&mut self) {
        self.0.get_mut().clear();
    }
}
