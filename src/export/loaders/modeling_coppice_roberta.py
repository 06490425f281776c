"""RoBERTa whose layers have fewer heads and neurons, each layer its own number.

Written by Coppice beside the weights of a model that it pruned. A stock RoBERTa config has one width for all layers and no way to
leave out heads, so this file builds Transformers' own RoBERTa and then replaces the linear layers of each block by narrower ones.
The list `coppice_layers` in config.json gives their widths. Nothing else differs from stock RoBERTa.
"""

from torch import nn
from transformers import (
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaForMultipleChoice,
    RobertaForQuestionAnswering,
    RobertaForSequenceClassification,
    RobertaForTokenClassification,
    RobertaModel,
)


class CoppiceRobertaConfig(RobertaConfig):
    """A RoBERTa config with `coppice_layers`: for each layer, {"heads": number of heads, "neurons": width of the FFN}."""


def narrow(layer, heads, neurons):
    """Gives one block `heads` heads of unchanged width, and `neurons` FFN neurons."""
    attention = layer.attention.self
    width = heads * attention.attention_head_size
    hidden = attention.query.in_features
    attention.num_attention_heads = heads
    attention.all_head_size = width
    attention.query = nn.Linear(hidden, width)
    attention.key = nn.Linear(hidden, width)
    attention.value = nn.Linear(hidden, width)
    layer.attention.output.dense = nn.Linear(width, hidden)
    layer.intermediate.dense = nn.Linear(hidden, neurons)
    layer.output.dense = nn.Linear(neurons, hidden)


class Narrow:
    """Narrows the blocks of whatever RoBERTa it is mixed into."""

    config_class = CoppiceRobertaConfig

    def __init__(self, config, *args, **kwargs):
        super().__init__(config, *args, **kwargs)
        widths = getattr(config, "coppice_layers", None)
        if widths is None:
            return
        layers = getattr(self, "roberta", self).encoder.layer
        if len(widths) != len(layers):
            raise ValueError(f"config.json has {len(layers)} layers and coppice_layers lists {len(widths)}; export the model again.")
        for layer, width in zip(layers, widths):
            narrow(layer, width["heads"], width["neurons"])
        # Once more, for the layers that are new since.
        self.post_init()


class CoppiceRobertaModel(Narrow, RobertaModel):
    """The encoder, with the pooler."""


class CoppiceRobertaForSequenceClassification(Narrow, RobertaForSequenceClassification):
    """A class for each sequence."""


class CoppiceRobertaForMaskedLM(Narrow, RobertaForMaskedLM):
    """Words for masked places."""


class CoppiceRobertaForTokenClassification(Narrow, RobertaForTokenClassification):
    """A class for each token."""


class CoppiceRobertaForQuestionAnswering(Narrow, RobertaForQuestionAnswering):
    """Start and end of an answer."""


class CoppiceRobertaForMultipleChoice(Narrow, RobertaForMultipleChoice):
    """The best of several continuations."""
