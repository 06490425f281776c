#!/usr/bin/env python3
"""Small random models of every family, judged by stock Transformers.

    python families.py COPPICE OUT_DIR [FAMILY...]

Each model has odd shapes and weights large enough that attention and activations matter. For each: `coppice eval` gives the logits
(hidden states, where it has no head that Coppice computes), the perplexity and the greedy text of stock Transformers; a `stock` and a `sliced` output
load strictly and give the same again; a `sliced` output without repair gives the logits of the dense model whose consumers have
zeros where they read what was removed; every tensor of an output is what liar.py's formulas give; and outputs that lose whole layers
or channels of the residual stream are what structures.py says. Hidden states and logits agree within 1e-3 of their standard deviation, perplexities within
1e-4, relatively.
"""

import json
import pathlib
import random
import shutil
import subprocess
import sys

import check_decoder
import check_export  # before transformers: it sets the modules' cache
import liar
import numpy as np
import reference
import structures
import tokenizers
import torch
import transformers as t

WORDS = 97  # tokens of the tokenizer
TABLE = 101  # rows of the token table, more than the tokenizer needs
POSITIONS = 40
WINDOW = 23
STEPS = 20  # tokens that are generated
SPECIAL = ["[CLS]", "[PAD]", "[SEP]", "[UNK]"]  # where RoBERTa has its own
RATIO = 0.3
# What goes with channels of the residual stream.
CHANNELS = {"llama": ["hidden", "neurons"], "qwen2": ["hidden", "heads", "neurons"]}


class Spec:
    """A model to make: its class and config, in which dtype, and what is changed in its folder."""

    def __init__(self, name, kind, config, dtype=torch.float32, rewrite=None, shards=None):
        self.name, self.kind, self.config, self.dtype, self.rewrite, self.shards = name, kind, config, dtype, rewrite, shards
        self.family = config.model_type
        self.causal = self.family in ("gpt2", "llama", "opt", "qwen2")
        self.task = "classify" if "SequenceClassification" in kind.__name__ else "perplexity" if self.causal and "LM" in kind.__name__ else "features"


def old_rotary(config):
    """The spelling of rotary positions before Transformers 5."""
    rotary = config.pop("rope_parameters")
    theta = rotary.pop("rope_theta")
    return {**config, "rope_theta": theta, "rope_scaling": rotary}


def before_heads(config):
    """A config that leaves the width of a head to follow."""
    config.pop("head_dim", None)
    return config


