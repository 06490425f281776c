//! WGSL sources and the small preprocessor that puts kernels together.
//!
//! `{{NAME}}` is replaced by a constant; a line `#include "shared/x.wgsl" KEY=value ...` by that file, in which the
//! constants and the given keys hold. Lines from `#for NAME 0..count` to `#end` are repeated, with NAME as a constant: unrolled
//! by us, since not every driver unrolls, and registers cannot be indexed.

use crate::base::{Error, Result};

/// One kernel with its constants: what a pipeline is made of, and its key in the cache.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Kernel {
    pub(super) file: &'static str,
    pub(super) constants: Vec<(&'static str, String)>,
}

impl Kernel {
    pub(super) fn new(file: &'static str) -> Self {
        Self { file, constants: Vec::new() }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.constants.push((name, value.to_string()));
        self
    }

    /// The complete WGSL.
    pub(super) fn source(&self) -> Result<String> {
        let constants: Vec<_> = self.constants.iter().map(|(name, value)| (*name, value.as_str())).collect();
        expand(self.file, &constants)
    }
}

macro_rules! sources {
    ($($name:literal),* $(,)?) => {
        /// Every file under shaders/.
        const SOURCES: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../../shaders/", $name)))),*];
    };
}

sources!(
    "activate.wgsl",
    "activate_backward.wgsl",
    "add.wgsl",
    "attention.wgsl",
    "attention_backward_keys.wgsl",
    "attention_backward_queries.wgsl",
    "cholesky_block.wgsl",
    "cholesky_direct.wgsl",
    "column_combine.wgsl",
    "column_stats.wgsl",
    "copy_block.wgsl",
    "cosine_distance.wgsl",
    "covariance.wgsl",
    "direction_changes.wgsl",
    "divergence_change_tile.wgsl",
    "divergence_tile.wgsl",
    "dot.wgsl",
    "embed.wgsl",
    "equilibrate.wgsl",
    "gemm_direct.wgsl",
    "gemm_tiled.wgsl",
    "jacobi.wgsl",
    "jacobi_direct.wgsl",
    "layer_norm.wgsl",
    "layer_norm_tiled.wgsl",
    "multiply.wgsl",
    "norm_backward.wgsl",
    "prefix_sums.wgsl",
    "prefix_sums_direct.wgsl",
    "rms_norm.wgsl",
    "rotary.wgsl",
    "sample_tile.wgsl",
    "scale.wgsl",
    "segment_dots.wgsl",
    "select.wgsl",
    "similarity_direct.wgsl",
    "similarity_tiled.wgsl",
    "softmax_backward_tile.wgsl",
    "softmax_tile.wgsl",
    "sweep_columns.wgsl",
    "without_units.wgsl",
    "shared/activation.wgsl",
    "shared/block_k_inner.wgsl",
    "shared/block_k_outer.wgsl",
    "shared/element_scalar.wgsl",
    "shared/element_vec.wgsl",
    "shared/fetch.wgsl",
    "shared/gemm_epilogue.wgsl",
    "shared/gemm_params.wgsl",
    "shared/load_bf16_scalar.wgsl",
    "shared/load_bf16_vec.wgsl",
    "shared/load_f16_scalar.wgsl",
    "shared/load_f16_vec.wgsl",
    "shared/load_f32_scalar.wgsl",
    "shared/load_f32_vec.wgsl",
);

fn expand(file: &str, constants: &[(&str, &str)]) -> Result<String> {
    let text = SOURCES.iter().find(|(name, _)| *name == file).map(|(_, text)| *text);
    let text = text.ok_or_else(|| Error::internal(format_args!("there is no shader {file}")))?;
    let lines: Vec<&str> = text.lines().collect();
    let mut out = String::with_capacity(text.len());
    expand_lines(&lines, constants, &mut out)?;
    Ok(out)
}

