//! `coppice generate`.

use crate::{DeviceArguments, clear_progress, open_device, print, run, tell, to_json};
use coppice::base::{Error, Result};
use coppice::checkpoint::Folder;
use coppice::evaluate::{GenerateOptions, Token};
use coppice::job::generate;
use std::cell::Cell;
use std::io::{ErrorKind, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct GenerateArguments {
    /// Model folder.
    dir: PathBuf,
    /// Text to go on from.
    #[arg(long)]
    prompt: String,
    /// Most tokens to generate.
    #[arg(long, default_value_t = 128, value_parser = count, allow_negative_numbers = true)]
    max_tokens: usize,
    /// 0 takes the most probable token each time; higher draws more freely.
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    temperature: f64,
    /// Draw from so many of the most probable tokens only; 0 is no limit.
    #[arg(long, default_value_t = 0, value_parser = count, allow_negative_numbers = true)]
    top_k: usize,
    /// Draw from the most probable tokens that together have this probability only.
    #[arg(long, default_value_t = 1.0, allow_negative_numbers = true)]
    top_p: f64,
    /// Seed of the draws.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// A text that ends the answer before it; may be given several times.
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    /// A token id that ends the answer, beside those that the model names; may be given several times.
    #[arg(long, value_name = "ID")]
    stop_token: Vec<u32>,
    /// Print one line of JSON at the end instead of the text as it comes.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArguments,
}

/// Streams the text to standard output, and says at the end on standard error why it ended.
pub(crate) async fn execute(arguments: GenerateArguments) -> Result<()> {
    let GenerateArguments { dir, prompt, max_tokens, temperature, top_k, top_p, seed, stop, stop_token, json, device } = arguments;
    let options = GenerateOptions { max_tokens, temperature, top_k, top_p, seed, stop, stop_tokens: stop_token };
    let folder = Folder::open(&dir)?;
    let (cancel, run) = run();
    let device = open_device(device, cancel).await?;
    let begun = Cell::new(false);
    let stream = |token: &Token| {
        if !begun.replace(true) {
            clear_progress();
        }
        if json { Ok(ControlFlow::Continue(())) } else { show(&token.text) }
    };
    let generated = generate(&device, &run, &folder, &prompt, &options, stream).await?;
    if json {
        return print(&to_json(&generated)?);
    }
    let Some(ending) = generated.ending else { return Ok(()) };
    print("")?;
    let speed = generated.tokens_per_second.map_or(String::new(), |speed| format!(", {speed:.1} a second"));
    tell(&format!("{} tokens{speed}; {}.\n", generated.tokens.len(), ending.reason()));
    Ok(())
}

/// Prints a piece of text at once; nobody who reads any more is a reason to end, not an error.
fn show(text: &str) -> Result<ControlFlow<()>> {
    let mut out = std::io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(Error::io(format!("Standard output could not be written ({error})."))),
    }
}

fn count(text: &str) -> std::result::Result<usize, String> {
    text.parse().map_err(|_| "give a whole number that is not negative, such as 40".to_owned())
}