def specs():
    f16, bf16 = torch.float16, torch.bfloat16
    decoder = {"vocab_size": TABLE, "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": None}
    gpt2 = {**decoder, "n_embd": 60, "n_head": 3, "n_layer": 3, "n_positions": POSITIONS}
    yield Spec("gpt2, n_inner odd", t.GPT2LMHeadModel, t.GPT2Config(n_inner=77, **gpt2))
    yield Spec("gpt2, untied, n_inner null", t.GPT2LMHeadModel, t.GPT2Config(tie_word_embeddings=False, **gpt2), bf16)
    yield Spec("gpt2, no head", t.GPT2Model, t.GPT2Config(n_inner=93, activation_function="relu", **gpt2), f16)

    rotary = {"num_hidden_layers": 3, "intermediate_size": 77, "max_position_embeddings": POSITIONS, **decoder}
    grouped = {"hidden_size": 60, "num_attention_heads": 6, "num_key_value_heads": 3, **rotary}
    scaled = {"rope_type": "llama3", "rope_theta": 50.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16}
    biased = {"attention_bias": True, "mlp_bias": True}
    yield Spec("llama, llama3 scaling, biases, tied", t.LlamaForCausalLM, t.LlamaConfig(head_dim=14, rope_parameters=scaled, tie_word_embeddings=True, **biased, **grouped))
    yield Spec("llama, llama3 in the older spelling", t.LlamaForCausalLM, t.LlamaConfig(rope_parameters=scaled, **grouped), bf16, lambda c: old_rotary(before_heads(c)), "40KB")
    linear = {"rope_type": "linear", "rope_theta": 100.0, "factor": 2.0}
    yield Spec("llama, no head, linear scaling", t.LlamaModel, t.LlamaConfig(rope_parameters=linear, **{**grouped, "num_key_value_heads": 6}), f16)

    yield Spec("qwen2, tied", t.Qwen2ForCausalLM, t.Qwen2Config(tie_word_embeddings=True, **grouped))
    odd = {**grouped, "hidden_size": 50, "head_dim": 16}
    yield Spec("qwen2, heads that do not divide the hidden width", t.Qwen2ForCausalLM, t.Qwen2Config(rope_parameters=dict(scaled), **odd), bf16)
    yield Spec("qwen2, no head", t.Qwen2Model, t.Qwen2Config(use_sliding_window=True, sliding_window=POSITIONS, max_window_layers=1, **grouped), f16)

    opt = {"hidden_size": 60, "num_attention_heads": 3, "num_hidden_layers": 3, "ffn_dim": 77, "max_position_embeddings": POSITIONS, **decoder, "pad_token_id": 1}
    yield Spec("opt, tied", t.OPTForCausalLM, t.OPTConfig(**opt))
    yield Spec("opt, untied, no biases, GELU", t.OPTForCausalLM, t.OPTConfig(enable_bias=False, activation_function="gelu", tie_word_embeddings=False, **opt), bf16)
    yield Spec("opt, no head", t.OPTModel, t.OPTConfig(**opt), f16)

    labels = {"num_labels": 3, "vocab_size": TABLE, "pad_token_id": 1}
    encoder = {"hidden_size": 60, "num_attention_heads": 3, "num_hidden_layers": 3, "intermediate_size": 77, **labels}
    bert = {"max_position_embeddings": POSITIONS, **encoder}
    yield Spec("bert, classifier", t.BertForSequenceClassification, t.BertConfig(hidden_act="gelu_new", **bert))
    yield Spec("bert, masked LM", t.BertForMaskedLM, t.BertConfig(**bert), bf16)
    distilbert = {"dim": 60, "n_heads": 3, "n_layers": 3, "hidden_dim": 77, "max_position_embeddings": POSITIONS, **labels}
    yield Spec("distilbert, classifier", t.DistilBertForSequenceClassification, t.DistilBertConfig(**distilbert))
    yield Spec("distilbert, masked LM, ReLU", t.DistilBertForMaskedLM, t.DistilBertConfig(activation="relu", **distilbert), bf16)
    yield Spec("distilbert, no head, sinusoids", t.DistilBertModel, t.DistilBertConfig(sinusoidal_pos_embds=True, **distilbert), f16)
    roberta = {"max_position_embeddings": POSITIONS + 2, "type_vocab_size": 1, "layer_norm_eps": 1e-5, **encoder}
    yield Spec("roberta, classifier", t.RobertaForSequenceClassification, t.RobertaConfig(**roberta))
    yield Spec("roberta, masked LM", t.RobertaForMaskedLM, t.RobertaConfig(hidden_act="relu", **roberta), bf16)
    yield Spec("roberta, no head", t.RobertaModel, t.RobertaConfig(**roberta), f16)


def word(index):
    return SPECIAL[index] if index < len(SPECIAL) else f"w{index}"


def make_tokenizer(encoder):
    """A word a token; encoders put a token before and one after."""
    model = tokenizers.models.WordLevel({word(i): i for i in range(WORDS)}, unk_token="[UNK]")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    if encoder:
        tokenizer.post_processor = tokenizers.processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 0), ("[SEP]", 2)])
    return tokenizer


def make_model(spec, seed, folder):
    """Writes a model whose weights are far from their quiet start, so that every part of it matters."""
    torch.manual_seed(seed)
    model = spec.kind(spec.config).eval()
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:  # sinusoids
            continue
        draw = torch.randn_like(parameter)
        if parameter.dim() == 2:
            table = "emb" in name or "wte" in name or "wpe" in name
            fan_in = 1 if table else parameter.shape[0] if spec.family == "gpt2" and "lm_head" not in name else parameter.shape[1]
            parameter.data = draw * (1.0 if table else 1.5 / fan_in**0.5)
        else:
            gain = "norm" in name.lower() or "ln_" in name
            parameter.data = 1 + 0.2 * draw if gain and name.endswith("weight") else 0.3 * draw
    model.tie_weights()
    model = model.to(spec.dtype)
    model.save_pretrained(folder, max_shard_size=spec.shards or "5GB")
    if spec.rewrite:
        path = folder / "config.json"
        path.write_text(json.dumps(spec.rewrite(reference.read_json(path))))
    make_tokenizer(not spec.causal).save(str(folder / "tokenizer.json"))


