"""The self-test of liar.py: the algebra against plain least squares, and deliberately broken exports, on a small random model of each family."""

import pathlib
import tempfile

import liar
import numpy as np
import reference
import torch
from transformers import BertConfig, BertForSequenceClassification, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM


# All have 4 heads to remove, 48 neurons and 3 layers.
SMALL = {
    "bert": (BertForSequenceClassification, BertConfig(hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=48, max_position_embeddings=40)),
    "gpt2": (GPT2LMHeadModel, GPT2Config(n_embd=32, n_layer=3, n_head=4, n_inner=48, n_positions=40)),
    "llama": (
        LlamaForCausalLM,
        LlamaConfig(hidden_size=32, num_hidden_layers=3, num_attention_heads=8, num_key_value_heads=4, head_dim=6, intermediate_size=48, max_position_embeddings=40),
    ),
}


def small(family, folder, dtype):
    torch.manual_seed(0)
    kind, config = SMALL[family]
    config.vocab_size = 80
    model = kind(config)
    for parameter in model.parameters():  # far from its quiet start, so that repairs matter
        parameter.data += 0.15 * torch.randn_like(parameter)
    model.to(dtype).save_pretrained(folder)
    return liar.Dense(folder)


def best_plan(dense, sequences, criterion):
    """The plan that the criterion asks for; layer 2 keeps its heads, and neurons fall away in all layers."""
    plan, hidden = [], dense.embed(sequences)
    for number, layer in enumerate(dense.layers):
        kept = {}
        hidden, caught = liar.run_layer(dense, layer, hidden)
        for unit, count in (("heads", 4 if number == 2 else 2), ("neurons", 20 + number)):
            score = liar.scores(dense, number, unit, criterion, caught[unit])
            kept[unit] = sorted(np.argsort(-score, kind="stable")[:count].tolist())
        plan.append(kept)
    return plan


def algebra(test, dense, sequences):
    """liar is least squares with a column of ones; its limits are the other repairs."""
    kept = [0, 2]
    whole, caught = liar.run_layer(dense, dense.layers[0], dense.embed(sequences))
    teacher = caught["heads"]
    W, b = dense.matrix(0, "heads")
    K = dense.channels("heads", kept)
    options = {"affine": True, "target": "residual"}
    sums = liar.moments(dense, 0, "heads", kept, teacher, None, options)
    size = len(K) // len(kept)

    def far(what, a, b, limit=1e-6):
        distance = float(np.abs(a - b).max())
        return [] if distance <= limit else [f"{what}: {distance:.3g}"]

    x = np.concatenate([x for x, _ in teacher])
    change, shift = sums.repair("liar", 0.0, W[K], size)
    fitted = np.linalg.lstsq(np.column_stack([x[:, K], np.ones(len(x))]), x @ W + b, rcond=None)[0]
    test.expect("no ridge is least squares with ones", far("weights", W[K] + change, fitted[:-1]) + far("bias", b + shift, fitted[-1]), good=True)
    change, shift = sums.repair("liar", 1e9, W[K], size)
    bias = sums.repair("bias", 0.0, W[K], size)[1]
    P = np.setdiff1d(np.arange(len(W)), K)
    faults = far("weights", change, 0.0) + far("bias", shift, bias) + far("flap", bias, W[P].T @ x[:, P].mean(0))
    test.expect("an endless ridge is the bias repair", faults, good=True)
    cov = np.cov(x.T, bias=True)
    lam = 0.01 * np.diag(cov)[K].mean()
    q = np.linalg.solve(cov[np.ix_(K, K)] + lam * np.eye(len(K)), cov[np.ix_(K, P)])
    change, shift = sums.repair("liar", 0.01, W[K], size)
    faults = far("weights", change, q @ W[P]) + far("bias", shift, W[P].T @ (x[:, P].mean(0) - q.T @ x[:, K].mean(0)))
    test.expect("with ridge it is the interpolation of pruned inputs", faults, good=True)
    change, shift = sums.repair("mask_tuning", 0.0, W[K], size)
    given = [(x[:, K[g * size : (g + 1) * size]] @ W[K[g * size : (g + 1) * size]]) for g in range(len(kept))]
    centred = [(z - z.mean(0)).ravel() for z in [*given, x @ W]]
    factors = np.linalg.lstsq(np.column_stack(centred[:-1]), centred[-1], rcond=None)[0]
    faults = far("weights", W[K] + change, np.repeat(factors, size)[:, None] * W[K])
    faults += far("bias", b + shift, (x @ W + b - x[:, K] @ (W[K] + change)).mean(0))
    test.expect("mask tuning is least squares over one factor a unit", faults, good=True)


