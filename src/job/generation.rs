//! Generating text with the model of a folder.

use super::Model;
use crate::base::{Result, Run};
use crate::checkpoint::Folder;
use crate::device::Device;
use crate::evaluate::{Ending, GenerateOptions, Generator, Token};
use serde::Serialize;
use std::ops::ControlFlow;

/// A text that was generated.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Generated {
    /// The text, without the prompt.
    pub text: String,
    /// Why it ended; absent where it was stopped.
    pub ending: Option<Ending>,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Ids of the generated tokens, a closing stop token among them.
    pub tokens: Vec<u32>,
    /// Tokens a second, after the first, which takes the prompt along.
    pub tokens_per_second: Option<f64>,
}

/// Opens the model of a folder and brings it to the device, ready to be stepped by [`Generator::next`].
pub async fn generator(device: &Device, run: &Run, folder: &Folder, prompt: &str, options: &GenerateOptions) -> Result<Generator> {
    let model = Model::open(folder).await?;
    let tokenizer = model.tokenizer().await?;
    Generator::new(device, run, model.checkpoint, model.architecture, tokenizer, prompt, options).await
}

/// Generates a whole text; `on_token` is given each token as it comes, and may break off.
pub async fn generate(
    device: &Device,
    run: &Run,
    folder: &Folder,
    prompt: &str,
    options: &GenerateOptions,
    mut on_token: impl FnMut(&Token) -> Result<ControlFlow<()>>,
) -> Result<Generated> {
    let mut generator = generator(device, run, folder, prompt, options).await?;
    let mut generated = Generated {
        text: String::new(),
        ending: None,
        prompt_tokens: generator.prompt_tokens(),
        tokens: Vec::new(),
        tokens_per_second: None,
    };
    let mut seconds = 0.0;
    while let Some(token) = generator.next(device).await? {
        let flow = on_token(&token)?;
        generated.text.push_str(&token.text);
        if !generated.tokens.is_empty() {
            seconds += token.seconds;
        }
        generated.tokens.push(token.id);
        if flow.is_break() {
            break;
        }
    }
    generated.ending = generator.ending();
    let later = generated.tokens.len().saturating_sub(1);
    generated.tokens_per_second = (later > 0 && seconds > 0.0).then(|| later as f64 / seconds);
    Ok(generated)
}
