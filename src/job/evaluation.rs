//! Evaluating a model by itself, and before and after pruning.

use super::{Inputs, Model};
use crate::base::{Error, Phase, Result, Run};
use crate::calibrate::Store;
use crate::checkpoint::Folder;
use crate::device::Device;
use crate::evaluate::{
    Answers, Classified, Features, Prediction, Quality, Reference, classify, compare, features, next_token_logits, predict,
    predict_and_keep,
};
use crate::model::Head;
use crate::recipe::Recipe;
use crate::text::{LabelledSet, windows};
use serde::{Deserialize, Serialize};

/// What a model is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Labels of sentences.
    Classify,
    /// Last hidden states of sentences.
    Features,
    /// Prediction of the next token.
    Perplexity,
}

/// Which part of the data is used, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scope {
    /// Most examples; tokens of the stream, for perplexity.
    pub limit: Option<usize>,
    /// Tokens in a window, for perplexity.
    pub window: Option<usize>,
    /// Whether perplexity gives the logits of every token too, which are many.
    pub logits: bool,
}

/// Tokens in a window where nothing else is asked for.
const WINDOW: usize = 256;

/// The result of [`evaluate`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "task", rename_all = "lowercase")]
pub enum Evaluation {
    /// Accuracy on labelled sentences.
    Classify {
        /// Share that is right.
        accuracy: f64,
        /// Number of sentences.
        examples: usize,
    },
    /// Number of hidden states; they themselves are what the caller wants.
    Features {
        /// Number of sentences.
        examples: usize,
        /// Number of tokens.
        tokens: usize,
    },
    /// Perplexity of a text.
    Perplexity {
        /// exp of the mean negative log-likelihood.
        perplexity: f64,
        /// Tokens that count.
        tokens: usize,
        /// Tokens in a window, the first included.
        window: usize,
        /// Share of the tokens that count whose logit is the largest.
        token_accuracy: f64,
    },
}

/// Evaluates the model in `folder` on `data`; gives the result and the values behind it, row-major, with their width.
pub async fn evaluate(
    device: &Device,
    run: &Run,
    folder: &Folder,
    task: Task,
    data: &str,
    scope: Scope,
) -> Result<(Evaluation, Vec<f32>, usize)> {
    let model = Model::open(folder).await?;
    let (checkpoint, architecture) = (&model.checkpoint, &model.architecture);
    let tokenizer = model.tokenizer().await?;
    match task {
        Task::Classify => {
            let set = LabelledSet::parse(data, &model.config.label_names(), scope.limit)?;
            let classified = classify(device, run, Phase::EvaluateDense, checkpoint, architecture, &tokenizer, &set).await?;
            let Quality { accuracy, examples, .. } = classified.quality();
            Ok((Evaluation::Classify { accuracy, examples }, classified.logits, classified.classes))
        }
        Task::Features => {
            let lines = sentences(data, scope.limit)?;
            let found = features(device, run, Phase::EvaluateDense, checkpoint, architecture, &tokenizer, &lines).await?;
            let evaluation = Evaluation::Features { examples: found.lengths.len(), tokens: found.lengths.iter().sum() };
            Ok((evaluation, found.states, found.hidden))
        }
        Task::Perplexity => {
            let windows = windows_of(device, &model, data, scope).await?;
            let found = predict(device, run, Phase::EvaluateDense, model.measured(), None, &windows).await?;
            let Prediction { perplexity, tokens, window, token_accuracy, .. } = found;
            let (values, cols) = match scope.logits {
                true => next_token_logits(device, run, Phase::EvaluateDense, model.measured(), &windows).await?,
                false => (Vec::new(), 0),
            };
            Ok((Evaluation::Perplexity { perplexity, tokens, window, token_accuracy }, values, cols))
        }
    }
}

/// What is compared before and after, tokenised by the model's own tokenizer.
pub(super) enum Prepared {
    Nothing,
    Labelled(LabelledSet),
    Lines(Vec<String>),
    Windows(Vec<Vec<u32>>),
}

/// What a model gave on it.
pub(super) enum Measured {
    Labelled(Classified),
    Lines(Features),
    /// With what is needed to compare other models with it, where that was kept.
    Predicted(Prediction, Option<Answers>),
}

/// How good a model is, for the report.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "task", rename_all = "lowercase")]
pub enum Measure {
    /// Of a classifier.
    Classify(Quality),
    /// Of a model without a head.
    Features {
        /// 1 - mean cosine similarity of token states to the dense model's.
        #[serde(skip_serializing_if = "Option::is_none")]
        distance: Option<f64>,
        /// Number of sentences.
        examples: usize,
    },
    /// Of a causal language model.
    Perplexity(Prediction),
}