@torch.no_grad()
def blocks_run(test, family, dense, sequences):
    """Blocks give what they give in the model; narrow ones what those give of which the consumers have zeros."""

    def far(ours, stock):
        distance = float((ours - stock).abs().max())
        return [] if distance <= 1e-12 else [f"{distance:.3g}"]

    ids = torch.tensor([min(sequences, key=len)])
    start = [dense.family.embed(ids)]
    stock = dense.family.model(input_ids=ids, output_hidden_states=True).hidden_states
    whole = liar.run_layer(dense, dense.layers[0], start)[0]
    test.expect(f"{family}: a block runs as it does in the model", far(whole[0], stock[1]), good=True)
    parts = [part for unit in liar.UNITS for part in (*dense.producers(unit), dense.consumer(unit))]
    tensors = {part + kind: dense.tensors[dense.name(0, part) + kind] for part in parts for kind in (".weight", ".bias")}
    full = [{unit: list(range(dense.total(unit))) for unit in liar.UNITS}]
    again = liar.run_layer(dense, liar.narrow(dense, dense.layers[0], 0, full, tensors), start)[0]
    test.expect(f"{family}: so it does once its tensors are put back", far(again[0], stock[1]), good=True)
    kept = {"heads": [1, 3], "neurons": list(range(5, 30))}
    zeroed, cut = dict(tensors), dict(tensors)
    for unit in liar.UNITS:
        for part in dense.producers(unit):
            K = torch.as_tensor(dense.channels(unit, kept[unit], part))
            cut |= {part + kind: tensors[part + kind][K] for kind in (".weight", ".bias")}
        name, K = dense.consumer(unit) + ".weight", torch.as_tensor(dense.channels(unit, kept[unit]))
        cut[name] = tensors[name][:, K]
        zeroed[name] = torch.zeros_like(tensors[name]).index_copy(1, K, cut[name])
    masked = liar.run_layer(dense, liar.narrow(dense, dense.layers[0], 0, full, zeroed), start)[0]
    narrowed = liar.run_layer(dense, liar.narrow(dense, dense.layers[0], 0, [kept], cut), start)[0]
    test.expect(f"{family}: a narrow block is one with zeros", far(narrowed[0], masked[0]), good=True)
    test.expect(f"{family}: which is not the dense one", far(masked[0], whole[0]), good=False)


def breakages(test, family, dense, plan, sequences, options):
    """Each broken export must be found, and by the check that is meant to find it."""
    export = liar.make_export(dense, plan, sequences, options)

    def faults(change=None, **other):
        broken = {name: tensor.clone() for name, tensor in export.items()}
        if change:
            change(broken)
        return liar.check_export(dense, broken, plan, sequences, {**options, **other})[0]

    kind = f"{family}, {options['repair']}{', error-aware' if options['error_aware'] else ''}, {next(iter(dense.tensors.values())).dtype}"
    test.expect(f"[{kind}] the right export", faults(), good=True)
    heads, neurons = (dense.name(1, dense.consumer(unit)) for unit in liar.UNITS)
    key, whole = dense.name(1, dense.producers("heads")[1]), dense.name(2, dense.consumer("heads")) + ".bias"
    untouched = min(name for name in export if "norm" in name.lower() or ".ln_" in name)

    def scale(name, factor):
        return lambda tensors: tensors.__setitem__(name, tensors[name] * factor + (factor - 1) * 0.1)

    def toward_truncation(tensors):
        """Ten percent of the repair left out."""
        truncated = dense.tensors[neurons + ".weight"][:, plan[1]["neurons"]].double()
        tensors[neurons + ".weight"] = (0.9 * tensors[neurons + ".weight"].double() + 0.1 * truncated).to(tensors[neurons + ".weight"].dtype)

    def permute(tensors):
        tensors[neurons + ".weight"] = tensors[neurons + ".weight"].roll(1, 1)

    if options["repair"] != "bias":
        test.expect(f"[{kind}] a tenth of a repair left out", faults(toward_truncation), good=False, naming=neurons + ".weight")
        test.expect(f"[{kind}] another ridge", faults(ridge=3 * options["ridge"]), good=False, naming=".weight: off")
        test.expect(f"[{kind}] the other statistics", faults(error_aware=not options["error_aware"]), good=False, naming=".weight: off")
    test.expect(f"[{kind}] columns out of order", faults(permute), good=False, naming=neurons + ".weight")
    test.expect(f"[{kind}] a perturbed consumer", faults(scale(heads + ".weight", 1.1)), good=False, naming=heads + ".weight")
    test.expect(f"[{kind}] a perturbed bias", faults(scale(neurons + ".bias", 1.1)), good=False, naming=neurons + ".bias")
    test.expect(f"[{kind}] a perturbed producer", faults(scale(key + ".weight", 1.01)), good=False, naming=key + ".weight is not the kept rows")
    test.expect(f"[{kind}] an untouched tensor changed", faults(scale(untouched, 1.01)), good=False, naming=untouched + " should have passed")
    test.expect(f"[{kind}] a tensor lost", faults(lambda t: t.pop(untouched)), good=False, naming=untouched)
    test.expect(f"[{kind}] a whole layer solved again", faults(scale(whole, 1.01)), good=False, naming=whole)
    swapped = [dict(layer) for layer in plan]
    lost = min(set(range(48)) - set(plan[0]["neurons"]))
    swapped[0]["neurons"] = sorted([*plan[0]["neurons"][1:], lost])
    other = liar.make_export(dense, swapped, sequences, options)
    found = liar.check_export(dense, other, swapped, sequences, options)[0]
    test.expect(f"[{kind}] another choice of neurons", found, good=False, naming="chosen otherwise")


