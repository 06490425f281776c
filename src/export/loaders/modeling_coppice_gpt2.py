"""GPT-2 whose layers have fewer heads and neurons, each layer its own number.

Written by Coppice beside the weights of a model that it pruned. A stock GPT-2 config has one FFN width for all layers and no way to
leave out heads, so this file builds Transformers' own GPT-2 and then replaces the linear layers of each block by narrower ones.
The list `coppice_layers` in config.json gives their widths. Nothing else differs from stock GPT-2.
"""

from transformers import (
    GPT2Config,
    GPT2ForQuestionAnswering,
    GPT2ForSequenceClassification,
    GPT2ForTokenClassification,
    GPT2LMHeadModel,
    GPT2Model,
)
from transformers.pytorch_utils import Conv1D


class CoppiceGPT2Config(GPT2Config):
    """A GPT-2 config with `coppice_layers`: for each layer, {"heads": number of heads, "neurons": width of the FFN}."""


def narrow(layer, heads, neurons):
    """Gives one block `heads` heads of unchanged width, and `neurons` FFN neurons."""
    attention = layer.attn
    hidden = attention.embed_dim
    width = heads * attention.head_dim
    attention.num_heads = heads
    # Where the fused q, k and v part.
    attention.split_size = width
    attention.c_attn = Conv1D(3 * width, hidden)
    attention.c_proj = Conv1D(hidden, width)
    layer.mlp.c_fc = Conv1D(neurons, hidden)
    layer.mlp.c_proj = Conv1D(hidden, neurons)


class Narrow:
    """Narrows the blocks of whatever GPT-2 it is mixed into."""

    config_class = CoppiceGPT2Config

    def __init__(self, config, *args, **kwargs):
        super().__init__(config, *args, **kwargs)
        widths = getattr(config, "coppice_layers", None)
        if widths is None:
            return
        layers = getattr(self, "transformer", self).h
        if len(widths) != len(layers):
            raise ValueError(f"config.json has {len(layers)} layers and coppice_layers lists {len(widths)}; export the model again.")
        for layer, width in zip(layers, widths):
            narrow(layer, width["heads"], width["neurons"])
        # Once more, for the layers that are new since.
        self.post_init()


class CoppiceGPT2Model(Narrow, GPT2Model):
    """The decoder, without a head."""


class CoppiceGPT2LMHeadModel(Narrow, GPT2LMHeadModel):
    """The next token."""


class CoppiceGPT2ForSequenceClassification(Narrow, GPT2ForSequenceClassification):
    """A class for each sequence."""


class CoppiceGPT2ForTokenClassification(Narrow, GPT2ForTokenClassification):
    """A class for each token."""


class CoppiceGPT2ForQuestionAnswering(Narrow, GPT2ForQuestionAnswering):
    """Start and end of an answer."""
