"""Independent oracle of what runs through the whole model: layers by their block influence, and channels of the residual stream
with the repair of everything that reads and writes them. Both models run in stock Transformers, in float64, with hooks.

Layers: BI_l = 1 - E_t cos(h_l,t, h_l+1,t); the lowest go, and the tensors of the others are the dense model's under new names.

Channels: K are those that stay, a what a layer reads in the student, A in the dense model (both behind their normalisations).

    scores    sum over readers of v_j |w_j|^2 / sum_i v_i |w_i|^2, v_j the variance of A_j (its second moment where no bias can be)
    norms     gain s g_K, s = sum (a - b)(A_K - b) / sum (a - b)^2 with a at s = 1
    readers   the damped least squares of liar.py from a to A W^T, damped toward W_K
    writers   the same from their inputs to (A W^T + r)_K - r_s, r and r_s being the residual streams
    tables    columns K
"""

import liar  # first of these: it sets the threads
import blocks
import numpy as np
import reference
import torch

# Module names under a head: first layer of a classifier and its logits, transform of a masked-language-model head.
CLASSIFIERS = {"bert": ("bert.pooler.dense", "classifier"), "distilbert": ("pre_classifier", "classifier"), "roberta": ("classifier.dense", "classifier.out_proj")}
TRANSFORMS = ("cls.predictions.transform.dense", "vocab_transform", "lm_head.dense")
HIDDEN = {"distilbert": "dim", "gpt2": "n_embd"}
DEPTH = {"distilbert": "n_layers", "gpt2": "n_layer"}
# What gives the last hidden states of a model without a head.
LAST = {"gpt2": "ln_f", "llama": "norm", "qwen2": "norm", "opt": "decoder.final_layer_norm", "distilbert": "transformer.layer.{}.output_layer_norm"}


class Trace:
    """What modules read (each of their arguments) and give over some sequences: {module: [[tokens, width], ...]}."""

    @torch.no_grad()
    def __init__(self, model, sequences, modules):
        self.reads, self.gives, handles = {}, {}, []
        flat = lambda value: value.reshape(-1, value.shape[-1]).numpy() if torch.is_tensor(value) and value.dim() > 1 else None
        for name in sorted(modules):

            def hook(_, args, kwargs, out, name=name):
                self.reads.setdefault(name, []).append([flat(value) for value in (*args, *kwargs.values())])
                self.gives.setdefault(name, []).append(flat(out[0] if isinstance(out, tuple) else out))

            handles.append(blocks.submodule(model, name).register_forward_hook(hook, with_kwargs=True))
        for ids in sequences:
            model(input_ids=torch.tensor([ids]), use_cache=False) if model.config.model_type in ("gpt2", "llama", "opt", "qwen2") else model(input_ids=torch.tensor([ids]))
        for handle in handles:
            handle.remove()

    def read(self, name, place=0):
        return np.concatenate([values[place] for values in self.reads[name]])

    def given(self, name):
        return np.concatenate(self.gives[name])


class Whole:
    """A folder: its tensors in the one form, its model in float64, and the names of its parts."""

    def __init__(self, folder):
        self.config, self.raw = reference.read_json(folder / "config.json"), reference.load_tensors(folder)
        self.kind = self.config["model_type"]
        family = blocks.FAMILIES[self.kind]
        self.model = reference.load_model(folder, dtype=torch.float64, attn_implementation=family.attention)
        self.family = family(self.model, self.raw)
        self.tensors = self.family.one_form(self.raw)
        self.depth, self.hidden = len(self.family.layers), self.config[HIDDEN.get(self.kind, "hidden_size")]
        classifies = "SequenceClassification" in type(self.model).__name__
        self.classifier = CLASSIFIERS[self.kind] if classifies else ()
        self.transform = [at for at in TRANSFORMS if at + ".weight" in self.raw]
        causal = type(self.model).__name__.endswith(("ForCausalLM", "LMHeadModel"))
        self.vocabulary = "lm_head" if causal else None
        self.untied = causal and "lm_head.weight" in self.raw
        self.norms = [name.removesuffix(".weight") for name, tensor in self.raw.items() if tensor.dim() == 1 and name.endswith(".weight")]

    def f64(self, name):
        return self.tensors[name].double().numpy()

    def at(self, layer, part):
        return f"{self.family.prefix}{layer}.{part}"

    def module(self, layer, part):
        """The module that holds a linear map of a block."""
        fused = self.kind == "gpt2" and part in self.family.producers["heads"]
        return self.at(layer, "attn.c_attn" if fused else part)

    def maps(self):
        """(layer, unit, part) of every linear map of the blocks."""
        units = self.family.producers
        return [(layer, unit, part) for layer in range(self.depth) for unit in liar.UNITS for part in (*units[unit], self.family.consumer[unit])]

    def modules(self):
        """All that a check looks at."""
        residual = {self.at(layer, self.family.residual[unit][0]) for layer, unit, _ in self.maps()}
        head = {*self.classifier, *self.transform, *([self.vocabulary] if self.vocabulary else [])}
        return {self.module(layer, part) for layer, _, part in self.maps()} | residual | head | set(self.norms)

    def affine(self, name):
        """Whether a linear map has a bias."""
        return self.kind == "gpt2" and not name.startswith("lm_head") or name + ".bias" in self.raw