def padded_and_mixed(test, family, dense, plan, sequences, options):
    repairs = {(0, "neurons"): "none", (1, "heads"): "bias"}
    export = liar.make_export(dense, plan, sequences, options, repairs)
    report = {"layers": [{unit: {"repair": repairs.get((i, unit), "liar")} for unit in liar.UNITS} for i in range(3)]}
    test.expect(f"{family}: layers that fell back", liar.check_export(dense, export, plan, sequences, options, report)[0], good=True)
    test.expect(f"{family}: layers that fell back, unsaid", liar.check_export(dense, export, plan, sequences, options)[0], good=False, naming=dense.name(0, dense.consumer("neurons")))
    report["layers"][0]["heads"]["damping"] = 3 * options["ridge"]
    test.expect(f"{family}: a damping that nobody asked for", liar.check_export(dense, export, plan, sequences, options, report)[0], good=False, naming="the damping for heads")
    del report["layers"][0]["heads"]["damping"]
    for number, kept in enumerate(plan):
        for unit in liar.UNITS:
            for part in (*dense.producers(unit), dense.consumer(unit)):
                K = torch.as_tensor(dense.channels(unit, kept[unit], part))
                name = dense.name(number, part) + ".weight"
                whole = torch.zeros_like(dense.tensors[name])
                export[name] = whole.index_copy(1 if part == dense.consumer(unit) else 0, K, export[name])
                if part != dense.consumer(unit):
                    name = dense.name(number, part) + ".bias"
                    export[name] = torch.zeros_like(dense.tensors[name]).index_copy(0, K, export[name])
    test.expect(f"{family}: a padded export", liar.check_export(dense, export, plan, sequences, options, report)[0], good=True)
    name, pruned = dense.name(0, dense.consumer("neurons")) + ".weight", min(set(range(48)) - set(plan[0]["neurons"]))
    export[name][3, pruned] = 0.5
    test.expect(f"{family}: padding that is not zero", liar.check_export(dense, export, plan, sequences, options, report)[0], good=False, naming="reads pruned units")


def run():
    test = reference.SelfTest("liar")
    random = np.random.default_rng(0)
    sequences = [random.integers(0, 80, size=random.integers(4, 30)).tolist() for _ in range(14)]
    with tempfile.TemporaryDirectory() as folder:
        for family, dtype in (("bert", torch.float32), ("bert", torch.float16), ("gpt2", torch.float32), ("llama", torch.float16)):
            dense = small(family, pathlib.Path(folder) / f"{family}{dtype}", dtype)
            if (family, dtype) == ("bert", torch.float32):
                algebra(test, dense, sequences)
            blocks_run(test, family, dense, sequences)
            options = {"repair": "liar", "error_aware": False, "ridge": 1e-2, "criterion": "flap", "tolerance": liar.TOLERANCE, "affine": True, "target": "residual"}
            plan = best_plan(dense, sequences, "flap")
            breakages(test, family, dense, plan, sequences, options)
            breakages(test, family, dense, plan, sequences, {**options, "error_aware": True})
            breakages(test, family, dense, plan, sequences, {**options, "repair": "mask_tuning", "error_aware": True, "target": "output"})
            padded_and_mixed(test, family, dense, plan, sequences, options)
            plan = best_plan(dense, sequences, "magnitude")
            breakages(test, family, dense, plan, sequences, {**options, "repair": "bias", "criterion": "magnitude"})
    return test.finish()
