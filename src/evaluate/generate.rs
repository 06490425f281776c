//! Text from a causal language model, token by token, with a cache of keys and values.

use super::batch_tokens;
use super::sample::{Sampler, Sampling};
use super::stop_text::StopText;
use crate::base::{Error, Instant, Phase, Result, Run};
use crate::checkpoint::Checkpoint;
use crate::device::Device;
use crate::forward::{Cache, Footprint, Resident};
use crate::model::Architecture;
use crate::text::{DecodeStream, Tokenizer};
use serde::{Deserialize, Serialize};
use std::rc::Rc;

/// How text is generated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GenerateOptions {
    /// Most tokens to generate.
    pub max_tokens: usize,
    /// 0 takes the most probable token each time; see [`Sampling`].
    pub temperature: f64,
    /// See [`Sampling`]; 0 is no limit.
    pub top_k: usize,
    /// See [`Sampling`]; 1 is no limit.
    pub top_p: f64,
    /// Seed of the draws.
    pub seed: u64,
    /// Strings that end the text before them.
    pub stop: Vec<String>,
    /// Tokens that end the text, beside those that the model's folder names.
    pub stop_tokens: Vec<u32>,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self { max_tokens: 128, temperature: 0.0, top_k: 0, top_p: 1.0, seed: 0, stop: Vec::new(), stop_tokens: Vec::new() }
    }
}

impl GenerateOptions {
    /// Reads options from JSON; those that are not there have their defaults.
    ///
    /// # Errors
    /// A field is unknown or has a value of another kind.
    pub fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| Error::recipe(format!("The options of the text to generate are not right: {error}.")))
    }

    fn sampling(&self) -> Sampling {
        Sampling { temperature: self.temperature, top_k: self.top_k, top_p: self.top_p, seed: self.seed }
    }
}

/// A generated token.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Token {
    /// Its id.
    pub id: u32,
    /// Text that is certain with it; empty while a character or a stop string may be unfinished.
    pub text: String,
    /// Seconds that it took; the first takes the prompt along.
    pub seconds: f64,
    /// Why the text ended, with its last token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
}

/// Why a text ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The last token is one that ends texts.
    StopToken,
    /// A stop string came.
    StopText,
    /// As many tokens as were asked for.
    MaxTokens,
    /// Prompt and text have as many tokens as the model has positions.
    ContextFull,
}

impl Ending {
    /// The reason in words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::StopToken => "the model ended the text",
            Self::StopText => "a stop string came",
            Self::MaxTokens => "that is as many as were asked for",
            Self::ContextFull => "the context is full: prompt and text have as many tokens as the model has positions",
        }
    }
}

/// A text that is being generated. Several may be stepped in turn on one device.
pub struct Generator {
    checkpoint: Checkpoint,
    architecture: Architecture,
    resident: Resident,
    caches: Vec<Cache>,
    footprint: Footprint,
    sampler: Sampler,
    decoder: Option<DecodeStream<Rc<Tokenizer>>>,
    watch: StopText,
    stop_tokens: Vec<u32>,
    /// Tokens that the model has not seen yet: the prompt, later the last token.
    pending: Vec<u32>,
    prompt: usize,
    made: usize,
    max_tokens: usize,
    ending: Option<Ending>,
}

impl Generator {
    /// Brings the model to the device and tokenises the prompt as the tokenizer does by itself; an empty prompt is the token that
    /// begins texts.
    ///
    /// # Errors
    /// The model is no causal language model, an option or the prompt makes no sense, or weights and cache do not fit the device's
    /// budget: the sentence has the figures.
    pub async fn new(
        device: &Device,
        run: &Run,
        checkpoint: Checkpoint,
        architecture: Architecture,
        tokenizer: Tokenizer,
        prompt: &str,
        options: &GenerateOptions,
    ) -> Result<Self> {
        options.sampling().check()?;
        if options.max_tokens == 0 {
            return Err(Error::recipe("max_tokens is 0; ask for at least 1 token."));
        }
        // The kind of model is wrong before anything else is.
        Resident::footprint(device, &checkpoint, &architecture, 0)?;
        let pending = prompt_ids(&tokenizer, &architecture, prompt)?;
        let capacity = pending.len().saturating_add(options.max_tokens).min(architecture.positions);
        let footprint = Resident::footprint(device, &checkpoint, &architecture, capacity)?;
        fit(device, footprint, capacity)?;
        let depth = architecture.layers.len();
        let on_layer = |index: usize| run.report(Phase::Open, Some(index), depth, index as f64 / depth as f64);
        let resident = Resident::upload(device, &checkpoint, &architecture, on_layer).await?;
        let caches = resident.caches(device, capacity).await?;
        let stop_tokens = tokenizer.eos().iter().chain(&options.stop_tokens).copied().collect();
        let mut decoder = DecodeStream::new(Rc::new(tokenizer), true);
        for &id in &pending {
            // The text of a token depends on those before it.
            decoder.push(id)?;
        }
        run.report(Phase::Open, None, depth, 1.0);
        Ok(Self {
            resident,
            caches,
            footprint,
            sampler: Sampler::new(options.sampling()),
            decoder: Some(decoder),
            watch: StopText::new(&options.stop),
            stop_tokens,
            prompt: pending.len(),
            pending,
            made: 0,
            max_tokens: options.max_tokens,
            ending: None,
            checkpoint,
            architecture,
        })
    }