impl Prepared {
    pub(super) async fn new(device: &Device, model: &Model, recipe: &Recipe, inputs: &Inputs) -> Result<Self> {
        let Some(data) = &inputs.evaluation else { return Ok(Self::Nothing) };
        let options = recipe.evaluation.clone().unwrap_or_default();
        let scope = Scope { limit: options.limit, window: options.window, logits: false };
        let limit = scope.limit;
        Ok(match model.architecture.head {
            Head::CausalLm { .. } => Self::Windows(windows_of(device, model, data, scope).await?),
            Head::Classifier { .. } => Self::Labelled(LabelledSet::parse(data, &model.config.label_names(), limit)?),
            _ => Self::Lines(sentences(data, limit)?),
        })
    }

    /// Tokens that will be run, roughly where they are not counted yet.
    pub(super) fn tokens(&self) -> usize {
        // An ordinary sentence.
        const SENTENCE: usize = 32;
        match self {
            Self::Nothing => 0,
            Self::Labelled(set) => SENTENCE * set.examples.len(),
            Self::Lines(lines) => SENTENCE * lines.len(),
            Self::Windows(windows) => windows.iter().map(Vec::len).sum(),
        }
    }

    pub(super) async fn run(
        &self,
        device: &Device,
        run: &Run,
        phase: Phase,
        model: &Model,
        reference: Option<Reference<'_>>,
    ) -> Result<Option<Measured>> {
        let (checkpoint, architecture) = (&model.checkpoint, &model.architecture);
        Ok(match self {
            Self::Nothing => None,
            Self::Labelled(set) => {
                let tokenizer = model.tokenizer().await?;
                Some(Measured::Labelled(classify(device, run, phase, checkpoint, architecture, &tokenizer, set).await?))
            }
            Self::Lines(lines) => {
                let tokenizer = model.tokenizer().await?;
                Some(Measured::Lines(features(device, run, phase, checkpoint, architecture, &tokenizer, lines).await?))
            }
            Self::Windows(windows) => {
                Some(Measured::Predicted(predict(device, run, phase, model.measured(), reference, windows).await?, None))
            }
        })
    }

    /// Runs the dense model, and keeps what many other models can be compared with.
    pub(super) async fn run_and_keep(&self, device: &Device, run: &Run, model: &Model, store: &Store) -> Result<Option<Measured>> {
        let Self::Windows(windows) = self else { return self.run(device, run, Phase::EvaluateDense, model, None).await };
        let (prediction, answers) = predict_and_keep(device, run, Phase::EvaluateDense, model.measured(), windows, store).await?;
        Ok(Some(Measured::Predicted(prediction, Some(answers))))
    }
}

impl Measured {
    /// This, given by `model`, as what others are compared with.
    pub(super) fn reference<'a>(&'a self, model: &'a Model, store: &'a Store) -> Reference<'a> {
        match self {
            Self::Predicted(_, Some(answers)) => Reference::Kept(model.measured(), answers, store),
            _ => Reference::Run(model.measured()),
        }
    }

    pub(super) fn quality(&self) -> Measure {
        match self {
            Self::Labelled(classified) => Measure::Classify(classified.quality()),
            Self::Lines(features) => Measure::Features { distance: None, examples: features.lengths.len() },
            Self::Predicted(prediction, _) => Measure::Perplexity(*prediction),
        }
    }

    pub(super) fn compared(&self, reference: &Self) -> Measure {
        match (self, reference) {
            (Self::Labelled(own), Self::Labelled(reference)) => Measure::Classify(compare(own, reference)),
            (Self::Lines(own), Self::Lines(reference)) => {
                // Of unequal widths there is no angle.
                let distance = (own.hidden == reference.hidden).then(|| own.distance(reference));
                Measure::Features { distance, examples: own.lengths.len() }
            }
            _ => self.quality(),
        }
    }
}

/// The sentences of a text: its lines, without labels where it is a labelled set.
fn sentences(data: &str, limit: Option<usize>) -> Result<Vec<String>> {
    let lines: Vec<String> = crate::text::sentences(data).into_iter().take(limit.unwrap_or(usize::MAX)).map(str::to_owned).collect();
    if lines.is_empty() {
        return Err(Error::input("The evaluation data has no line of text; give a file with at least one."));
    }
    Ok(lines)
}

/// The windows of a text that perplexity is measured on.
async fn windows_of(device: &Device, model: &Model, data: &str, scope: Scope) -> Result<Vec<Vec<u32>>> {
    let positions = model.architecture.positions;
    let window = scope.window.unwrap_or(WINDOW.min(positions));
    if window < 2 || window > positions {
        return Err(Error::recipe(format!(
            "A window of {window} tokens cannot be evaluated; choose 2 to {positions}, the model's positions."
        )));
    }
    let stream = model.tokenizer().await?.encode_long(data, scope.limit, device.cancel()).await?;
    let found = windows(&stream, window, model.architecture.bos);
    if found.is_empty() {
        return Err(Error::input(format!(
            "The evaluation data has only {} tokens, fewer than one window of {window}; give more text or a smaller window.",
            stream.len()
        )));
    }
    Ok(found)
}

impl Model {
    /// For measuring.
    fn measured(&self) -> crate::evaluate::Measured<'_> {
        crate::evaluate::Measured { checkpoint: &self.checkpoint, architecture: &self.architecture }
    }
}
