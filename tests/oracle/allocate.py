#!/usr/bin/env python3
"""Independent oracle of the allocations that give layers widths of their own.

    python allocate.py COPPICE OUT_DIR MODEL... [--device cpu|gpu]

Prunes each demo model (a folder of www/models/) by every allocation, and recomputes plan.json in NumPy from what report.json says:
the scores, the mean length of the calibration sequences, the table of measured times, the probes. Scores themselves are liar.py's
business. What a unit costs is counted in the checkpoint's tensors. The probes are checked against stock Transformers, in which the
inputs of one consumer have their means in the places of the removed ones: that is what truncation with a compensated bias gives.

Notation: units of a kind over all layers go in the order of ascending score, and S_h[k] and S_n[n] are what the first k heads and
the first n neurons save together. The most important unit of a layer never goes. A budget is filled where
target <= S_h[k] + S_n[n] <= most, with target = ratio * total less half of the smallest unit, and most = (ratio + 0.005) * total.

    global       scores are z-scores over a layer's units of a kind (unbiased deviation); k is the number of heads among the units
                 that must go, in one common order, until the target is reached, and n the smallest that reaches it beside them
    flops        of all splits that fill the budget, the one that loses the least sum of scores; an operation is half of a multiply-add,
    parameters   a weight costs two a token and a head four a channel and token that is seen
    latency      as these, without the half unit and without most; times are linear between those measured
    sensitivity  no sublayer loses more than was probed, (1 + m) / 2 of it, m being what sublayers must lose in the mean;
                 cost(share) = a share^p through the two probes of a sublayer (1 <= p <= 8; by least squares where p is at a bound); as
                 global, with the cost of the next unit (slope in its middle) over its parameters in the place of z-scores
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys

import reference  # before NumPy: it sets the threads

import check_decoder
import liar
import numpy as np
import torch

UNITS = liar.UNITS
TOLERANCE = 0.005
# (allocation, ratio, what differs from the rest of the method). OSSCAR gives a curve, of heads in little time; K-prune scores that add up; a
# floor that binds keeps some units from going.
RUNS = {
    "global": ("global", 0.4, {}),
    "parameters": ("parameters", 0.3, {}),
    "flops": ("flops", 0.45, {}),
    "latency": ("latency", 0.35, {}),
    "sensitivity": ("sensitivity", 0.4, {}),
    "osscar": ("parameters", 0.12, {"criterion": "osscar", "units": ["heads"]}),
    "kprune": ("flops", 0.45, {"criterion": "kprune"}),
    "floor": ("parameters", 0.3, {"floor": 0.6}),
}
LENGTH = 64
PROBED_TOKENS = 2048
# Of a probe: the device's f32 against f64, relatively, and a floor for what is nearly nothing.
PROBE_TOLERANCE, PROBE_FLOOR = 2e-3, 1e-6


class Model:
    """What units of a checkpoint cost, counted in its tensors."""

    def __init__(self, folder):
        self.folder = folder
        self.dense = liar.Dense(folder)
        raw = reference.load_tensors(folder)
        fused = self.dense.family.one_form(raw)
        self.causal = reference.model_class(folder).__name__ == "AutoModelForCausalLM"
        # A linear map has a bias where the file has one, alone or in a part of a fused one: one_form() puts zeros elsewhere.
        self.biased = {name for name in fused if name.endswith(".bias") and (name in raw or not raw.keys() & {name.replace(".bias", ".weight")})}
        self.depth = len(self.dense.layers)

    def maps(self, layer, unit):
        """(name, outputs a unit, inputs a unit or all): the producers' and the consumer's."""
        dense, size = self.dense, self.dense.family.size
        for part in dense.producers(unit):
            yield dense.name(layer, part), size(unit, part), None
        yield dense.name(layer, dense.consumer(unit)), None, size(unit)

    def price(self, layer, unit):
        """Parameters of one unit."""
        price = 0
        for name, outputs, inputs in self.maps(layer, unit):
            rows, columns = self.dense.tensors[name + ".weight"].shape
            price += rows * inputs if outputs is None else outputs * (columns + (name + ".bias" in self.biased))
        return price

    def parameters(self):
        total = 0
        for layer in range(self.depth):
            for unit in UNITS:
                for name, _, _ in self.maps(layer, unit):
                    total += self.dense.tensors[name + ".weight"].numel()
                    total += self.dense.tensors[name + ".bias"].numel() if name + ".bias" in self.biased else 0
        return total

    def channels(self, unit):
        return self.dense.family.size(unit)


class Order:
    """Units of one kind in the order in which they go."""

    def __init__(self, losses, saving, floor=0.0):
        """`losses`: by layer a list of (loss, index) in the layer's own order; `saving(layer, left)`: of the next of `left` units; `floor`: share that stays."""
        steps = []
        for layer, of_layer in enumerate(losses):
            least = max(int(np.ceil(floor * len(of_layer))), 1)
            steps += [(loss, -layer, place, index) for place, (loss, index) in enumerate(of_layer[:-least])]
        self.steps = [(loss, -layer, index) for loss, layer, _, index in sorted(steps)]
        left = [len(of_layer) for of_layer in losses]
        saved = []
        for _, layer, _ in self.steps:
            saved.append(saving(layer, left[layer]))
            left[layer] -= 1
        self.saved = np.concatenate([[0.0], np.cumsum(saved)])
        self.lost = np.concatenate([[0.0], np.cumsum([loss for loss, _, _ in self.steps])])