fn expand_lines(lines: &[&str], constants: &[(&str, &str)], out: &mut String) -> Result<()> {
    let mut at = 0;
    while at < lines.len() {
        let line = substitute(lines[at], constants);
        at += 1;
        if let Some(rest) = line.strip_prefix("#include ") {
            let mut words = rest.split_whitespace();
            let name = words.next().unwrap_or_default().trim_matches('"');
            let keys = words.filter_map(|word| word.split_once('='));
            let inner: Vec<_> = keys.chain(constants.iter().copied()).collect();
            out.push_str(&expand(name, &inner)?);
        } else if let Some(rest) = line.strip_prefix("#for ") {
            let malformed = || Error::internal(format_args!("shader line {line}"));
            let (name, count) = rest.split_once(" 0..").ok_or_else(malformed)?;
            let count: usize = count.trim().parse().map_err(|_| malformed())?;
            let length = loop_length(&lines[at..]).ok_or_else(malformed)?;
            for index in 0..count {
                let value = index.to_string();
                let mut inner = vec![(name, value.as_str())];
                inner.extend_from_slice(constants);
                expand_lines(&lines[at..at + length], &inner, out)?;
            }
            at += length + 1;
        } else {
            out.push_str(&line);
            out.push('\n');
        }
    }
    Ok(())
}

/// Lines before the `#end` that belongs to a `#for`.
fn loop_length(lines: &[&str]) -> Option<usize> {
    let mut depth = 0;
    for (index, line) in lines.iter().enumerate() {
        if line.starts_with("#for ") {
            depth += 1;
        } else if line.trim_end() == "#end" {
            if depth == 0 {
                return Some(index);
            }
            depth -= 1;
        }
    }
    None
}

fn substitute(line: &str, constants: &[(&str, &str)]) -> String {
    let mut line = line.to_owned();
    if line.contains("{{") {
        for (name, value) in constants {
            line = line.replace(&format!("{{{{{name}}}}}"), value);
        }
    }
    line
}

/// Names of all files under shaders/.
#[cfg(test)]
pub(super) fn files() -> impl Iterator<Item = &'static str> {
    SOURCES.iter().map(|(file, _)| *file)
}

/// Every kernel in every variant that an operation may ask for.
#[cfg(test)]
pub(super) fn every_kernel() -> Vec<Kernel> {
    let mut kernels: Vec<Kernel> =
        ["column_combine", "cholesky_block", "cholesky_direct", "copy_block", "covariance", "divergence_tile", "equilibrate", "rotary"]
            .iter()
            .chain(&["scale", "select", "softmax_tile"])
            .chain(&["activate", "activate_backward", "sample_tile", "softmax_backward_tile"])
            .chain(&["divergence_change_tile", "similarity_direct", "similarity_tiled", "jacobi", "jacobi_direct"])
            .map(|name| Kernel::new(SOURCES.iter().map(|(file, _)| *file).find(|file| file.strip_suffix(".wgsl") == Some(name)).unwrap()))
            .collect();
    for width in ["vec", "scalar"] {
        for file in [
            "add.wgsl",
            "column_stats.wgsl",
            "cosine_distance.wgsl",
            "direction_changes.wgsl",
            "dot.wgsl",
            "layer_norm.wgsl",
            "layer_norm_tiled.wgsl",
            "multiply.wgsl",
            "norm_backward.wgsl",
            "prefix_sums.wgsl",
            "prefix_sums_direct.wgsl",
            "rms_norm.wgsl",
            "segment_dots.wgsl",
            "without_units.wgsl",
        ] {
            kernels.push(Kernel::new(file).with("WIDTH", width));
        }
        for file in ["attention.wgsl", "attention_backward_keys.wgsl", "attention_backward_queries.wgsl"] {
            kernels.push(Kernel::new(file).with("WIDTH", width).with("LENGTH", 16));
        }
        kernels.push(Kernel::new("sweep_columns.wgsl").with("R", format!("f32_{width}")));
        for dtype in ["f32", "f16", "bf16"] {
            kernels.push(Kernel::new("embed.wgsl").with("TABLE", format!("{dtype}_{width}")));
            for a_order in ["k_inner", "k_outer"] {
                for b_order in ["k_inner", "k_outer"] {
                    for variant in ["direct", "4", "8"] {
                        let kernel = match variant {
                            "direct" => Kernel::new("gemm_direct.wgsl"),
                            "4" => Kernel::new("gemm_tiled.wgsl").with("QUADS", 1).with("COLS", 1),
                            _ => Kernel::new("gemm_tiled.wgsl").with("QUADS", 2).with("COLS", 2),
                        };
                        let kernel = kernel.with("A", format!("f32_{width}")).with("B", format!("{dtype}_{width}"));
                        kernels.push(kernel.with("A_ORDER", a_order).with("B_ORDER", b_order));
                    }
                }
            }
        }
    }
    kernels
}
