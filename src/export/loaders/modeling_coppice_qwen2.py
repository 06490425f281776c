"""Qwen2 whose layers have fewer heads and neurons, each layer its own number.

Written by Coppice beside the weights of a model that it pruned. A stock Qwen2 config has one width for all layers, so this file
builds Transformers' own Qwen2 and then replaces the linear layers of each block by narrower ones. The list `coppice_layers` in
config.json gives their widths; the config's other numbers are those of the model before pruning, so that a key/value head has
num_attention_heads / num_key_value_heads query heads as before. Nothing else differs from stock Qwen2.
"""

from torch import nn
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen2ForSequenceClassification, Qwen2Model, Qwen2PreTrainedModel


class CoppiceQwen2Config(Qwen2Config):
    """A Qwen2 config with `coppice_layers`: for each layer, {"heads": number of key/value heads, "neurons": width of the FFN}."""


def narrow(layer, heads, neurons, config):
    """Gives one block `heads` key/value heads of unchanged width with their query heads, and `neurons` FFN neurons."""
    attention, hidden = layer.self_attn, config.hidden_size
    groups = config.num_attention_heads // config.num_key_value_heads
    width = heads * attention.head_dim
    # Older releases read these two; newer ones take the numbers from the shapes.
    attention.num_heads = heads * groups
    attention.num_key_value_heads = heads
    attention.q_proj = nn.Linear(hidden, groups * width)
    attention.k_proj = nn.Linear(hidden, width)
    attention.v_proj = nn.Linear(hidden, width)
    attention.o_proj = nn.Linear(groups * width, hidden, bias=False)
    layer.mlp.intermediate_size = neurons
    layer.mlp.gate_proj = nn.Linear(hidden, neurons, bias=False)
    layer.mlp.up_proj = nn.Linear(hidden, neurons, bias=False)
    layer.mlp.down_proj = nn.Linear(neurons, hidden, bias=False)


class Narrow:
    """Narrows the blocks of whatever Qwen2 it is mixed into."""

    config_class = CoppiceQwen2Config

    def __init__(self, config, *args, **kwargs):
        super().__init__(config, *args, **kwargs)
        widths = getattr(config, "coppice_layers", None)
        if widths is None:
            return
        layers = getattr(self, "model", self).layers
        if len(widths) != len(layers):
            raise ValueError(f"config.json has {len(layers)} layers and coppice_layers lists {len(widths)}; export the model again.")
        for layer, width in zip(layers, widths):
            narrow(layer, width["heads"], width["neurons"], config)
        # Once more, for the layers that are new since.
        self.post_init()


class CoppiceQwen2Model(Narrow, Qwen2Model):
    """The decoder, without a head."""


class CoppiceQwen2ForCausalLM(Narrow, Qwen2ForCausalLM):
    """The next token."""


class CoppiceQwen2ForSequenceClassification(Qwen2ForSequenceClassification):
    """A class for each sequence."""

    config_class = CoppiceQwen2Config

    def __init__(self, config):
        # Not the stock class's own start, which looks its decoder up among stock ones by the config's class.
        Qwen2PreTrainedModel.__init__(self, config)
        self.num_labels = config.num_labels
        self.model = CoppiceQwen2Model(config)
        self.score = nn.Linear(config.hidden_size, config.num_labels, bias=False)
        self.post_init()
