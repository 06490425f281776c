"""The self-test of liar.py: the algebra against plain least squares, and deliberately broken exports, on a small random BERT."""

import pathlib
import tempfile

import liar
import numpy as np
import reference
import torch
from transformers import BertConfig, BertForSequenceClassification


def small_bert(folder, dtype):
    torch.manual_seed(0)
    config = BertConfig(vocab_size=80, hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=48, max_position_embeddings=40)
    model = BertForSequenceClassification(config)
    for parameter in model.parameters():  # far from its quiet start, so that repairs matter
        parameter.data += 0.15 * torch.randn_like(parameter)
    model.to(dtype).save_pretrained(folder)
    return liar.Dense(folder)


def best_plan(dense, sequences, criterion):
    """The plan that the criterion asks for; layer 2 keeps its heads, and neurons fall away in all layers."""
    plan, hidden = [], dense.embed(sequences)
    for number, layer in enumerate(dense.layers):
        kept = {}
        hidden, caught = liar.run_layer(layer, hidden)
        for unit, count in (("heads", 4 if number == 2 else 2), ("neurons", 20 + number)):
            score = liar.scores(dense, number, unit, criterion, caught[unit])
            kept[unit] = sorted(np.argsort(-score, kind="stable")[:count].tolist())
        plan.append(kept)
    return plan


def algebra(test, dense, sequences):
    """liar is least squares with a column of ones; its limits are the other repairs."""
    kept = [0, 2]
    whole, caught = liar.run_layer(dense.layers[0], dense.embed(sequences))
    teacher = caught["heads"]
    W, b = dense.matrix(0, "heads")
    K = dense.channels("heads", kept)
    sums = liar.moments(dense, 0, "heads", kept, teacher, None)

    def far(what, a, b, limit=1e-6):
        distance = float(np.abs(a - b).max())
        return [] if distance <= limit else [f"{what}: {distance:.3g}"]

    x = np.concatenate([x for x, _ in teacher])
    change, shift = sums.repair("liar", 0.0)
    fitted = np.linalg.lstsq(np.column_stack([x[:, K], np.ones(len(x))]), x @ W + b, rcond=None)[0]
    test.expect("no ridge is least squares with ones", far("weights", W[K] + change, fitted[:-1]) + far("bias", b + shift, fitted[-1]), good=True)
    change, shift = sums.repair("liar", 1e9)
    bias = sums.repair("bias", 0.0)[1]
    P = np.setdiff1d(np.arange(len(W)), K)
    faults = far("weights", change, 0.0) + far("bias", shift, bias) + far("flap", bias, W[P].T @ x[:, P].mean(0))
    test.expect("an endless ridge is the bias repair", faults, good=True)
    cov = np.cov(x.T, bias=True)
    lam = 0.01 * np.diag(cov)[K].mean()
    q = np.linalg.solve(cov[np.ix_(K, K)] + lam * np.eye(len(K)), cov[np.ix_(K, P)])
    change, shift = sums.repair("liar", 0.01)
    faults = far("weights", change, q @ W[P]) + far("bias", shift, W[P].T @ (x[:, P].mean(0) - q.T @ x[:, K].mean(0)))
    test.expect("with ridge it is the interpolation of pruned inputs", faults, good=True)
    shortest = min(sequences, key=len)
    stock = dense.bert(input_ids=torch.tensor([shortest]), output_hidden_states=True).hidden_states[1]
    test.expect("a block runs as it does in the model", far("hidden", whole[0][0].numpy(), stock[0].detach().numpy(), 1e-12), good=True)