def check_layers(dense_folder, folder, sequences):
    """Faults of an export of which whole layers were removed and nothing else."""
    dense, plan = Whole(dense_folder), reference.read_json(folder / "plan.json")["layers"]
    removed = [index for index, layer in enumerate(plan) if not layer["heads"] and not layer["neurons"]]
    trace = Trace(dense.model, sequences, {f"{dense.family.prefix}{layer}" for layer in range(dense.depth)})
    unit = lambda states: states / np.linalg.norm(states, axis=1, keepdims=True)
    names = [f"{dense.family.prefix}{layer}" for layer in range(dense.depth)]
    influence = [1 - (unit(trace.read(name)) * unit(trace.given(name))).sum(1).mean() for name in names]
    order = np.argsort(influence, kind="stable").tolist()
    faults = [] if sorted(order[: len(removed)]) == removed else [f"layers {removed} went, where {order} is the order by influence"]
    if reference.read_json(folder / "config.json")[DEPTH.get(dense.kind, "num_hidden_layers")] != dense.depth - len(removed):
        faults.append("the config does not count the layers that stay")
    stay = [index for index in range(dense.depth) if index not in removed]
    prefix, expected = dense.family.prefix, {}
    for name, tensor in dense.raw.items():
        if name.startswith(prefix):
            index, rest = name.removeprefix(prefix).split(".", 1)
            if int(index) in removed:
                continue
            name = f"{prefix}{stay.index(int(index))}.{rest}"
        expected[name] = tensor
    return faults + differences(reference.load_tensors(folder), expected)


def differences(found, expected):
    if found.keys() != expected.keys():
        return [f"names differ: {sorted(found.keys() ^ expected.keys())[:4]}"]
    return [f"{name} is not what stays of the dense tensor" for name in found if not torch.equal(found[name], expected[name])]


def pooled(dense, count):
    """Outputs of a classifier's first layer that stay: by the weights before and after them."""
    made, read = (dense.f64(at + ".weight") for at in dense.classifier)
    return np.sort(np.argsort(-(made**2).sum(1) * (read**2).sum(0), kind="stable")[:count])


def units_of(dense, unit, part, kept):
    """Outputs of a producer, or inputs of a consumer, that belong to kept units."""
    width = dense.family.size(unit, part)
    return (np.asarray(kept)[:, None] * width + np.arange(width)).ravel()


def sliced(dense, plan):
    """Every tensor, in the one form, with what the plan keeps."""
    K, found = torch.as_tensor(plan["hidden"]), {}
    for layer, unit, part in dense.maps():
        name = dense.at(layer, part)
        units = torch.as_tensor(units_of(dense, unit, part, plan["layers"][layer][unit]))
        weight, bias = dense.tensors[name + ".weight"], dense.tensors[name + ".bias"]
        reads = part in dense.family.producers[unit]
        found[name + ".weight"], found[name + ".bias"] = (weight[units][:, K], bias[units]) if reads else (weight[K][:, units], bias[K])
    if dense.classifier:
        P, (first, last) = torch.as_tensor(pooled(dense, len(K))), dense.classifier
        found |= {first + kind: dense.tensors[first + kind][P] for kind in (".weight", ".bias")}
        found[first + ".weight"] = found[first + ".weight"][:, K]
        found |= {last + ".weight": dense.tensors[last + ".weight"][:, P], last + ".bias": dense.tensors[last + ".bias"]}
    for name, tensor in dense.tensors.items():
        if name not in found:
            for axis in (axis for axis, length in enumerate(tensor.shape) if length == dense.hidden):
                tensor = tensor.index_select(axis, K)
            found[name] = tensor
    return found


def check_sliced(dense_folder, folder):
    """Faults of an export with a narrower residual stream and without repair."""
    dense = Whole(dense_folder)
    return differences(dense.family.one_form(reference.load_tensors(folder)), sliced(dense, reference.read_json(folder / "plan.json")))


def channel_scores(dense, trace):
    """One score a channel of the residual stream."""
    scores = np.zeros(dense.hidden)

    def add(A, squares, biased):
        nonlocal scores
        parts = (A.var(0) if biased else (A**2).mean(0)) * squares
        scores = scores + parts / parts.sum()

    squares = lambda name: (dense.f64(name + ".weight") ** 2).sum(0)
    for layer in range(dense.depth):
        for unit in liar.UNITS:
            parts = dense.family.producers[unit]
            biased = dense.affine(dense.at(layer, parts[-1])) or dense.family.affine
            add(trace.read(dense.module(layer, parts[0])), sum(squares(dense.at(layer, part)) for part in parts), biased)
    if dense.vocabulary:
        weight = dense.model.get_output_embeddings().weight.detach().double().numpy()
        add(trace.read(dense.vocabulary), (weight**2).sum(0), False)
    elif dense.classifier or dense.transform:
        name = (*dense.classifier, *dense.transform)[0]
        add(trace.read(name), squares(name), True)
    else:
        last = LAST.get(dense.kind, "encoder.layer.{}.output.LayerNorm").format(dense.depth - 1)
        add(trace.given(last), 1.0, True)
    return scores