    /// The next token; none where the text has ended. After an error the text cannot go on.
    ///
    /// # Errors
    /// The device fails or is cancelled, or the model's numbers are not finite.
    pub async fn next(&mut self, device: &Device) -> Result<Option<Token>> {
        if self.ending.is_some() {
            return Ok(None);
        }
        let clock = Instant::now();
        let logits = self.logits(device).await?;
        let id = self.sampler.choose(&logits)?;
        self.pending.push(id);
        self.made += 1;
        let text = self.take(id)?;
        Ok(Some(Token { id, text, seconds: clock.elapsed().as_secs_f64(), ending: self.ending }))
    }

    /// Why the text ended, where it has.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Tokens of the prompt, special ones counted.
    pub fn prompt_tokens(&self) -> usize {
        self.prompt
    }

    /// What the model and its cache take on the device.
    pub fn footprint(&self) -> Footprint {
        self.footprint
    }

    /// Logits after all tokens so far; runs those that the model has not seen, a long prompt in parts.
    async fn logits(&mut self, device: &Device) -> Result<Vec<f32>> {
        let mut state = None;
        for ids in self.pending.chunks(batch_tokens(device)) {
            state = Some(self.resident.advance(device, &self.checkpoint, &self.architecture, ids, &mut self.caches).await?);
        }
        self.pending.clear();
        let state = state.ok_or_else(|| Error::internal("generation without a token to go on from"))?;
        self.resident.logits(device, &state).await
    }

    /// Notes a token and whether it ends the text; gives the text that is certain with it.
    fn take(&mut self, id: u32) -> Result<String> {
        let mut text = String::new();
        if self.stop_tokens.contains(&id) {
            self.ending = Some(Ending::StopToken);
        } else {
            let piece = self.decoder.as_mut().map(|decoder| decoder.push(id)).transpose()?.flatten();
            let (certain, stopped) = self.watch.push(piece.as_deref().unwrap_or_default());
            text = certain;
            if stopped {
                self.ending = Some(Ending::StopText);
                return Ok(text);
            } else if self.made == self.max_tokens {
                self.ending = Some(Ending::MaxTokens);
            } else if self.prompt + self.made >= self.architecture.positions {
                self.ending = Some(Ending::ContextFull);
            }
        }
        if self.ending.is_some() {
            let rest = self.decoder.take().map(DecodeStream::finish).transpose()?.flatten();
            let (certain, stopped) = self.watch.push(rest.as_deref().unwrap_or_default());
            text.push_str(&certain);
            if stopped {
                self.ending = Some(Ending::StopText);
            }
            text.push_str(&self.watch.finish());
        }
        Ok(text)
    }
}

/// Token ids of a prompt, checked against the model.
fn prompt_ids(tokenizer: &Tokenizer, architecture: &Architecture, prompt: &str) -> Result<Vec<u32>> {
    let mut ids = tokenizer.encode(prompt, true)?;
    if ids.is_empty() {
        ids.extend(architecture.bos);
    }
    if ids.is_empty() {
        return Err(Error::recipe("The prompt is empty, and this model has no token that begins texts; give a prompt of at least a word."));
    }
    if let Some(id) = ids.iter().find(|&&id| id as usize >= architecture.vocabulary) {
        return Err(Error::input(format!(
            "The tokenizer gave id {id}, but the model's vocabulary has {} entries; the tokenizer belongs to a different model.",
            architecture.vocabulary
        )));
    }
    if ids.len() >= architecture.positions {
        return Err(Error::recipe(format!(
            "The prompt has {} tokens and the model {} positions, which leaves none for an answer; shorten the prompt.",
            ids.len(),
            architecture.positions
        )));
    }
    Ok(ids)
}

/// Refuses what the device's budget does not hold.
fn fit(device: &Device, footprint: Footprint, capacity: usize) -> Result<()> {
    let Footprint { weights, cache } = footprint;
    let (live, budget) = (device.ledger().live(), device.budget());
    if weights + cache + live <= budget {
        return Ok(());
    }
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let used = if live > 0 { format!(", of which {} are in use", mib(live)) } else { String::new() };
    Err(Error::budget(format!(
        "Generation keeps the whole model on the device, {} of weights and {} of cache for {capacity} tokens, but may use {}{used}; allow it more memory, ask for fewer tokens, or prune the model further.",
        mib(weights),
        mib(cache),
        mib(budget)
    )))
}

#[cfg(test)]
mod tests;
