"""DistilBERT whose layers have fewer heads and neurons, each layer its own number.

Written by Coppice beside the weights of a model that it pruned. A stock DistilBERT config has one width for all layers and no way to
leave out heads, so this file builds Transformers' own DistilBERT and then replaces the linear layers of each block by narrower ones.
The list `coppice_layers` in config.json gives their widths. Nothing else differs from stock DistilBERT.
"""

from torch import nn
from transformers import (
    DistilBertConfig,
    DistilBertForMaskedLM,
    DistilBertForMultipleChoice,
    DistilBertForQuestionAnswering,
    DistilBertForSequenceClassification,
    DistilBertForTokenClassification,
    DistilBertModel,
)


class CoppiceDistilBertConfig(DistilBertConfig):
    """A DistilBERT config with `coppice_layers`: for each layer, {"heads": number of heads, "neurons": width of the FFN}."""


def narrow(layer, heads, neurons):
    """Gives one block `heads` heads of unchanged width, and `neurons` FFN neurons."""
    attention = layer.attention
    hidden = attention.q_lin.in_features
    width = heads * (hidden // attention.n_heads)
    # Older releases read these two; newer ones take the numbers from the shapes.
    attention.n_heads = heads
    attention.dim = width
    attention.q_lin = nn.Linear(hidden, width)
    attention.k_lin = nn.Linear(hidden, width)
    attention.v_lin = nn.Linear(hidden, width)
    attention.out_lin = nn.Linear(width, hidden)
    layer.ffn.lin1 = nn.Linear(hidden, neurons)
    layer.ffn.lin2 = nn.Linear(neurons, hidden)


class Narrow:
    """Narrows the blocks of whatever DistilBERT it is mixed into."""

    config_class = CoppiceDistilBertConfig

    def __init__(self, config, *args, **kwargs):
        super().__init__(config, *args, **kwargs)
        widths = getattr(config, "coppice_layers", None)
        if widths is None:
            return
        layers = getattr(self, "distilbert", self).transformer.layer
        if len(widths) != len(layers):
            raise ValueError(f"config.json has {len(layers)} layers and coppice_layers lists {len(widths)}; export the model again.")
        for layer, width in zip(layers, widths):
            narrow(layer, width["heads"], width["neurons"])
        # Once more, for the layers that are new since.
        self.post_init()


class CoppiceDistilBertModel(Narrow, DistilBertModel):
    """The encoder."""


class CoppiceDistilBertForSequenceClassification(Narrow, DistilBertForSequenceClassification):
    """A class for each sequence."""


class CoppiceDistilBertForMaskedLM(Narrow, DistilBertForMaskedLM):
    """Words for masked places."""


class CoppiceDistilBertForTokenClassification(Narrow, DistilBertForTokenClassification):
    """A class for each token."""


class CoppiceDistilBertForQuestionAnswering(Narrow, DistilBertForQuestionAnswering):
    """Start and end of an answer."""


class CoppiceDistilBertForMultipleChoice(Narrow, DistilBertForMultipleChoice):
    """The best of several continuations."""
