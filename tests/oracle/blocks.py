"""The blocks of each family as the repair's oracle sees them: which linear maps produce and consume heads and neurons.

Tensors are brought to one form: every linear map has a `.weight` [outputs, inputs] and a `.bias` (zeros where the file has none),
q, k and v are three maps. An export of any family then compares with its dense model map by map. A head is what attention can lose:
under grouped queries a key/value head with its query heads.
"""

import torch
from torch import nn


def submodule(module, name):
    for part in filter(None, name.split(".")):
        module = getattr(module, part)
    return module


def put(layer, name, weight, bias):
    """Puts a linear map, in float64, in the place of a part of a block."""
    linear = nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
    linear.weight.data, linear.bias.data = weight.double().clone(), bias.double().clone()
    parent, _, last = name.rpartition(".")
    setattr(submodule(layer, parent), last, linear)


def with_zero_biases(tensors, ends):
    """The tensors, and zeros as the biases of linear maps (weights whose names end so) that have none."""
    maps = [name for name in tensors if name.endswith(ends)]
    zeros = {name.removesuffix("weight") + "bias": torch.zeros(tensors[name].shape[0], dtype=tensors[name].dtype) for name in maps}
    return zeros | tensors


class Bert:
    attention = "eager"
    affine = True  # whether consumers have biases, or can be given them
    prefixes = ("bert.", "encoder.layer.")  # of all tensors under a head, and of the blocks'
    producers = {"heads": ("attention.self.query", "attention.self.key", "attention.self.value"), "neurons": ("intermediate.dense",)}
    consumer = {"heads": "attention.output.dense", "neurons": "output.dense"}
    # The modules that see, at their entry, what the residual connection adds: (module, place among its arguments).
    residual = {"heads": ("attention.output", 1), "neurons": ("output", 1)}

    def __init__(self, model, tensors):
        config = model.config
        under, blocks = self.prefixes
        self.model = getattr(model, under.rstrip("."), model)
        self.layers = submodule(self.model, blocks.rstrip("."))
        self.head_dim = config.hidden_size // config.num_attention_heads
        self.prefix = (under if any(name.startswith(under + blocks) for name in tensors) else "") + blocks
        neurons = tensors[f"{self.prefix}0.{self.consumer['neurons']}.weight"].shape[1]
        self.units = {"heads": config.num_attention_heads, "neurons": neurons}

    def size(self, unit, part=None):
        """Channels that a unit has: outputs of a producer, or inputs of the consumer."""
        return self.head_dim if unit == "heads" else 1

    def one_form(self, tensors):
        return tensors

    def embed(self, ids):
        return self.model.embeddings(input_ids=ids)

    def run(self, layer, hidden):
        out = layer(hidden)
        return out[0] if isinstance(out, tuple) else out

    def narrow(self, layer, heads, tensors):
        """Puts tensors (by part) into a block that has `heads` heads."""
        for unit in self.producers:
            for part in (*self.producers[unit], self.consumer[unit]):
                put(layer, part, tensors[part + ".weight"], tensors[part + ".bias"])
        attention = layer.attention.self
        attention.num_attention_heads = heads
        attention.all_head_size = heads * self.head_dim


class Roberta(Bert):
    prefixes = ("roberta.", "encoder.layer.")


class DistilBert(Bert):
    producers = {"heads": ("attention.q_lin", "attention.k_lin", "attention.v_lin"), "neurons": ("ffn.lin1",)}
    consumer = {"heads": "attention.out_lin", "neurons": "ffn.lin2"}
    residual = {"heads": ("attention", 0), "neurons": ("ffn", 0)}
    prefixes = ("distilbert.", "transformer.layer.")

    def narrow(self, layer, heads, tensors):
        for unit in self.producers:
            for part in (*self.producers[unit], self.consumer[unit]):
                put(layer, part, tensors[part + ".weight"], tensors[part + ".bias"])