class Data:
    """Random sentences, some longer than the models' positions, and one long text."""

    def __init__(self, root):
        draw = random.Random(5)

        def words(count):
            return " ".join(word(draw.randrange(len(SPECIAL), WORDS)) for _ in range(count))

        self.sentences = [words(draw.choice([1, 5, 12, 30, POSITIONS + 9])) for _ in range(24)]
        self.text = words(900)
        self.labelled, self.stream = root / "sentences.tsv", root / "text.txt"
        self.labelled.write_text("".join(f"{s}\t{i % 3}\n" for i, s in enumerate(self.sentences)))
        self.stream.write_text(self.text + "\n")

    def path(self, spec):
        return self.stream if spec.task == "perplexity" else self.labelled

    def inputs(self, spec):
        """Token ids as the command forms them: windows of a stream, or sentences that are cut at the model's positions."""
        tokenizer = make_tokenizer(not spec.causal)
        if spec.task == "perplexity":
            stream = tokenizer.encode(self.text, add_special_tokens=False).ids[: 12 * (WINDOW - 1)]
            return check_decoder.cut(stream, WINDOW, spec.config.bos_token_id)
        tokenizer.enable_truncation(POSITIONS)
        return [tokenizer.encode(sentence).ids for sentence in self.sentences]

    def calibration(self, spec):
        """The sequences that a repair is fitted on: there are fewer than a recipe asks for, so all are used."""
        tokenizer = make_tokenizer(not spec.causal)
        if spec.causal:
            return check_decoder.cut(tokenizer.encode(self.path(spec).read_text(), add_special_tokens=False).ids, WINDOW, spec.config.bos_token_id)
        tokenizer.enable_truncation(WINDOW)
        return [tokenizer.encode(sentence).ids for sentence in self.sentences]


@torch.no_grad()
def stock_answers(model, spec, inputs):
    """Logits or last hidden states of stock Transformers, one sequence at a time."""
    rows = []
    for ids in inputs:
        out = model(input_ids=torch.tensor([ids]), output_hidden_states=True)
        rows.append(out.hidden_states[-1][0] if spec.task == "features" else out.logits.reshape(-1, out.logits.shape[-1]))
    return torch.cat(rows).double().numpy()


# What reads heads and neurons in a block of each family, under the prefix of a layer.
CONSUMERS = {
    "bert": ("encoder.layer.{}.", "attention.output.dense", "output.dense"),
    "roberta": ("encoder.layer.{}.", "attention.output.dense", "output.dense"),
    "distilbert": ("transformer.layer.{}.", "attention.out_lin", "ffn.lin2"),
    "gpt2": ("h.{}.", "attn.c_proj", "mlp.c_proj"),
    "llama": ("layers.{}.", "self_attn.o_proj", "mlp.down_proj"),
    "qwen2": ("layers.{}.", "self_attn.o_proj", "mlp.down_proj"),
    "opt": ("decoder.layers.{}.", "self_attn.out_proj", "fc2"),
}


def random_plan(model, spec, seed):
    """Other kept units in each layer; one layer keeps all heads, another all neurons."""
    draw, config = random.Random(seed), spec.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    layers = []
    for index in range(config.num_hidden_layers):
        neurons = consumer(model, spec, index, 1).shape[0 if spec.family == "gpt2" else 1]
        kept = [sorted(draw.sample(range(total), draw.randint(1, total - 1) if index != whole else total)) for whole, total in ((1, heads), (2, neurons))]
        layers.append({"heads": kept[0], "neurons": kept[1]})
    return {"version": 1, "layers": layers}


