//! The two uses Coppice has for wasm-bindgen, without the 290 crates of its own command:
//! `coppice-bindgen page IN.wasm DIR` writes `DIR/coppice.js` and `DIR/coppice_bg.wasm` for the page;
//! `coppice-bindgen test IN.wasm [FILTER]` runs a wasm test binary in Node (Cargo's runner for the target).

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

fn page(input: &Path, out: &Path) -> Result<()> {
    let mut bindgen = Bindgen::new();
    bindgen.web(true)?.typescript(true).input_path(input).out_name("coppice");
    bindgen.remove_name_section(true).remove_producers_section(true);
    bindgen.generate(out).with_context(|| format!("wasm-bindgen could not read {}", input.display()))
}

fn test(input: &Path, filter: &str) -> Result<()> {
    let stem = input.file_stem().and_then(|s| s.to_str()).context("the test binary has no name")?;
    let out = input.with_file_name(format!("{stem}.node"));
    let mut bindgen = Bindgen::new();
    // The tests are plain wasm exports: the runner script reaches them through `__wasm`.
    bindgen.nodejs(true)?.export_wasm(true).emit_start(false).debug(true);
    bindgen.input_path(input).out_name("tests").generate(&out)?;
    let runner = concat!(env!("CARGO_MANIFEST_DIR"), "/run-tests.cjs");
    let status = Command::new("node").arg(runner).arg(&out).arg(filter).status().context("Node could not be started; install Node 20")?;
    if status.success() { Ok(()) } else { bail!("wasm tests failed") }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["page", input, out] => page(Path::new(input), Path::new(out)),
        ["test", input] => test(Path::new(input), ""),
        ["test", input, filter, ..] => test(Path::new(input), if filter.starts_with('-') { "" } else { filter }),
        _ => Err(anyhow::anyhow!("usage: coppice-bindgen page IN.wasm DIR | coppice-bindgen test IN.wasm [FILTER]")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
