//! Small random models in memory, for the tests of every room.

mod decoder;

pub(crate) use decoder::{Family, TinyDecoder};

use super::{Architecture, Config, Head};
use crate::base::Random;
use crate::checkpoint::{Checkpoint, Data, Dtype, Folder, MemorySource, OutputFile, OutputTensor, Source, encode, lay_out};
use pollster::block_on;
use serde_json::json;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What sits on top of a small BERT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Top {
    /// Encoder and pooler, tensor names without the `bert.` prefix.
    None,
    /// Pooler and a classifier of this many labels.
    Classifier(usize),
    /// Masked-LM head, its decoder tied to the token table.
    MaskedLm,
}

/// A small BERT with normally distributed weights.
#[derive(Debug, Clone)]
pub(crate) struct TinyBert {
    pub(crate) hidden: usize,
    pub(crate) heads: usize,
    pub(crate) neurons: usize,
    pub(crate) layers: usize,
    pub(crate) vocabulary: usize,
    pub(crate) positions: usize,
    pub(crate) top: Top,
    pub(crate) dtype: Dtype,
    pub(crate) seed: u64,
}

impl Default for TinyBert {
    fn default() -> Self {
        Self {
            hidden: 16,
            heads: 4,
            neurons: 24,
            layers: 3,
            vocabulary: 40,
            positions: 32,
            top: Top::Classifier(3),
            dtype: Dtype::F32,
            seed: 1,
        }
    }
}

impl TinyBert {
    /// config.json, model.safetensors, vocab.txt and tokenizer_config.json.
    pub(crate) fn folder(&self) -> Folder {
        let mut files = lay_out(self.tensors(), &BTreeMap::from([("format".to_owned(), "pt".to_owned())]), u64::MAX).unwrap();
        files.push(OutputFile::text("config.json", self.config().to_text()));
        files.push(OutputFile::text("vocab.txt", self.words().join("\n")));
        files.push(OutputFile::text(
            "tokenizer_config.json",
            json!({ "do_lower_case": true, "tokenizer_class": "BertTokenizer" }).to_string(),
        ));
        folder_of(&files)
    }

    /// The config, in an order of its own.
    pub(crate) fn config(&self) -> Config {
        let class = match self.top {
            Top::None => "BertModel",
            Top::Classifier(_) => "BertForSequenceClassification",
            Top::MaskedLm => "BertForMaskedLM",
        };
        let labels = if let Top::Classifier(labels) = self.top { labels } else { 2 };
        let fields = json!({
            "model_type": "bert",
            "architectures": [class],
            "vocab_size": self.vocabulary,
            "hidden_size": self.hidden,
            "intermediate_size": self.neurons,
            "num_attention_heads": self.heads,
            "num_hidden_layers": self.layers,
            "max_position_embeddings": self.positions,
            "type_vocab_size": 2,
            "hidden_act": "gelu",
            "layer_norm_eps": 1e-12,
            "torch_dtype": match self.dtype { Dtype::F16 => "float16", Dtype::BF16 => "bfloat16", _ => "float32" },
            "id2label": (0..labels).map(|label| (label.to_string(), format!("LABEL_{label}").into())).collect::<serde_json::Map<_, _>>(),
            "label2id": (0..labels).map(|label| (format!("LABEL_{label}"), label.into())).collect::<serde_json::Map<_, _>>(),
        });
        Config::parse(&fields.to_string()).unwrap()
    }

    fn words(&self) -> Vec<String> {
        let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(str::to_owned);
        special.into_iter().chain((0..).map(|i| format!("word{i}"))).take(self.vocabulary).collect()
    }