def random_channels(model, spec, seed):
    """A plan that keeps some channels of the residual stream, as many as a config can say, and other units in each layer."""
    config, draw = spec.config, random.Random(seed)
    hidden, heads = config.hidden_size, config.num_attention_heads
    kept = {"llama": hidden - heads * 2, "qwen2": hidden // 2 + 1}.get(spec.family, hidden - hidden // heads)
    return {**random_plan(model, spec, seed), "hidden": sorted(draw.sample(range(hidden), kept))}


def consumer(model, spec, layer, unit):
    prefix, *names = CONSUMERS[spec.family]
    return model.base_model.get_parameter(prefix.format(layer) + names[unit] + ".weight")


@torch.no_grad()
def blind(model, spec, plan):
    """Puts zeros where the consumers read what the plan removes."""
    for index, layer in enumerate(plan["layers"]):
        for unit, kept in enumerate((layer["heads"], layer["neurons"])):
            weight = consumer(model, spec, index, unit)
            weight = weight if spec.family == "gpt2" else weight.t()  # [inputs, outputs]
            total = weight.shape[0]
            heads = getattr(spec.config, "num_key_value_heads", None) or spec.config.num_attention_heads
            size = total // heads if unit == 0 else 1
            gone = torch.ones(total, dtype=torch.bool)
            for index_kept in kept:
                gone[index_kept * size : (index_kept + 1) * size] = False
            weight[gone] = 0.0
    return model


class Judge:
    def __init__(self, command, root):
        self.command, self.root, self.faults, self.far = command, root, [], 0.0
        self.asked, self.repaired = {}, {}  # consumers, by repair
        self.data = Data(root)

    def fault(self, name, what):
        self.faults.append(f"{name}: {what}")
        print(f"families: FAULT: {name}: {what}")

    def run(self, name, *arguments):
        done = subprocess.run([self.command, *map(str, arguments), "--device", "cpu"], capture_output=True, text=True)
        if done.returncode != 0:
            self.fault(name, f"{arguments[0]}: {done.stderr.strip().splitlines()[-1]}")
            return None
        return done.stdout

    def ours(self, name, spec, folder):
        """What the command says of a folder: (its JSON line, its answers), or nothing where it failed."""
        out = folder.parent / f"{folder.name}.json"
        window = ["--window", WINDOW, "--limit", 12 * (WINDOW - 1)] if spec.task == "perplexity" else []
        said = self.run(name, "eval", folder, "--task", spec.task, "--data", self.data.path(spec), "--logits", out, "--json", *window)
        return None if said is None else (json.loads(said), reference.read_answers(out))

    @torch.no_grad()
    def greedy(self, name, spec, model, folder):
        """Compares what the command generates, with its cache, with greedy text of the stock model."""
        ids = make_tokenizer(False).encode(" ".join(self.data.text.split()[:5])).ids
        steps = {"do_sample": False, "max_new_tokens": STEPS, "pad_token_id": 1}
        right = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)), **steps)[0, len(ids) :].tolist()
        prompt = " ".join(map(word, ids))
        said = self.run(name, "generate", folder, "--prompt", prompt, "--max-tokens", STEPS, "--json")
        if said is not None and (tokens := json.loads(said)["tokens"]) != right:
            self.fault(name, f"the greedy text is {tokens}, that of stock Transformers {right}")

    def same(self, name, spec, model, found, folder):
        """Compares what the command said with a stock model; gives the stock answers."""
        inputs = self.data.inputs(spec)
        stock = stock_answers(model, spec, inputs)
        if found is None:
            return stock
        said, ours = found
        faults, figures = reference.compare(ours, stock, predictions=False)
        if spec.task == "perplexity":
            value, tokens, right = check_decoder.perplexity(model, inputs)
            if said["tokens"] != tokens or not abs(said["perplexity"] / value - 1) <= check_decoder.TOLERANCE:
                faults.append(f"the perplexity of {said['tokens']} tokens is {said['perplexity']}, that of stock Transformers {value} of {tokens}")
            if not abs(said["token_accuracy"] * tokens - right) <= check_decoder.CLOSE:
                faults.append(f"the token accuracy is {said['token_accuracy']}, that of stock Transformers {right / tokens}")
        self.far = max(self.far, figures.get("distance", 0.0))
        for fault in faults:
            self.fault(name, fault)
        if spec.task == "perplexity":
            self.greedy(name, spec, model, folder)
        print(f"families: {name}: distance {figures.get('distance', float('nan')):.2g}")
        return stock

    def prune(self, name, spec, dense, method, kind):
        folder = dense.parent / f"{dense.name}-{kind}-{name.rsplit(' ', 1)[-1]}"
        recipe = {"version": 1, "calibration": {"source": str(self.data.path(spec)), "sequences": 64, "length": WINDOW}, "method": method, "output": {"kind": kind}}
        path = folder.with_suffix(".recipe.json")
        path.write_text(json.dumps(recipe))
        return folder if self.run(name, "prune", dense, "--recipe", path, "--out", folder) is not None else None

    def export(self, name, spec, dense, dense_answers, method, kind):
        """Prunes, loads strictly, compares; gives our answers."""
        folder = self.prune(name, spec, dense, method, kind)
        if folder is None:
            return None
        model, faults = check_export.load_strictly(folder)
        for fault in faults:
            self.fault(name, fault)
        if model is None:
            return None
        self.formulas(name, spec, dense, folder, method)
        found = self.ours(name, spec, folder)
        stock = self.same(name, spec, model, found, folder)
        if np.abs(stock - dense_answers).max() < 0.01 * dense_answers.std():
            self.fault(name, "it answers as the dense model does, so nothing was tested")
        return found and found[1]

    def loaded(self, name, spec, folder):
        """Loads strictly and compares our answers with the stock ones; gives ours."""
        model, faults = check_export.load_strictly(folder)
        for fault in faults:
            self.fault(name, fault)
        if model is None:
            return None
        found = self.ours(name, spec, folder)
        self.same(name, spec, model, found, folder)
        return found and found[1]

    def whole(self, spec, dense, answers, plan):
        """Whole layers, and channels of the residual stream: sliced, then chosen and repaired."""
        calibration, depth = self.data.calibration(spec), spec.config.num_hidden_layers
        ways = {
            "layers": ({"kind": "structured", "units": ["layers"], "ratio": 1 / depth}, "stock", structures.check_layers),
            "channels": ({"kind": "plan", "plan": plan, "reconstruction": "none"}, "sliced", lambda dense, folder, _: structures.check_sliced(dense, folder)),
            "channels-liar": ({"kind": "structured", "units": CHANNELS.get(spec.family, ["hidden", "heads", "neurons"]), "ratio": 0.5}, "stock", self.narrow),
        }
        for way, (method, kind, check) in ways.items():
            name = f"{spec.name}, {kind}, {way}"
            folder = self.prune(name, spec, dense, method, kind)
            if folder is None or self.loaded(name, spec, folder) is None:
                continue
            for fault in check(dense, folder, calibration):
                self.fault(name, fault)

    def narrow(self, dense, folder, calibration):
        faults, figures = structures.check_narrow(dense, folder, calibration)
        self.asked["channels"] = self.asked.get("channels", 0) + figures["asked"]
        self.repaired["channels"] = self.repaired.get("channels", 0) + figures["repaired"]
        return faults

    def formulas(self, name, spec, dense, folder, method):
        """Compares the tensors of an export with what the formulas give."""
        oracle, report = liar.Dense(dense), reference.read_json(folder / "report.json")
        export = oracle.family.one_form(reference.load_tensors(folder))
        options = {"repair": method["reconstruction"], "error_aware": method.get("error_aware", False), "ridge": 0.01, "affine": True, "target": "residual", "tolerance": liar.TOLERANCE}
        options["criterion"] = "flap" if method["kind"] == "structured" else None
        plan = reference.read_plan(folder)
        faults, figures = liar.check_export(oracle, export, plan, self.data.calibration(spec), options, report)
        for fault in faults:
            self.fault(name, fault)
        wanted = method["reconstruction"]
        self.asked[wanted] = self.asked.get(wanted, 0) + sum(len(layer[unit]) < oracle.total(unit) for layer in plan for unit in liar.UNITS)
        self.repaired[wanted] = self.repaired.get(wanted, 0) + figures.get("repaired", 0)

    def model(self, spec, number):
        dense = self.root / f"model{number}"
        make_model(spec, number, dense)
        model, faults = check_export.load_strictly(dense)
        for fault in faults:
            self.fault(spec.name, fault)
        found = self.ours(spec.name, spec, dense)
        answers = self.same(spec.name, spec, model, found, dense)
        units = ["heads", "neurons"] if spec.family in ("llama", "qwen2") else ["neurons"]
        structured = {"kind": "structured", "units": units, "ratio": RATIO}
        for repair in ("bias", "liar"):
            self.export(f"{spec.name}, stock, {repair}", spec, dense, answers, {**structured, "reconstruction": repair}, "stock")
        self.whole(spec, dense, answers, random_channels(model, spec, number))
        plan = random_plan(model, spec, number)
        given = {"kind": "plan", "plan": plan}
        self.export(f"{spec.name}, sliced, liar", spec, dense, answers, {**given, "reconstruction": "liar", "error_aware": True}, "sliced")
        bare = self.export(f"{spec.name}, sliced, none", spec, dense, answers, {**given, "reconstruction": "none"}, "sliced")
        if bare is not None:
            stock = stock_answers(blind(model, spec, plan), spec, self.data.inputs(spec))
            for fault in reference.compare(bare, stock, predictions=False)[0]:
                self.fault(f"{spec.name}, sliced, none", f"against the dense model with zeros: {fault}")


def main():
    command, root, *families = sys.argv[1:]
    t.utils.logging.set_verbosity_error()
    root = pathlib.Path(root).resolve()
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    judge, models = Judge(command, root), 0
    for number, spec in enumerate(specs()):
        if not families or spec.family in families:
            judge.model(spec, number)
            models += 1
    for repair, count in judge.asked.items():
        print(f"families: repair {repair}: {judge.repaired[repair]} of {count} consumers were repaired")
        # Held-out tokens may refuse a few, and Qwen2's consumers have no bias that could be compensated.
        if repair != "none" and judge.repaired[repair] < 0.7 * count:
            judge.fault(f"repair {repair}", "too few consumers were repaired to have tested it")
    print(f"families: {models} models, the largest distance is {judge.far:.2g}, {len(judge.faults)} faults")
    return 1 if judge.faults or not models else 0


if __name__ == "__main__":
    sys.exit(main())
