//! The tensors of a block whose weights changed in place.

use super::layer::export_linear;
use crate::base::Result;
use crate::checkpoint::{OutputTensor, Scratch};
use crate::forward::{HostLayer, HostLinear};
use crate::model::Layer;

/// The tensors of all linear layers of a block; those that lie side by side in one are joined again.
///
/// # Errors
/// Scratch is full.
pub async fn export_block(layer: &Layer, host: &HostLayer, scratch: &dyn Scratch) -> Result<Vec<OutputTensor>> {
    let mut tensors = Vec::new();
    let (linears, hosts) = (layer.linears(), host.linears());
    let mut place = 0;
    while let (Some(linear), Some(own)) = (linears.get(place), hosts.get(place)) {
        let count = linears[place..].iter().take_while(|other| linear.fused_at.is_some() && other.weight == linear.weight).count().max(1);
        match count {
            1 => tensors.extend(export_linear(linear, own, scratch).await?),
            _ => tensors.extend(export_linear(linear, &HostLinear::join(&hosts[place..place + count])?, scratch).await?),
        }
        place += count;
    }
    Ok(tensors)
}