    fn tensors(&self) -> Vec<OutputTensor> {
        let mut made = Maker { random: Random::new(self.seed), dtype: self.dtype, tensors: Vec::new() };
        let (hidden, neurons) = (self.hidden, self.neurons);
        let prefix = if self.top == Top::None { "" } else { "bert." };
        made.normal(&format!("{prefix}embeddings.word_embeddings.weight"), &[self.vocabulary, hidden], 1.0);
        made.normal(&format!("{prefix}embeddings.position_embeddings.weight"), &[self.positions, hidden], 0.5);
        made.normal(&format!("{prefix}embeddings.token_type_embeddings.weight"), &[2, hidden], 0.5);
        made.norm(&format!("{prefix}embeddings.LayerNorm"), hidden);
        for index in 0..self.layers {
            let at = format!("{prefix}encoder.layer.{index}");
            for name in ["query", "key", "value"] {
                made.linear(&format!("{at}.attention.self.{name}"), hidden, hidden);
            }
            made.linear(&format!("{at}.attention.output.dense"), hidden, hidden);
            made.norm(&format!("{at}.attention.output.LayerNorm"), hidden);
            made.linear(&format!("{at}.intermediate.dense"), neurons, hidden);
            made.linear(&format!("{at}.output.dense"), hidden, neurons);
            made.norm(&format!("{at}.output.LayerNorm"), hidden);
        }
        if self.top != Top::MaskedLm {
            made.linear(&format!("{prefix}pooler.dense"), hidden, hidden);
        }
        match self.top {
            Top::None => {}
            Top::Classifier(labels) => made.linear("classifier", labels, hidden),
            Top::MaskedLm => {
                made.linear("cls.predictions.transform.dense", hidden, hidden);
                made.norm("cls.predictions.transform.LayerNorm", hidden);
                made.normal("cls.predictions.bias", &[self.vocabulary], 0.5);
            }
        }
        made.tensors
    }
}

/// A folder, opened.
pub(crate) struct Opened {
    pub(crate) folder: Folder,
    pub(crate) config: Config,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) architecture: Architecture,
}

/// Opens a model folder as a job does.
pub(crate) fn open(folder: Folder) -> Opened {
    block_on(async {
        let config = Config::parse(&folder.text("config.json").await.unwrap()).unwrap();
        let checkpoint = Checkpoint::open(&folder).await.unwrap();
        let architecture = Architecture::new(&config, &checkpoint).unwrap();
        Opened { folder, config, checkpoint, architecture }
    })
}

/// Output files as a folder in memory.
pub(crate) fn folder_of(files: &[OutputFile]) -> Folder {
    let sources = files.iter().map(|file| {
        let mut bytes = Vec::new();
        for part in &file.parts {
            bytes.extend(block_on(part.source.read(part.range.clone())).unwrap());
        }
        Rc::new(MemorySource::new(file.name.clone(), bytes)) as Source
    });
    Folder::new(sources.collect()).unwrap()
}

struct Maker {
    random: Random,
    dtype: Dtype,
    tensors: Vec<OutputTensor>,
}

impl Maker {
    fn put(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let source = Rc::new(MemorySource::new(name, encode(self.dtype, values).bytes));
        let shape = shape.iter().map(|&n| n as u64).collect();
        self.tensors.push(OutputTensor { name: name.to_owned(), dtype: self.dtype, shape, data: Data::Changed(source) });
    }

    fn normal(&mut self, name: &str, shape: &[usize], deviation: f64) {
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| (self.random.normal() * deviation) as f32).collect();
        self.put(name, shape, &values);
    }

    fn linear(&mut self, at: &str, outputs: usize, inputs: usize) {
        self.normal(&format!("{at}.weight"), &[outputs, inputs], 1.0 / (inputs as f64).sqrt());
        self.normal(&format!("{at}.bias"), &[outputs], 0.2);
    }

    fn conv1d(&mut self, at: &str, outputs: usize, inputs: usize) {
        self.normal(&format!("{at}.weight"), &[inputs, outputs], 1.0 / (inputs as f64).sqrt());
        self.normal(&format!("{at}.bias"), &[outputs], 0.2);
    }

    fn gain(&mut self, at: &str, width: usize) {
        let gains: Vec<f32> = (0..width).map(|_| (1.0 + 0.1 * self.random.normal()) as f32).collect();
        self.put(&format!("{at}.weight"), &[width], &gains);
    }

    fn norm(&mut self, at: &str, width: usize) {
        self.gain(at, width);
        self.normal(&format!("{at}.bias"), &[width], 0.1);
    }
}

#[test]
fn every_top_is_understood() {
    for top in [Top::None, Top::Classifier(3), Top::MaskedLm] {
        let opened = open(TinyBert { top, ..TinyBert::default() }.folder());
        let is = match &opened.architecture.head {
            Head::None => Top::None,
            Head::Classifier { classifier, .. } => Top::Classifier(classifier.outputs),
            Head::CausalLm { .. } => unreachable!("a BERT"),
            Head::MaskedLm { .. } => Top::MaskedLm,
        };
        assert_eq!(is, top);
        assert_eq!(opened.architecture.layers.len(), 3);
    }
}