def ascending(scores):
    """(score, index) of the units of a layer; of equal ones the higher index goes first."""
    return sorted(((score, index) for index, score in enumerate(scores)), key=lambda unit: (unit[0], -unit[1]))


def z_scores(scores):
    scores = np.asarray(scores)
    return (scores - scores.mean()) / scores.std(ddof=1)


def bounds(orders, ratio, total):
    smallest = min(np.diff(order.saved).min() for order in orders if order.steps)
    return ratio * total - min(smallest / 2, TOLERANCE * total), (ratio + TOLERANCE) * total


def by_threshold(orders, ratio, total):
    heads, neurons = orders
    target, most = bounds(orders, ratio, total)
    common = sorted([(step[0], kind) for kind, order in enumerate(orders) for step in order.steps], key=lambda step: (step[0], -step[1]))
    gone = [0, 0]
    for _, kind in common:
        if heads.saved[gone[0]] + neurons.saved[gone[1]] >= target:
            break
        gone[kind] += 1
    for k in [*range(gone[0], -1, -1), *range(gone[0] + 1, len(heads.saved))]:
        fits = np.flatnonzero((heads.saved[k] + neurons.saved >= target) & (heads.saved[k] + neurons.saved <= most))
        if fits.size and (fits[0] == 0 or heads.saved[k] + neurons.saved[fits[0] - 1] < target):
            return k, int(fits[0])
    raise SystemExit("no split fills the budget")


def least_loss(orders, target, most):
    heads, neurons = orders
    saved = heads.saved[:, None] + neurons.saved[None, :]
    lost = np.where((saved >= target) & (saved <= most), heads.lost[:, None] + neurons.lost[None, :], np.inf)
    return np.unravel_index(int(lost.argmin()), lost.shape)


def kept(orders, gone, depth, totals):
    layers = [{unit: set(range(totals[unit])) for unit in UNITS} for _ in range(depth)]
    for unit, order, count in zip(UNITS, orders, gone):
        for _, layer, index in order.steps[:count]:
            layers[layer][unit].remove(index)
    return [{unit: sorted(layer[unit]) for unit in UNITS} for layer in layers]


def growth(points):
    """(a, p) of a share^p."""
    (near, low), (far, high) = points
    if low > 0 and high > 0:
        p = min(max(np.log(high / low) / np.log(far / near), 1.0), 8.0)
    else:
        p = 8.0 if high > 0 else 1.0
    shares, costs = np.array([near, far]), np.array([low, high])
    return max((costs * shares**p).sum() / (shares ** (2 * p)).sum(), 0.0), p


