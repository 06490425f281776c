"""OPT whose layers have fewer heads and neurons, each layer its own number.

Written by Coppice beside the weights of a model that it pruned. A stock OPT config has one FFN width for all layers and no way to
leave out heads, so this file builds Transformers' own OPT and then replaces the linear layers of each block by narrower ones. The
list `coppice_layers` in config.json gives their widths. Nothing else differs from stock OPT.
"""

from torch import nn
from transformers import OPTConfig, OPTForCausalLM, OPTForQuestionAnswering, OPTForSequenceClassification, OPTModel


class CoppiceOPTConfig(OPTConfig):
    """An OPT config with `coppice_layers`: for each layer, {"heads": number of heads, "neurons": width of the FFN}."""


def narrow(layer, heads, neurons, config):
    """Gives one block `heads` heads of unchanged width, and `neurons` FFN neurons."""
    attention, hidden = layer.self_attn, config.hidden_size
    width = heads * attention.head_dim
    attention.num_heads = heads
    # Older releases shape their contexts by it.
    attention.embed_dim = width
    attention.q_proj = nn.Linear(hidden, width, bias=config.enable_bias)
    attention.k_proj = nn.Linear(hidden, width, bias=config.enable_bias)
    attention.v_proj = nn.Linear(hidden, width, bias=config.enable_bias)
    attention.out_proj = nn.Linear(width, hidden, bias=config.enable_bias)
    layer.fc1 = nn.Linear(hidden, neurons, bias=config.enable_bias)
    layer.fc2 = nn.Linear(neurons, hidden, bias=config.enable_bias)


class Narrow:
    """Narrows the blocks of whatever OPT it is mixed into."""

    config_class = CoppiceOPTConfig

    def __init__(self, config, *args, **kwargs):
        super().__init__(config, *args, **kwargs)
        widths = getattr(config, "coppice_layers", None)
        if widths is None:
            return
        layers = getattr(self, "model", self).decoder.layers
        if len(widths) != len(layers):
            raise ValueError(f"config.json has {len(layers)} layers and coppice_layers lists {len(widths)}; export the model again.")
        for layer, width in zip(layers, widths):
            narrow(layer, width["heads"], width["neurons"], config)
        # Once more, for the layers that are new since.
        self.post_init()


class CoppiceOPTModel(Narrow, OPTModel):
    """The decoder, without a head."""


class CoppiceOPTForCausalLM(Narrow, OPTForCausalLM):
    """The next token."""


class CoppiceOPTForSequenceClassification(Narrow, OPTForSequenceClassification):
    """A class for each sequence."""


class CoppiceOPTForQuestionAnswering(Narrow, OPTForQuestionAnswering):
    """Start and end of an answer."""
