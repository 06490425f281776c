//! Linear layers with one input as one, so that they can share the factor that reads it.

use super::{Inputs, Spectrum};
use crate::base::{Error, Result};
use crate::device::{Device, Op, Tensor};
use crate::forward::HostLinear;

/// The layers of a spectrum: how many outputs each has, and what they are multiplied by before they are cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Member {
    /// Number of outputs.
    pub outputs: usize,
    /// Factor on the weight.
    pub scale: f64,
}

/// The weights of layers with one input side by side, transposed, [inputs, Σ outputs], each times the scale of its member.
///
/// # Errors
/// The layers do not belong to the members, or the device fails.
pub(super) async fn stacked(device: &Device, hosts: &[&HostLinear], members: &[Member]) -> Result<Tensor> {
    let inputs = hosts.first().map_or(0, |host| host.weight.inputs());
    let outputs: usize = members.iter().map(|member| member.outputs).sum();
    let fits = |(host, member): (&&HostLinear, &Member)| (host.weight.inputs(), host.weight.outputs()) == (inputs, member.outputs);
    if hosts.len() != members.len() || !hosts.iter().zip(members).all(fits) {
        return Err(Error::internal("a stack of layers that do not belong together"));
    }
    let mut values = vec![0f32; inputs * outputs];
    let mut first = 0;
    for (host, member) in hosts.iter().zip(members) {
        let own = host.weight.to_f32_inputs_major()?;
        let rows = own.chunks_exact(member.outputs.max(1));
        for (into, from) in values.chunks_exact_mut(outputs.max(1)).zip(rows) {
            let from = from.iter().map(|&value| if member.scale == 1.0 { value } else { (f64::from(value) * member.scale) as f32 });
            into[first..first + member.outputs].iter_mut().zip(from).for_each(|(into, value)| *into = value);
        }
        first += member.outputs;
    }
    device.upload(inputs, outputs, &values).await
}

/// The layers that are cut together. One alone stays as it is; several are brought to outputs of the same energy, so that the error of
/// the stack is that of their sum relative to each, and none gives way to another only since its numbers are larger.
///
/// # Errors
/// The device fails.
pub(super) async fn members(device: &Device, hosts: &[&HostLinear], inputs: &Inputs) -> Result<Vec<Member>> {
    let mut members: Vec<Member> = hosts.iter().map(|host| Member { outputs: host.weight.outputs(), scale: 1.0 }).collect();
    if hosts.len() < 2 {
        return Ok(members);
    }
    let mut energies = Vec::with_capacity(hosts.len());
    for (host, member) in hosts.iter().zip(&members) {
        let weight = stacked(device, &[host], &[*member]).await?;
        let weighted = device.matmul(&inputs.gram, Op::N, &weight, Op::N).await?;
        energies.push(device.dot(&weighted, &weight).await?.max(0.0));
    }
    // Around the mean, so that numbers stay in the range of narrow dtypes.
    let mean = energies.iter().sum::<f64>() / energies.len() as f64;
    for (member, energy) in members.iter_mut().zip(energies).filter(|(_, energy)| *energy > 0.0) {
        member.scale = (mean / energy).sqrt();
    }
    Ok(members)
}

/// Values [rows, Σ outputs] of a stack as those of its members, [rows, outputs] each, divided by their scales again.
pub(super) fn apart(values: &[f32], spectrum: &Spectrum) -> Vec<Vec<f32>> {
    let mut first = 0;
    let own = |member: &Member| {
        let range = first..first + member.outputs;
        first = range.end;
        let scaled = |&value: &f32| if member.scale == 1.0 { value } else { (f64::from(value) / member.scale) as f32 };
        values.chunks_exact(spectrum.outputs.max(1)).flat_map(|row| row[range.clone()].iter().map(scaled)).collect()
    };
    spectrum.members.iter().map(own).collect()
}