def check_narrow(dense_folder, folder, sequences):
    """(faults, figures) of an export whose residual stream was made narrower by scores and repaired by liar."""
    dense, student = Whole(dense_folder), Whole(folder)
    plan, report = reference.read_json(folder / "plan.json"), reference.read_json(folder / "report.json")
    K, family, faults, figures = np.asarray(plan["hidden"]), dense.family, [], {"repaired": 0, "asked": 0, "worst_relative": 0.0}
    teacher, pupil = (Trace(whole.model, sequences, dense.modules()) for whole in (dense, student))
    plain, done = sliced(dense, plan), set()

    scores = channel_scores(dense, teacher)
    order = np.lexsort((np.arange(len(scores)), -scores))
    cut = scores[order[len(K) - 1]]
    far = [j for j in set(order[: len(K)].tolist()) ^ set(K.tolist()) if abs(scores[j] - cut) > liar.CLOSE_CALL * cut]
    if far:
        faults.append(f"channels {sorted(far)[:6]} are chosen otherwise")

    for name in dense.norms:
        gain, own = dense.f64(name + ".weight")[K], student.f64(name + ".weight")
        bias = dense.f64(name + ".bias")[K] if name + ".bias" in dense.raw else 0.0
        scale = (gain * own).sum() / (gain * gain).sum()
        if np.abs(own - scale * gain).max() > 0.01 * np.abs(own).max():
            faults.append(f"{name} is not a multiple of the dense gain")
        n = (pupil.given(name) - bias) / scale
        expected = (n * (teacher.given(name)[:, K] - bias)).sum() / (n * n).sum()
        if abs(scale / expected - 1) > 5e-3:
            faults.append(f"{name} is scaled by {scale:.5g}, not by {expected:.5g}")
        done.add(name + ".weight")

    def compare(name, x, y, said, affine, size=1):
        W_K = plain[name + ".weight"].double().numpy().T
        b = plain[name + ".bias"].double().numpy() if affine else None
        sums = liar.Moments(affine)
        sums.add(x, y - x @ W_K)
        change, shift = sums.repair(said["repair"], said["damping"], W_K, size)
        pairs = [(name + ".weight", student.tensors[name + ".weight"].T, W_K + change, W_K)]
        pairs += [(name + ".bias", student.tensors[name + ".bias"], b + shift, b)] if affine else []
        for label, ours, expected, truncated in pairs:
            done.add(label)
            if said["repair"] == "none":
                if not torch.equal(ours, torch.as_tensor(truncated).to(ours.dtype)):
                    faults.append(f"{label} should be a slice of the dense tensor")
                continue
            found = liar.near(label, ours, expected, truncated, liar.TOLERANCE)
            if found and label.endswith(".bias"):
                # A bias makes up for what f32 does to the weights, times the inputs' mean: what counts is the output there.
                at_mean = lambda bias, weight: torch.as_tensor(bias).double() + torch.as_tensor(weight).double().t() @ torch.as_tensor(x.mean(0))
                ours, expected, truncated = (at_mean(b, W).numpy() for b, W in zip((ours, expected, truncated), pairs[0][1:]))
                ours = torch.as_tensor(ours).float()
                found = liar.near(label, ours, expected, truncated, liar.TOLERANCE)
            faults.extend(found)
            off = np.linalg.norm(ours.double().numpy() - expected) / max(np.linalg.norm(expected - truncated), 1e-300)
            figures["worst_relative"] = max(figures["worst_relative"], float(off))
        figures["asked"] += 1
        figures["repaired"] += said["repair"] == "liar"

    for layer, unit, part in dense.maps():
        name, module, said = dense.at(layer, part), dense.module(layer, part), report["layers"][layer][unit]
        kept = units_of(dense, unit, part, plan["layers"][layer][unit])
        y = teacher.read(module) @ dense.f64(name + ".weight").T
        affine = dense.affine(name) or family.affine
        if part in family.producers[unit]:
            compare(name, pupil.read(module), y[:, kept], said["producers"], affine)
            continue
        residual, place = family.residual[unit]
        r, r_s = (trace.read(dense.at(layer, residual), place) for trace in (teacher, pupil))
        compare(name, pupil.read(module), (y + r)[:, K] - r_s, said, affine, family.size(unit))
    said = {one["tensor"].removesuffix(".weight"): one for one in report.get("head", [])}
    for name in (*dense.classifier, *dense.transform, *([dense.vocabulary] if dense.untied else [])):
        first = name in dense.classifier[:1]
        rows = pooled(dense, len(K)) if first else K if name in dense.transform else slice(None)
        compare(name, pupil.read(name), (teacher.read(name) @ dense.f64(name + ".weight").T)[:, rows], said[name], dense.affine(name))
    faults += differences({n: t for n, t in student.tensors.items() if n not in done}, {n: t for n, t in plain.items() if n not in done})
    return faults, figures