def expected(model, allocation, ratio, report, least=0.0):
    """The plan's layers as the formulas have them."""
    scores = [[layer.get(unit, []) for layer in report["scores"]] for unit in UNITS]
    prices = [[model.price(layer, unit) for layer in range(model.depth)] for unit in UNITS]
    total = model.parameters()
    by_parameters = [lambda layer, left, of=of: of[layer] for of in prices]
    losses = [[ascending(of_layer) for of_layer in of] for of in scores]
    totals = {unit: model.dense.total(unit) for unit in UNITS}

    def orders(losses, saving, floor=least):
        return [Order(*both, floor) for both in zip(losses, saving)]

    if allocation == "global":
        found = orders([[ascending(z_scores(of_layer)) for of_layer in of] for of in scores], by_parameters)
        gone = by_threshold(found, ratio, total)
    elif allocation == "sensitivity":
        for kind, unit in enumerate(UNITS):
            for layer in range(model.depth):
                points = [(1 - p["kept"] / p["of"], p["distance"]) for p in report["probes"] if (p["layer"], p["unit"]) == (layer, unit)]
                a, p = growth(sorted(points))
                count = totals[unit]
                slope = a * p * ((np.arange(count) + 0.5) / count) ** (p - 1) / count / prices[kind][layer]
                losses[kind][layer] = [(value, index) for value, (_, index) in zip(np.maximum.accumulate(slope), losses[kind][layer])]
        removable = sum(totals[unit] * sum(prices[kind]) for kind, unit in enumerate(UNITS))
        found = orders(losses, by_parameters, 1 - (1 + min(ratio * total / removable, 1)) / 2)
        gone = by_threshold(found, ratio, total)
    elif allocation in ("flops", "parameters"):
        if allocation == "flops":
            used = report["calibration"]
            seen = used["tokens"] / used["sequences"] / (2 if model.causal else 1)
            attention = 4 * seen * model.channels("heads")
            total = 2 * total + attention * totals["heads"] * model.depth
            found = orders(losses, [lambda layer, _: 2 * prices[0][layer] + attention, lambda layer, _: 2 * prices[1][layer]])
        else:
            found = orders(losses, by_parameters)
        gone = least_loss(found, *bounds(found, ratio, total))
    else:
        times = [dict(zip(("counts", "seconds"), np.array(report["latency"][unit], dtype=float).T)) for unit in UNITS]

        def at(kind, count):
            return np.interp(count, times[kind]["counts"], times[kind]["seconds"])

        found = orders(losses, [lambda _, left, kind=kind: at(kind, left) - at(kind, left - 1) for kind in range(2)])
        total = model.depth * sum(at(kind, totals[unit]) for kind, unit in enumerate(UNITS))
        gone = least_loss(found, ratio * total, np.inf)
    return kept(found, gone, model.depth, totals)


