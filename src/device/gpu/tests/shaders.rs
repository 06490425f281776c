//! Every shader parses and validates, in every variant that the operations ask for.

use super::super::shader::{Kernel, every_kernel, files};
use naga::valid::{Capabilities, ValidationFlags, Validator};

fn validate(kernel: &Kernel) {
    let source = kernel.source().unwrap();
    let module = naga::front::wgsl::parse_str(&source).unwrap_or_else(|e| panic!("{kernel:?}:\n{}", e.emit_to_string(&source)));
    // unpack2x16float, the one capability asked for here, is core WebGPU; naga lists it apart for some native drivers.
    let result = Validator::new(ValidationFlags::all(), Capabilities::SHADER_FLOAT16_IN_FLOAT32).validate(&module);
    result.unwrap_or_else(|e| panic!("{kernel:?}:\n{}", e.emit_to_string(&source)));
    assert!(!source.contains("{{"), "{kernel:?} leaves a constant open");
}

#[test]
fn every_variant_is_valid_wgsl() {
    let kernels = every_kernel();
    assert!(kernels.len() > 40);
    kernels.iter().for_each(validate);
}

#[test]
fn workgroup_memory_and_invocations_fit_the_defaults_of_webgpu() {
    for kernel in every_kernel() {
        let module = naga::front::wgsl::parse_str(&kernel.source().unwrap()).unwrap();
        let mut layouter = naga::proc::Layouter::default();
        layouter.update(module.to_ctx()).unwrap();
        let shared: u32 = module
            .global_variables
            .iter()
            .filter(|(_, v)| v.space == naga::AddressSpace::WorkGroup)
            .map(|(_, v)| layouter[v.ty].size)
            .sum();
        assert!(shared <= 16384, "{kernel:?} takes {shared} bytes");
        let storage = module.global_variables.iter().filter(|(_, v)| matches!(v.space, naga::AddressSpace::Storage { .. })).count();
        assert!(storage <= 8, "{kernel:?} binds {storage} buffers");
        let size: u32 = module.entry_points[0].workgroup_size.iter().product();
        assert!(size <= 256, "{kernel:?} has {size} invocations");
    }
}

#[test]
fn no_shader_is_left_out() {
    let kernels = every_kernel();
    let left_out: Vec<&str> =
        files().filter(|file| !file.starts_with("shared/") && kernels.iter().all(|kernel| kernel.file != *file)).collect();
    assert!(left_out.is_empty(), "not among every_kernel: {left_out:?}");
}

#[test]
fn an_unknown_shader_is_an_error() {
    assert!(Kernel::new("no.wgsl").source().is_err());
}
