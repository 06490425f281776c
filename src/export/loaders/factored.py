"""Layers as products of two narrow matrices.

Written by Coppice beside the weights of a model whose ranks it lowered. A stock config cannot say that a linear layer is two, so
this file builds Transformers' own model and then replaces those layers. The table `coppice_ranks` in config.json gives the rank of
each by its name: a layer X computes X.u(X.v(x)), X.v being a linear layer to `rank` features without a bias, and X.u one from them
with the bias that the layer had. In place of a rank there may be the name of another layer, whose X.v is read then, so that both
share it. Where query, key and value were one layer (GPT-2's c_attn), they are three, of which some may be dense (null in the table),
or one where they share X.v. The table `coppice_sparse` gives the number of single weights that a layer has beside its product: they
are added by X.s, a whole matrix of which the file has a bit an element and the elements that are not zero. Nothing else differs from
the stock model.
"""

import torch
import transformers
from torch import nn


class Packed(nn.Module):
    """A matrix as a bit an element and the elements whose bit is set: bit i % 8, from the lowest, of byte i // 8 is of element i."""

    def __init__(self, outputs, inputs, count):
        super().__init__()
        self.shape = (outputs, inputs)
        self.register_buffer("mask", torch.zeros(-(-outputs * inputs // 8), dtype=torch.uint8))
        self.values = nn.Parameter(torch.zeros(count))
        self.places = None

    def forward(self):
        if self.places is None or self.places.device != self.values.device:
            bits = self.mask.unsqueeze(-1) >> torch.arange(8, dtype=torch.uint8, device=self.mask.device) & 1
            self.places = bits.flatten()[: self.shape[0] * self.shape[1]].nonzero().squeeze(-1)
        return self.values.new_zeros(self.shape[0] * self.shape[1]).index_copy(0, self.places, self.values).reshape(self.shape)


class Singles(nn.Module):
    """Single weights beside a product."""

    def __init__(self, outputs, inputs, count):
        super().__init__()
        self.weight = Packed(outputs, inputs, count)

    def forward(self, x):
        return nn.functional.linear(x, self.weight())


class Factors(nn.Module):
    """A linear layer as two; `first`, if there is one, is the layer whose first factor it reads."""

    def __init__(self, inputs, outputs, rank, bias, first=None, count=None):
        super().__init__()
        # Not a module of this one, which would store its factor again.
        object.__setattr__(self, "first", first)
        if first is None:
            self.v = nn.Linear(inputs, rank, bias=False)
        self.u = nn.Linear(rank, outputs, bias=bias)
        if count is not None:
            self.s = Singles(outputs, inputs, count)

    def forward(self, x):
        product = self.u((self.first or self).v(x))
        return product + self.s(x) if hasattr(self, "s") else product


class Parts(nn.Module):
    """Query, key and value side by side, each a layer of its own."""

    def forward(self, x):
        return torch.cat([self.q(x), self.k(x), self.v(x)], dim=-1)


def layer_of(inputs, outputs, rank, bias, first=None, count=None):
    return nn.Linear(inputs, outputs, bias=bias) if rank is None else Factors(inputs, outputs, rank, bias, first, count)


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


def replace(model, name, rank, count):
    """Puts a factored layer in the place of one of the stock model."""
    path, leaf = name.rsplit(".", 1)
    parent = find(model, path)
    # The layer whose first factor this one reads is named in place of a rank, and comes before it.
    first = find(model, rank) if isinstance(rank, str) else None
    rank = first.v.out_features if first is not None else rank
    if isinstance(parent, Parts):
        if not hasattr(parent, leaf):
            parent.add_module(leaf, layer_of(*parent.widths, rank, parent.bias, first, count))
        return
    if hasattr(parent, leaf):
        layer = getattr(parent, leaf)
        # A model inside of this one may have been here before.
        if not isinstance(layer, Factors):
            setattr(parent, leaf, layer_of(*widths(layer), rank, layer.bias is not None, first, count))
        return
    # One of three that the stock model has as one.
    (inputs, outputs), bias = widths(parent), parent.bias is not None
    parts = Parts()
    parts.widths, parts.bias = (inputs, outputs // 3), bias
    parts.add_module(leaf, layer_of(*parts.widths, rank, bias, first, count))
    above, own = path.rsplit(".", 1)
    setattr(find(model, above), own, parts)


class Factored:
    """Factors the layers of whatever model it is mixed into."""

    def __init__(self, config, *args, **kwargs):
        super().__init__(config, *args, **kwargs)
        ranks, counts = getattr(config, "coppice_ranks", None), getattr(config, "coppice_sparse", None) or {}
        if ranks:
            for name, rank in ranks.items():
                replace(self, name, rank, counts.get(name))
            # Once more, for the layers that are new since.
            self.post_init()
