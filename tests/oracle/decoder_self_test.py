"""The self-test of check_decoder.py: demo and small random decoders, sliced here by random plans, in their loaders from the tree.

A sliced model must give the logits of the dense model whose consumers (attention output and FFN output matrix) have zeros where
they read removed heads and neurons. Then deliberately broken models and answers.
"""

import json
import pathlib
import random
import re
import tempfile

import check_decoder  # before transformers: it sets the modules' cache
import reference
import torch
import transformers
from safetensors.torch import save_file

EXPORT = reference.ROOT / "src/export"
MODELS = reference.ROOT / "www/models"
DATA, SCOPE = MODELS / "gpt2-stories/valid.txt", {"window": 48, "limit": 600}
FILES = ("tokenizer.json", "tokenizer_config.json")
# For each family: whether weights are [in, out], the prefix of a layer, producers and consumer of heads, and those of neurons.
FAMILIES = {
    "gpt2": (True, "transformer.h.{}.", ["attn.c_attn"], "attn.c_proj", ["mlp.c_fc"], "mlp.c_proj"),
    "llama": (False, "model.layers.{}.", [f"self_attn.{p}_proj" for p in "qkv"], "self_attn.o_proj", ["mlp.gate_proj", "mlp.up_proj"], "mlp.down_proj"),
}


def auto_map(family):
    """What the command writes into config.json, from its table."""
    table = (EXPORT / "loader.rs").read_text(encoding="utf-8")
    return {auto: f"modeling_coppice.{name}" for auto, name in re.findall(rf'\("(Auto\w+)", "(Coppice{family}\w+)"\)', table, re.IGNORECASE)}


def cut(tensors, config, seed):
    """Random kept units in each layer: (tensors with narrow layers, tensors with zeros instead, widths of the layers)."""
    conv1d, prefix, *units = FAMILIES[config.model_type]
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    kv_heads = getattr(config, "num_key_value_heads", config.num_attention_heads)
    group = config.num_attention_heads // kv_heads
    neurons = tensors[prefix.format(0) + units[3] + ".weight"].shape[0 if conv1d else 1]
    draw, narrow, zeroed, widths = random.Random(seed), dict(tensors), dict(tensors), []

    def blocks(kept, size):
        return torch.tensor([unit * size + i for unit in kept for i in range(size)])

    for number in range(config.num_hidden_layers):
        kept = {unit: sorted(draw.sample(range(total), draw.randint(1, total))) for unit, total in (("heads", kv_heads), ("neurons", neurons))}
        widths.append({unit: len(of) for unit, of in kept.items()})
        for unit, producers, consumer in (("heads", *units[:2]), ("neurons", *units[2:])):
            size = group * head_dim if unit == "heads" else 1
            inputs = blocks(kept[unit], size)
            for part in producers:
                rows = inputs
                if part == "attn.c_attn":
                    width = config.hidden_size
                    rows = torch.cat([inputs, inputs + width, inputs + 2 * width])
                elif part.endswith(("k_proj", "v_proj")):
                    rows = blocks(kept[unit], head_dim)
                for kind, dim in ((".weight", 1 if conv1d else 0), (".bias", 0)):
                    name = prefix.format(number) + part + kind
                    if name in tensors:
                        narrow[name] = tensors[name].index_select(dim, rows).contiguous()
            name, dim = prefix.format(number) + consumer + ".weight", 0 if conv1d else 1
            narrow[name] = tensors[name].index_select(dim, inputs).contiguous()
            gone = torch.ones(tensors[name].shape[dim], dtype=torch.bool)
            gone[inputs] = False
            zeroed[name] = tensors[name].index_fill(dim, gone.nonzero()[:, 0], 0.0)
    return narrow, zeroed, widths


class Folders:
    """Writes model folders."""

    def __init__(self, root):
        self.root, self.count = pathlib.Path(root), 0

    def write(self, tensors, config, tokenizer, family=None):
        self.count += 1
        path = self.root / f"model{self.count}"
        path.mkdir()
        save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
        (path / "config.json").write_text(json.dumps(config))
        for name in FILES:
            (path / name).write_bytes((tokenizer / name).read_bytes())
        if family:
            (path / "modeling_coppice.py").write_bytes((EXPORT / f"loaders/modeling_coppice_{family}.py").read_bytes())
        return path