class Judge:
    def __init__(self, arguments):
        self.command, self.device = arguments.command, arguments.device
        self.root = pathlib.Path(arguments.out).resolve()
        self.faults = []

    def prune(self, folder, text, name, sequences):
        allocation, ratio, options = RUNS[name]
        recipe = {
            "version": 1,
            "calibration": {"source": str(text), "sequences": sequences, "length": LENGTH},
            "method": {"kind": "structured", "units": list(UNITS), "criterion": "flap", "allocation": allocation, "ratio": ratio, "reconstruction": "none", **options},
            "output": {"kind": "sliced"},
        }
        name = f"{folder.name}-{name}"
        path, out = self.root / f"{name}.json", self.root / name
        path.write_text(json.dumps(recipe))
        command = [self.command, "prune", str(folder), "--recipe", str(path), "--out", str(out), "--device", self.device]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()}")
        return reference.read_plan(out), reference.read_json(out / "report.json")

    def model(self, folder):
        model = Model(folder)
        text = self.root / f"{folder.name}.txt"
        if model.causal:
            text.write_text((folder / "calibration.txt").read_text(encoding="utf-8")[:6000], encoding="utf-8")
        else:
            text.write_text("\n".join(reference.read_sentences(reference.DEV)[:64]) + "\n", encoding="utf-8")
        for run, (allocation, ratio, options) in RUNS.items():
            plan, report = self.prune(folder, text, run, 10_000)
            found = expected(model, allocation, ratio, report, options.get("floor", 0.0))
            wrong = [
                (layer, unit, sorted(set(ours[unit]) ^ set(right[unit]))[:5])
                for layer, (ours, right) in enumerate(zip(plan, found))
                for unit in UNITS
                if ours[unit] != right[unit]
            ]
            faults = [f"layer {layer}: {unit} {some} are allocated otherwise" for layer, unit, some in wrong]
            realised = report["ratio"][report["ratio"]["asked_of"]]
            # Measured time is saved at least; the others are met.
            if not -1e-9 <= realised - ratio <= 0.05 if allocation == "latency" else abs(realised - ratio) > TOLERANCE:
                faults.append(f"the ratio is {realised}, not {ratio}")
            widths = {unit: "/".join(str(len(layer[unit])) for layer in plan) for unit in UNITS}
            if allocation == "sensitivity":
                faults += self.probes(model, text, report)
            if "floor" in options and all(len(layer[unit]) > np.ceil(options["floor"] * model.dense.total(unit)) for layer in plan for unit in UNITS):
                faults.append("the floor binds nowhere, so that this shows nothing")
            name = f"{folder.name}: {run}"
            self.faults += [f"{name}: {fault}" for fault in faults]
            reference.verdict(f"allocate: {name}", faults, {"ratio": realised, **widths})

    @torch.no_grad()
    def probes(self, model, text, report):
        """Compares a few probes with stock Transformers."""
        folder, dense, faults = model.folder, model.dense, []
        tokenizer, stock = reference.load_tokenizer(folder), reference.load_model(folder, dtype=torch.float64)
        if model.causal:
            bos = reference.read_json(folder / "config.json").get("bos_token_id")
            sequences = check_decoder.cut(check_decoder.read_stream(tokenizer, text), LENGTH, bos)
        else:
            sequences = [tokenizer(s, truncation=True, max_length=LENGTH)["input_ids"] for s in reference.read_sentences(text)]
        if sum(map(len, sequences)) > PROBED_TOKENS:
            raise SystemExit(f"{folder.name}: more tokens than are probed with, so the oracle would have to draw")

        def logits():
            return torch.cat([stock(input_ids=torch.tensor([ids])).logits.reshape(-1, stock.get_output_embeddings().out_features if model.causal else stock.num_labels) for ids in sequences]).log_softmax(-1)

        own = logits()
        for probe in report["probes"][:: max(1, len(report["probes"]) // 5)]:
            layer, unit = probe["layer"], probe["unit"]
            going = [index for _, index in ascending(report["scores"][layer][unit])][: probe["of"] - probe["kept"]]
            channels = torch.as_tensor(dense.channels(unit, sorted(going)))
            consumer = stock.get_submodule(dense.name(layer, dense.consumer(unit)))
            seen = []
            watch = consumer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].reshape(-1, inputs[0].shape[-1])))
            logits()
            watch.remove()
            mean = torch.cat(seen).mean(0)

            def blind(_, inputs):
                x = inputs[0].clone()
                x[..., channels] = mean[channels]
                return (x,)

            hook = consumer.register_forward_pre_hook(blind)
            moved = logits()
            hook.remove()
            right = float((own.exp() * (own - moved)).sum(-1).mean())
            if abs(probe["distance"] - right) > PROBE_TOLERANCE * right + PROBE_FLOOR:
                faults.append(f"layer {layer}: with {probe['kept']} {unit} the distance is {probe['distance']:.6g}, in Transformers {right:.6g}")
        return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command")
    parser.add_argument("out")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    judge = Judge(arguments)
    shutil.rmtree(judge.root, ignore_errors=True)
    judge.root.mkdir(parents=True)
    for name in arguments.models:
        judge.model(reference.ROOT / "www/models" / name)
    print(f"allocate: {len(RUNS)} allocations on {len(arguments.models)} models, {len(judge.faults)} faults")
    return 1 if judge.faults else 0


if __name__ == "__main__":
    sys.exit(main())