class Opt(Bert):
    attention = "sdpa"
    producers = {"heads": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"), "neurons": ("fc1",)}
    consumer = {"heads": "self_attn.out_proj", "neurons": "fc2"}
    residual = {"heads": ("self_attn_layer_norm", 0), "neurons": ("final_layer_norm", 0)}
    prefixes = ("model.", "decoder.layers.")

    def one_form(self, tensors):
        return with_zero_biases(tensors, ("_proj.weight", "fc1.weight", "fc2.weight"))

    def embed(self, ids):
        decoder = self.model.decoder
        return decoder.embed_tokens(ids) + decoder.embed_positions(None, position_ids=torch.arange(ids.shape[1])[None])

    def narrow(self, layer, heads, tensors):
        for unit in self.producers:
            for part in (*self.producers[unit], self.consumer[unit]):
                put(layer, part, tensors[part + ".weight"], tensors[part + ".bias"])
        layer.self_attn.num_heads = heads


class Gpt2(Bert):
    attention = "sdpa"  # without a mask it is causal
    producers = {"heads": ("attn.query", "attn.key", "attn.value"), "neurons": ("mlp.c_fc",)}
    consumer = {"heads": "attn.c_proj", "neurons": "mlp.c_proj"}
    residual = {"heads": ("ln_1", 0), "neurons": ("ln_2", 0)}

    def __init__(self, model, tensors):
        config = model.config
        self.model = getattr(model, "transformer", model)
        self.layers = self.model.h
        self.units = {"heads": config.n_head, "neurons": config.n_inner or 4 * config.n_embd}
        self.head_dim = config.n_embd // config.n_head
        self.prefix = ("transformer." if any(name.startswith("transformer.h.") for name in tensors) else "") + "h."

    def one_form(self, tensors):
        found = {}
        for name, tensor in tensors.items():
            if name.endswith((".c_attn.weight", ".c_attn.bias")):
                at, kind = name.rsplit("c_attn", 1)
                parts = tensor.chunk(3, -1)
                found |= {at + to + kind: part.t().contiguous() for to, part in zip(("query", "key", "value"), parts)}
            elif name.endswith((".c_proj.weight", ".c_fc.weight")):
                found[name] = tensor.t().contiguous()
            else:
                found[name] = tensor
        return found

    def embed(self, ids):
        return self.model.wte(ids) + self.model.wpe(torch.arange(ids.shape[1]))

    def narrow(self, layer, heads, tensors):
        for part in ("attn.c_proj", "mlp.c_fc", "mlp.c_proj"):
            put(layer, part, tensors[part + ".weight"], tensors[part + ".bias"])
        weight, bias = (torch.cat([tensors[part + kind] for part in self.producers["heads"]]) for kind in (".weight", ".bias"))
        put(layer, "attn.c_attn", weight, bias)
        layer.attn.num_heads, layer.attn.split_size = heads, heads * self.head_dim


class Llama(Bert):
    attention = "sdpa"
    producers = {"heads": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"), "neurons": ("mlp.gate_proj", "mlp.up_proj")}
    consumer = {"heads": "self_attn.o_proj", "neurons": "mlp.down_proj"}
    residual = {"heads": ("input_layernorm", 0), "neurons": ("post_attention_layernorm", 0)}

    def __init__(self, model, tensors):
        config = model.config
        self.model = getattr(model, "model", model)
        self.layers = self.model.layers
        self.units = {"heads": config.num_key_value_heads, "neurons": config.intermediate_size}
        self.head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.group = config.num_attention_heads // config.num_key_value_heads
        self.prefix = ("model." if any(name.startswith("model.layers.") for name in tensors) else "") + "layers."

    def size(self, unit, part=None):
        if unit == "neurons":
            return 1
        return self.head_dim * (1 if part in self.producers["heads"][1:] else self.group)

    def one_form(self, tensors):
        return with_zero_biases(tensors, ("_proj.weight",))

    def embed(self, ids):
        return self.model.embed_tokens(ids)

    def run(self, layer, hidden):
        # Angles in f32, as in the model.
        angles = self.model.rotary_emb(hidden, torch.arange(hidden.shape[1])[None])
        out = layer(hidden, position_embeddings=angles)
        return out[0] if isinstance(out, tuple) else out

    def narrow(self, layer, heads, tensors):
        for unit in self.producers:
            for part in (*self.producers[unit], self.consumer[unit]):
                put(layer, part, tensors[part + ".weight"], tensors[part + ".bias"])


class Qwen2(Llama):
    affine = False


FAMILIES = {"bert": Bert, "distilbert": DistilBert, "gpt2": Gpt2, "llama": Llama, "opt": Opt, "qwen2": Qwen2, "roberta": Roberta}
