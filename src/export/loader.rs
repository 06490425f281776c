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

/// The loader of a family.
///
/// # Errors
/// It has none.
pub(super) fn find(family: &str) -> Result<&'static Loader> {
    LOADERS
        .iter()
        .find(|loader| loader.family == family)
        .ok_or_else(|| Error::recipe(format!("Output kind \"sliced\" has no loader for {family} models; choose output kind \"stock\".")))
}

impl Loader {
    /// The file for the output folder.
    pub(super) fn file(&self) -> OutputFile {
        OutputFile::text(format!("{MODULE}.py"), self.source.to_owned())
    }

    /// The config's `auto_map`, which tells Transformers where its automatic classes find the loader's.
    pub(super) fn auto_map(&self) -> Map<String, Value> {
        self.classes.iter().map(|(auto, class)| ((*auto).to_owned(), format!("{MODULE}.{class}").into())).collect()
    }
}