def breakages(test, dense, plan, sequences, options):
    """Each broken export must be found, and by the check that is meant to find it."""
    export = liar.make_export(dense, plan, sequences, options)

    def faults(change=None, **other):
        broken = {name: tensor.clone() for name, tensor in export.items()}
        if change:
            change(broken)
        return liar.check_export(dense, broken, plan, sequences, {**options, **other})[0]

    kind = f"{options['repair']}{', error-aware' if options['error_aware'] else ''}, {dense.tensors['bert.pooler.dense.weight'].dtype}"
    test.expect(f"[{kind}] the right export", faults(), good=True)
    layer = "bert.encoder.layer.1."

    def scale(name, factor):
        return lambda tensors: tensors.__setitem__(name, tensors[name] * factor)

    def toward_truncation(tensors):
        """Ten percent of the repair left out."""
        name = layer + "output.dense.weight"
        truncated = dense.tensors[name][:, plan[1]["neurons"]].double()
        tensors[name] = (0.9 * tensors[name].double() + 0.1 * truncated).to(tensors[name].dtype)

    def permute(tensors):
        name = layer + "output.dense.weight"
        tensors[name] = tensors[name].roll(1, 1)

    if options["repair"] == "liar":
        test.expect(f"[{kind}] a tenth of a repair left out", faults(toward_truncation), good=False, naming=layer + "output.dense.weight")
        test.expect(f"[{kind}] another ridge", faults(ridge=3 * options["ridge"]), good=False, naming="dense.weight: off")
        test.expect(f"[{kind}] the other statistics", faults(error_aware=not options["error_aware"]), good=False, naming="dense.weight: off")
    test.expect(f"[{kind}] columns out of order", faults(permute), good=False, naming=layer + "output.dense.weight")
    test.expect(f"[{kind}] a perturbed consumer", faults(scale(layer + "attention.output.dense.weight", 1.1)), good=False, naming=layer + "attention.output.dense.weight")
    test.expect(f"[{kind}] a perturbed bias", faults(scale(layer + "output.dense.bias", 1.1)), good=False, naming=layer + "output.dense.bias")
    test.expect(f"[{kind}] a perturbed producer", faults(scale(layer + "attention.self.key.weight", 1.01)), good=False, naming="key.weight is not the kept rows")
    test.expect(f"[{kind}] an untouched tensor changed", faults(scale("classifier.weight", 1.01)), good=False, naming="classifier.weight should have passed")
    test.expect(f"[{kind}] a tensor lost", faults(lambda t: t.pop("bert.pooler.dense.bias")), good=False, naming="bert.pooler.dense.bias")
    kept_heads = "bert.encoder.layer.2.attention.output.dense.bias"
    test.expect(f"[{kind}] a whole layer solved again", faults(scale(kept_heads, 1.01)), good=False, naming=kept_heads)
    swapped = [dict(layer) for layer in plan]
    lost = min(set(range(48)) - set(plan[0]["neurons"]))
    swapped[0]["neurons"] = sorted([*plan[0]["neurons"][1:], lost])
    other = liar.make_export(dense, swapped, sequences, options)
    found = liar.check_export(dense, other, swapped, sequences, options)[0]
    test.expect(f"[{kind}] another choice of neurons", found, good=False, naming="chosen otherwise")


def padded_and_mixed(test, dense, plan, sequences, options):
    repairs = {(0, "neurons"): "none", (1, "heads"): "bias"}
    export = liar.make_export(dense, plan, sequences, options, repairs)
    report = {"layers": [{unit: {"repair": repairs.get((i, unit), "liar")} for unit in liar.UNITS} for i in range(3)]}
    test.expect("layers that fell back", liar.check_export(dense, export, plan, sequences, options, report)[0], good=True)
    test.expect("layers that fell back, unsaid", liar.check_export(dense, export, plan, sequences, options)[0], good=False, naming="layer.0.output.dense")
    report["layers"][0]["heads"]["damping"] = 3 * options["ridge"]
    test.expect("a damping that nobody asked for", liar.check_export(dense, export, plan, sequences, options, report)[0], good=False, naming="the damping for heads")
    del report["layers"][0]["heads"]["damping"]
    for number, kept in enumerate(plan):
        for unit in liar.UNITS:
            K = torch.as_tensor(dense.channels(unit, kept[unit]))
            for part in (*liar.producers(unit), liar.consumer(unit)):
                name = dense.name(number, part) + ".weight"
                whole = torch.zeros_like(dense.tensors[name])
                export[name] = whole.index_copy(1 if part == liar.consumer(unit) else 0, K, export[name])
                if part != liar.consumer(unit):
                    name = dense.name(number, part) + ".bias"
                    export[name] = torch.zeros_like(dense.tensors[name]).index_copy(0, K, export[name])
    test.expect("a padded export", liar.check_export(dense, export, plan, sequences, options, report)[0], good=True)
    name, pruned = "bert.encoder.layer.0.output.dense.weight", min(set(range(48)) - set(plan[0]["neurons"]))
    export[name][3, pruned] = 0.5
    test.expect("padding that is not zero", liar.check_export(dense, export, plan, sequences, options, report)[0], good=False, naming="reads pruned units")


def run():
    test = reference.SelfTest("liar")
    random = np.random.default_rng(0)
    sequences = [random.integers(0, 80, size=random.integers(4, 30)).tolist() for _ in range(14)]
    with tempfile.TemporaryDirectory() as folder:
        for dtype in (torch.float32, torch.float16):
            dense = small_bert(pathlib.Path(folder) / str(dtype), dtype)
            if dtype == torch.float32:
                algebra(test, dense, sequences)
            options = {"repair": "liar", "error_aware": False, "ridge": 1e-2, "criterion": "flap", "tolerance": liar.TOLERANCE}
            plan = best_plan(dense, sequences, "flap")
            breakages(test, dense, plan, sequences, options)
            breakages(test, dense, plan, sequences, {**options, "error_aware": True})
            padded_and_mixed(test, dense, plan, sequences, options)
        breakages(test, dense, best_plan(dense, sequences, "magnitude"), sequences, {**options, "repair": "bias", "criterion": "magnitude"})
    return test.finish()