def random_models():
    """Small decoders with what the demo models lack: an untied GPT-2 of odd width, a tied Llama with biases and its own head_dim."""
    shared = {"vocab_size": 4096, "bos_token_id": None, "eos_token_id": 2}
    gpt2 = transformers.GPT2Config(n_embd=36, n_layer=3, n_head=3, n_inner=50, n_positions=80, tie_word_embeddings=False, **shared)
    llama = transformers.LlamaConfig(
        hidden_size=24, num_hidden_layers=3, num_attention_heads=6, num_key_value_heads=3, head_dim=10, intermediate_size=37, max_position_embeddings=80,
        attention_bias=True, mlp_bias=True, tie_word_embeddings=True, rope_parameters={"rope_type": "default", "rope_theta": 500.0}, **shared,
    )
    for name, kind, config in (("a random untied GPT-2", transformers.GPT2LMHeadModel, gpt2), ("a random Llama with biases", transformers.LlamaForCausalLM, llama)):
        torch.manual_seed(0)
        model = kind(config)
        for parameter in model.parameters():  # far from its quiet start, so that every part matters
            parameter.data += 0.2 * torch.randn_like(parameter)
        tied = config.tie_word_embeddings
        tensors = {n: t.clone() for n, t in model.state_dict().items() if not (tied and n == "lm_head.weight")}
        yield name, tensors, {**config.to_dict(), "architectures": [kind.__name__]}, MODELS / "llama-stories"


def demo_models():
    for name in ("gpt2-stories", "llama-stories"):
        tensors = {n: t.float() for n, t in reference.load_tensors(MODELS / name).items()}
        yield name, tensors, {**reference.read_json(MODELS / name / "config.json"), "dtype": "float32"}, MODELS / name


def said_by(folder):
    """What the command would print of a folder."""
    model, tokenizer = reference.load_model(folder), reference.load_tokenizer(folder)
    windows = check_decoder.cut(check_decoder.read_stream(tokenizer, DATA, SCOPE["limit"]), SCOPE["window"], model.config.bos_token_id)
    value, tokens, right = check_decoder.perplexity(model, windows)
    return {"task": "perplexity", "perplexity": value, "tokens": tokens, "window": SCOPE["window"], "token_accuracy": right / tokens}


@torch.no_grad()
def same_logits(folders):
    """Logits of folders, in both kinds of attention, on one padded batch: the largest difference to those of the first."""
    ids = torch.tensor([[5, 9, 300, 17, 8, 1000, 4], [7, 2, 44, 45, 46, 47, 48]])
    mask = torch.tensor([[0, 0, 1, 1, 1, 1, 1], [1] * 7])
    found = []
    for folder in folders:
        for attention in ("eager", "sdpa"):
            model = reference.load_model(folder, attn_implementation=attention, trust_remote_code=True)
            found.append(model(input_ids=ids, attention_mask=mask).logits[mask.bool()].double())
    far = max(float((logits - found[0]).abs().max() / found[0].std()) for logits in found)
    return [] if far <= 1e-4 else [f"the largest difference is {far:.3g} standard deviations"]


def other_classes(folder):
    """Every automatic class of the loader must give a model with all of the decoder's tensors and none besides."""
    faults = []
    for auto in auto_map(reference.read_json(folder / "config.json")["model_type"]):
        if auto in ("AutoConfig", "AutoModelForCausalLM"):
            continue
        _, info = getattr(transformers, auto).from_pretrained(folder, trust_remote_code=True, output_loading_info=True)
        missing = [name for name in info["missing_keys"] if not name.startswith(("score.", "classifier.", "qa_outputs."))]
        extra = [name for name in info["unexpected_keys"] if name != "lm_head.weight"]
        faults += [f"{auto}: {kind}: {names[:4]}" for kind, names in (("missing", missing), ("unexpected", extra), ("mismatched", info["mismatched_keys"])) if names]
    return faults


