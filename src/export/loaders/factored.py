"""Layers as products of two narrow matrices.

Written by Coppice beside the weights of a model whose ranks it lowered. A stock config cannot say that a linear layer is two, so
this file builds Transformers' own model and then replaces those layers. The table `coppice_ranks` in config.json gives the rank of
each by its name: a layer X computes X.u(X.v(x)), X.v being a linear layer to `rank` features without a bias, and X.u one from them
with the bias that the layer had. Where query, key and value were one layer (GPT-2's c_attn), they are three, of which some may be
dense (null in the table). Nothing else differs from the stock model.
"""

import torch
import transformers
from torch import nn


class Factors(nn.Module):
    """A linear layer as two."""

    def __init__(self, inputs, outputs, rank, bias):
        super().__init__()
        self.v = nn.Linear(inputs, rank, bias=False)
        self.u = nn.Linear(rank, outputs, bias=bias)

    def forward(self, x):
        return self.u(self.v(x))


class Parts(nn.Module):
    """Query, key and value side by side, each a layer of its own."""

    def forward(self, x):
        return torch.cat([self.q(x), self.k(x), self.v(x)], dim=-1)


def layer_of(inputs, outputs, rank, bias):
    return nn.Linear(inputs, outputs, bias=bias) if rank is None else Factors(inputs, outputs, rank, bias)


def widths(layer):
    """Inputs and outputs of a linear layer, or of the Conv1D of GPT-2."""
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    return tuple(layer.weight.shape)


def find(model, path):
    """The module at a path that may begin with the model's prefix where the model does not, and the other way round."""
    prefix = model.base_model_prefix + "."
    for name in (path, path.removeprefix(prefix), prefix + path):
        try:
            return model.get_submodule(name)
        except AttributeError:
            pass
    raise ValueError(f"coppice_ranks in config.json names {path}, which the model does not have; export the model again.")


def replace(model, name, rank):
    """Puts a factored layer in the place of one of the stock model."""
    path, leaf = name.rsplit(".", 1)
    parent = find(model, path)
    if isinstance(parent, Parts):
        if not hasattr(parent, leaf):
            parent.add_module(leaf, layer_of(*parent.widths, rank, parent.bias))
        return
    if hasattr(parent, leaf):
        layer = getattr(parent, leaf)
        # A model inside of this one may have been here before.
        if not isinstance(layer, Factors):
            setattr(parent, leaf, layer_of(*widths(layer), rank, layer.bias is not None))
        return
    # One of three that the stock model has as one.
    (inputs, outputs), bias = widths(parent), parent.bias is not None
    parts = Parts()
    parts.widths, parts.bias = (inputs, outputs // 3), bias
    parts.add_module(leaf, layer_of(*parts.widths, rank, bias))
    above, own = path.rsplit(".", 1)
    setattr(find(model, above), own, parts)


class Factored:
    """Factors the layers of whatever model it is mixed into."""

    def __init__(self, config, *args, **kwargs):
        super().__init__(config, *args, **kwargs)
        ranks = getattr(config, "coppice_ranks", None)
        if ranks:
            for name, rank in ranks.items():
                replace(self, name, rank)
            # Once more, for the layers that are new since.
            self.post_init()
