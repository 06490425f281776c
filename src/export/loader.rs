//! The Python file that lets Transformers load a `sliced` output.

use crate::base::{Error, Result};
use crate::checkpoint::OutputFile;
use serde_json::{Map, Value};

/// Name of the loader's module in an output folder.
pub(super) const MODULE: &str = "modeling_coppice";

/// A family's loader.
pub(super) struct Loader {
    family: &'static str,
    source: &'static str,
    /// Transformers' automatic classes, and the loader's class for each.
    classes: &'static [(&'static str, &'static str)],
}

const LOADERS: &[Loader] = &[
    Loader {
        family: "bert",
        source: include_str!("loaders/modeling_coppice_bert.py"),
        classes: &[
            ("AutoConfig", "CoppiceBertConfig"),
            ("AutoModel", "CoppiceBertModel"),
            ("AutoModelForSequenceClassification", "CoppiceBertForSequenceClassification"),
            ("AutoModelForMaskedLM", "CoppiceBertForMaskedLM"),
            ("AutoModelForPreTraining", "CoppiceBertForPreTraining"),
            ("AutoModelForNextSentencePrediction", "CoppiceBertForNextSentencePrediction"),
            ("AutoModelForTokenClassification", "CoppiceBertForTokenClassification"),
            ("AutoModelForQuestionAnswering", "CoppiceBertForQuestionAnswering"),
            ("AutoModelForMultipleChoice", "CoppiceBertForMultipleChoice"),
        ],
    },
    Loader {
        family: "distilbert",
        source: include_str!("loaders/modeling_coppice_distilbert.py"),
        classes: &[
            ("AutoConfig", "CoppiceDistilBertConfig"),
            ("AutoModel", "CoppiceDistilBertModel"),
            ("AutoModelForSequenceClassification", "CoppiceDistilBertForSequenceClassification"),
            ("AutoModelForMaskedLM", "CoppiceDistilBertForMaskedLM"),
            ("AutoModelForTokenClassification", "CoppiceDistilBertForTokenClassification"),
            ("AutoModelForQuestionAnswering", "CoppiceDistilBertForQuestionAnswering"),
            ("AutoModelForMultipleChoice", "CoppiceDistilBertForMultipleChoice"),
        ],
    },
    Loader {
        family: "gpt2",
        source: include_str!("loaders/modeling_coppice_gpt2.py"),
        classes: &[
            ("AutoConfig", "CoppiceGPT2Config"),
            ("AutoModel", "CoppiceGPT2Model"),
            ("AutoModelForCausalLM", "CoppiceGPT2LMHeadModel"),
            ("AutoModelForSequenceClassification", "CoppiceGPT2ForSequenceClassification"),
            ("AutoModelForTokenClassification", "CoppiceGPT2ForTokenClassification"),
            ("AutoModelForQuestionAnswering", "CoppiceGPT2ForQuestionAnswering"),
        ],
    },
    Loader {
        family: "llama",
        source: include_str!("loaders/modeling_coppice_llama.py"),
        classes: &[
            ("AutoConfig", "CoppiceLlamaConfig"),
            ("AutoModel", "CoppiceLlamaModel"),
            ("AutoModelForCausalLM", "CoppiceLlamaForCausalLM"),
            ("AutoModelForSequenceClassification", "CoppiceLlamaForSequenceClassification"),
        ],
    },
    Loader {
        family: "opt",
        source: include_str!("loaders/modeling_coppice_opt.py"),
        classes: &[
            ("AutoConfig", "CoppiceOPTConfig"),
            ("AutoModel", "CoppiceOPTModel"),
            ("AutoModelForCausalLM", "CoppiceOPTForCausalLM"),
            ("AutoModelForSequenceClassification", "CoppiceOPTForSequenceClassification"),
            ("AutoModelForQuestionAnswering", "CoppiceOPTForQuestionAnswering"),
        ],
    },
    Loader {
        family: "qwen2",
        source: include_str!("loaders/modeling_coppice_qwen2.py"),
        classes: &[
            ("AutoConfig", "CoppiceQwen2Config"),
            ("AutoModel", "CoppiceQwen2Model"),
            ("AutoModelForCausalLM", "CoppiceQwen2ForCausalLM"),
            ("AutoModelForSequenceClassification", "CoppiceQwen2ForSequenceClassification"),
        ],
    },
    Loader {
        family: "roberta",
        source: include_str!("loaders/modeling_coppice_roberta.py"),
        classes: &[
            ("AutoConfig", "CoppiceRobertaConfig"),
            ("AutoModel", "CoppiceRobertaModel"),
            ("AutoModelForSequenceClassification", "CoppiceRobertaForSequenceClassification"),
            ("AutoModelForMaskedLM", "CoppiceRobertaForMaskedLM"),
            ("AutoModelForTokenClassification", "CoppiceRobertaForTokenClassification"),
            ("AutoModelForQuestionAnswering", "CoppiceRobertaForQuestionAnswering"),
            ("AutoModelForMultipleChoice", "CoppiceRobertaForMultipleChoice"),
        ],
    },
];

/// What the classes of a `factored` output begin with, whatever the family.
const FACTORED: &str = include_str!("loaders/factored.py");

/// What the names of the loader's classes begin with, before that of the stock class.
const PREFIX: &str = "Coppice";

/// The loader of a family.
///
/// # Errors
/// It has none.
pub(super) fn find(family: &str) -> Result<&'static Loader> {
    LOADERS
        .iter()
        .find(|loader| loader.family == family)
        .ok_or_else(|| Error::recipe(format!("Coppice has no loader for {family} models; choose output kind \"stock\".")))
}

impl Loader {
    /// The file for the output folder.
    pub(super) fn file(&self) -> OutputFile {
        OutputFile::text(format!("{MODULE}.py"), self.source.to_owned())
    }

    /// The file for a `factored` output: the family's own classes, whose factored layers are replaced.
    pub(super) fn factored_file(&self) -> OutputFile {
        let class = |name: &str| {
            let stock = name.strip_prefix(PREFIX).unwrap_or(name);
            format!("\n\nclass {name}(Factored, transformers.{stock}):\n    \"\"\"{stock}, with factored layers.\"\"\"\n")
        };
        let classes: String = self.factored_classes().map(|(_, name)| class(name)).collect();
        OutputFile::text(format!("{MODULE}.py"), format!("{FACTORED}{classes}"))
    }

    /// The config's `auto_map` for it. The config's class is the stock one.
    pub(super) fn factored_map(&self) -> Map<String, Value> {
        self.factored_classes().map(|(auto, class)| (auto.to_owned(), format!("{MODULE}.{class}").into())).collect()
    }

    fn factored_classes(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.classes.iter().copied().filter(|(auto, _)| *auto != "AutoConfig")
    }

    /// The config's `auto_map`, which tells Transformers where its automatic classes find the loader's.
    pub(super) fn auto_map(&self) -> Map<String, Value> {
        self.classes.iter().map(|(auto, class)| ((*auto).to_owned(), format!("{MODULE}.{class}").into())).collect()
    }
}
