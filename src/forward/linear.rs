//! A linear layer on a device, perhaps as a product of two narrow matrices with single weights beside it.

use super::HostLinear;
use crate::base::{Error, Result};
use crate::device::{Activation, Device, Tensor, Weight};
use std::rc::Rc;

/// A linear layer on a device.
#[derive(Debug, Clone)]
pub struct DeviceLinear {
    /// The weight, [out, in].
    pub weight: Weight,
    /// The bias, [1, out].
    pub bias: Option<Tensor>,
    /// V and S, where the layer is factored; the weight is then U, [out, rank].
    pub factor: Option<DeviceFactor>,
}

/// The matrices of a factored layer that read its input, on a device.
#[derive(Debug, Clone)]
pub struct DeviceFactor {
    /// V, [rank, in]; layers that share it have the same.
    pub inner: Rc<Weight>,
    /// S, [out, in], all zeros but for single weights.
    pub singles: Option<Weight>,
}

impl DeviceLinear {
    /// Uploads a linear layer.
    pub async fn upload(device: &Device, host: &HostLinear) -> Result<Self> {
        Self::upload_all(device, &[host]).await?.pop().ok_or_else(|| Error::internal("a linear layer that was not uploaded"))
    }

    /// Uploads linear layers with the same input, and once what they share; as many as there are.
    pub async fn upload_all(device: &Device, hosts: &[&HostLinear]) -> Result<Vec<Self>> {
        let mut uploaded: Vec<Self> = Vec::with_capacity(hosts.len());
        for (place, host) in hosts.iter().enumerate() {
            let Some(factor) = &host.factor else {
                uploaded.push(Self::upload_with(device, host, None).await?);
                continue;
            };
            let shares = |other: &&HostLinear| other.factor.as_ref().is_some_and(|other| other.shares(factor));
            let first = hosts[..place].iter().position(shares).and_then(|first| uploaded.get(first)?.factor.as_ref());
            let inner = match first {
                Some(first) => first.inner.clone(),
                None => Rc::new(device.upload_weight(&factor.inner).await?),
            };
            uploaded.push(Self::upload_with(device, host, Some(inner)).await?);
        }
        Ok(uploaded)
    }

    /// Uploads a linear layer but for its V.
    async fn upload_with(device: &Device, host: &HostLinear, inner: Option<Rc<Weight>>) -> Result<Self> {
        let bias = match &host.bias {
            Some(_) => Some(device.upload(1, host.weight.outputs(), &host.bias_values()?).await?),
            None => None,
        };
        let singles = match host.factor.as_ref().and_then(|factor| factor.singles.as_ref()) {
            Some(singles) => Some(device.upload_weight(singles).await?),
            None => None,
        };
        let factor = inner.map(|inner| DeviceFactor { inner, singles });
        Ok(Self { weight: device.upload_weight(&host.weight).await?, bias, factor })
    }

    /// activation(x W^T + b), where W = U V + S if the layer is factored.
    pub async fn apply(&self, device: &Device, x: &Tensor, activation: Activation) -> Result<Tensor> {
        let inner = self.inner(device, x).await?;
        self.outer(device, x, inner.as_ref(), activation).await
    }

    /// V x, where the layer is factored.
    async fn inner(&self, device: &Device, x: &Tensor) -> Result<Option<Tensor>> {
        match &self.factor {
            Some(factor) => device.linear(x, &factor.inner, None, Activation::Identity).await.map(Some),
            None => Ok(None),
        }
    }

    /// What the layer gives for x, V x being known.
    async fn outer(&self, device: &Device, x: &Tensor, inner: Option<&Tensor>, activation: Activation) -> Result<Tensor> {
        let bias = self.bias.as_ref();
        let (Some(inner), Some(factor)) = (inner, &self.factor) else { return device.linear(x, &self.weight, bias, activation).await };
        let Some(singles) = &factor.singles else { return device.linear(inner, &self.weight, bias, activation).await };
        let product = device.linear(inner, &self.weight, bias, Activation::Identity).await?;
        let sum = device.add(&product, &device.linear(x, singles, None, Activation::Identity).await?, 1.0).await?;
        match activation {
            Activation::Identity => Ok(sum),
            _ => device.activate(&sum, activation).await,
        }
    }

    /// What each of several layers gives for the same input; what they share is applied once.
    pub(super) async fn apply_all<const N: usize>(device: &Device, x: &Tensor, layers: [(&Self, Activation); N]) -> Result<[Tensor; N]> {
        let mut inner: Option<(Rc<Weight>, Tensor)> = None;
        let mut outputs = Vec::with_capacity(N);
        for (layer, activation) in layers {
            let own = layer.factor.as_ref().map(|factor| &factor.inner);
            let known = inner.as_ref().zip(own).is_some_and(|((known, _), own)| Rc::ptr_eq(known, own));
            if !known {
                inner = own.cloned().zip(layer.inner(device, x).await?);
            }
            outputs.push(layer.outer(device, x, inner.as_ref().map(|(_, inner)| inner), activation).await?);
        }
        outputs.try_into().map_err(|_| Error::internal("a linear layer without an output"))
    }

    /// upstream W: the gradient with respect to the input of the layer without activation.
    pub(super) async fn backward(&self, device: &Device, upstream: &Tensor) -> Result<Tensor> {
        let below = device.linear_backward(upstream, &self.weight).await?;
        let Some(factor) = &self.factor else { return Ok(below) };
        let below = device.linear_backward(&below, &factor.inner).await?;
        match &factor.singles {
            Some(singles) => device.add(&below, &device.linear_backward(upstream, singles).await?, 1.0).await,
            None => Ok(below),
        }
    }
}