def one_model(test, folders, name, tensors, config, tokenizer):
    def faults(tensors, config=config, said=None, family=None):
        return check_decoder.check(folders.write(tensors, config, tokenizer, family), said, DATA, **SCOPE)[0]

    family = config["model_type"]
    dense = folders.write(tensors, config, tokenizer)
    said = said_by(dense)
    test.expect(name, check_decoder.check(dense, said, DATA, **SCOPE)[0], good=True)
    test.expect(f"{name}: perplexity off by 0.0002", faults(tensors, said={**said, "perplexity": said["perplexity"] * 1.0002}), good=False, naming="the perplexity is")
    test.expect(f"{name}: perplexity null", faults(tensors, said={**said, "perplexity": None}), good=False, naming="the perplexity is")
    test.expect(f"{name}: three tokens fewer right", faults(tensors, said={**said, "token_accuracy": said["token_accuracy"] - 3 / said["tokens"]}), good=False, naming="the token accuracy is")
    test.expect(f"{name}: a window too few", faults(tensors, said={**said, "tokens": said["tokens"] - SCOPE["window"] + 1}), good=False, naming="tokens is")
    logits = check_decoder.window_logits(reference.load_model(dense), reference.load_tokenizer(dense), DATA, **SCOPE)
    for what, change, good in (("its logits", 0.0, True), ("one logit off by 0.002 deviations", 0.002 * logits.std(), False)):
        logits[3, 7] += change
        reference.write_answers(dense / "logits.json", logits)
        test.expect(f"{name}: {what}", check_decoder.check(dense, said, DATA, dense / "logits.json", **SCOPE)[0], good=good, naming="largest difference")
    parsed = transformers.AutoConfig.from_pretrained(dense)
    some = FAMILIES[family][1].format(1) + FAMILIES[family][5] + ".weight"
    test.expect(f"{name}: a perturbed tensor", faults({**tensors, some: tensors[some] * 1.05}, said=said), good=False, naming="the perplexity is")

    narrow, zeroed, widths = cut(tensors, parsed, seed=3)
    sliced = {**config, "coppice_layers": widths, "auto_map": auto_map(family)}
    masked, own = folders.write(zeroed, config, tokenizer), folders.write(narrow, sliced, tokenizer, family)
    said = said_by(masked)
    test.expect(f"{name}, sliced", check_decoder.check(own, said, DATA, **SCOPE)[0], good=True)
    test.expect(f"{name}, sliced: logits of the zeroed model, eager and sdpa", same_logits([masked, own]), good=True)
    test.expect(f"{name}, sliced: but not those of the dense model", same_logits([dense, own]), good=False, naming="largest difference")
    test.expect(f"{name}, sliced: other classes", other_classes(own), good=True)
    test.expect(f"{name}, sliced: a perturbed tensor", faults({**narrow, some: narrow[some] * 1.05}, sliced, said, family), good=False, naming="the perplexity is")
    test.expect(f"{name}, sliced: without its loader", faults(narrow, sliced, said), good=False, naming="names a loader")
    test.expect(f"{name}, sliced: widths of the dense model", faults(narrow, config, said), good=False)
    for unit in ("heads", "neurons"):
        wrong = [dict(width) for width in widths]
        wrong[2][unit] += 1
        test.expect(f"{name}, sliced: {unit} miscounted", faults(narrow, {**sliced, "coppice_layers": wrong}, said, family), good=False)
    test.expect(f"{name}, sliced: a layer not listed", faults(narrow, {**sliced, "coppice_layers": widths[1:]}, said, family), good=False, naming="export the model again")
    test.expect(f"{name}, sliced: a tensor missing", faults({n: t for n, t in narrow.items() if n != some}, sliced, said, family), good=False, naming="missing_keys")
    test.expect(f"{name}, sliced: a tensor too many", faults({**narrow, "extra": torch.zeros(2)}, sliced, said, family), good=False, naming="unexpected_keys")


def run():
    test = reference.SelfTest("check_decoder")
    with tempfile.TemporaryDirectory() as root:
        folders = Folders(root)
        for model in (*demo_models(), *random_models()):
            one_model(test, folders, *model)
    return test.finish()
