#!/usr/bin/env python3
"""Independent oracle of the criterion optin: stock Transformers' modules in float64, with one unit at a time left out.

    python optin.py COPPICE OUT_DIR [--device cpu|gpu]
    python optin.py --self-test

F_z are the outputs of the second FFN matrix of layer z over all tokens of the batch (at most 768 here, so that none are sampled), f_z
their rows over their lengths, M_z = f_z f_z^T; F', f', M' the same without the unit, which is masked where its consumer reads it.

    trajectory  sum over layers z above the unit's of |M'_z - M_z|_F^2; of a unit of the last layer, half of that layer's own
    answers     sum over sequences (of a language model: over tokens) of KL(p || p')
    score       trajectory + w * answers, w = 0.1 * sum of trajectories / sum of answers over all units that are scored so

With `screen`, neurons are put in the order of sum over tokens of a_j^2 * |w_j|^2. A quarter of those scored (at least 8) are spread
evenly over it, the others surround the place where the share `ratio` ends; what is left lies on the line that fits the logarithms.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys

import gradients  # before NumPy: it sets the threads

import blocks
import numpy as np
import reference
import torch

UNITS = ("heads", "neurons")
SEQUENCES, SCREEN, RATIO = 2, 0.01, 0.5
# Relatively: f32 forward passes of ours against float64, where one neuron of a thousand is left out.
TOLERANCE = 0.02
# f32 statistics may order neurons otherwise that are nearly equal.
ELSEWHERE = 0.1
LEAST, SPREAD = 8, 0.25


class Probe:
    """A model in float64 from which one unit may be missing."""

    def __init__(self, folder, sequences):
        config = reference.read_json(folder / "config.json")
        family = blocks.FAMILIES[config["model_type"]]
        self.model = reference.load_model(folder, dtype=torch.float64, attn_implementation=family.attention).requires_grad_(False)
        tensors = reference.load_tensors(folder)
        self.family = family(self.model, tensors)
        self.tensors = self.family.one_form(tensors)
        self.classifies = hasattr(self.model, "classifier")
        self.depth = len(self.family.layers)
        self.missing, self.features = None, {}
        self.squares = [0.0] * self.depth
        for number, layer in enumerate(self.family.layers):
            for unit in UNITS:
                blocks.submodule(layer, self.family.consumer[unit]).register_forward_pre_hook(self.leave_out(number, unit))
            blocks.submodule(layer, self.family.consumer["neurons"]).register_forward_hook(self.keep(number))
        for ids in sequences:
            self.model(input_ids=torch.tensor([ids]))
        self.sums, self.squares = self.squares, [0.0] * self.depth
        self.batch = sequences[:SEQUENCES]
        self.dense = self.run()

    def leave_out(self, number, unit):
        size = self.family.size(unit)

        def apply(_, args):
            x = args[0]
            if unit == "neurons":
                self.squares[number] = self.squares[number] + x.flatten(0, -2).pow(2).sum(0).numpy()
            if self.missing and self.missing[:2] == (number, unit):
                x = x.clone()
                x[..., self.missing[2] * size : (self.missing[2] + 1) * size] = 0
            return (x, *args[1:])

        return apply

    def keep(self, number):
        def apply(_, __, output):
            self.features.setdefault(number, []).append(output.flatten(0, -2).numpy())

        return apply

    def run(self, missing=None):
        """(similarity matrices by layer, log-probabilities by row) of the batch."""
        self.missing, self.features, answers = missing, {}, []
        for ids in self.batch:
            logits = self.model(input_ids=torch.tensor([ids])).logits[0]
            answers.append(torch.log_softmax(logits.reshape(-1, logits.shape[-1]), -1).numpy())
        rows = [np.concatenate(self.features[number]) for number in range(self.depth)]
        assert len(rows[0]) <= 768
        units = [layer / np.linalg.norm(layer, axis=1, keepdims=True) for layer in rows]
        return [f @ f.T for f in units], np.concatenate(answers)

    def moved(self, layer, unit, index):
        """(trajectory, answers) of one unit, its last layer's weight included."""
        similar, p = self.dense
        other, q = self.run((layer, unit, index))
        far = [((a - b) ** 2).sum() for a, b in zip(similar, other)]
        trajectory = sum(far[layer + 1 :]) if layer + 1 < self.depth else 0.5 * far[layer]
        return trajectory, (np.exp(p) * (p - q)).sum()

    def cheap(self, layer):
        weight = self.tensors[f"{self.family.prefix}{layer}.{self.family.consumer['neurons']}.weight"].double().numpy()
        return self.sums[layer] * (weight**2).sum(0)


def chosen(cheap):
    """Neurons that are scored exactly, ascending."""
    count = min(len(cheap), max(LEAST, int(np.ceil(SCREEN * len(cheap)))))
    spread = min(count, max(LEAST, int(np.ceil(SPREAD * count))))
    order = np.argsort(cheap, kind="stable")
    places = {i * (len(order) - 1) // max(spread - 1, 1) for i in range(spread)}
    for place in np.argsort(np.abs(np.arange(len(order)) + 0.5 - RATIO * len(order)), kind="stable"):
        if len(places) == count:
            break
        places.add(int(place))
    return sorted(int(order[place]) for place in places)


def scores(probe):
    """Per layer and unit: ({index: exact score}, scores of all, where some are on a line)."""
    asked = {(layer, unit): chosen(probe.cheap(layer)) if unit == "neurons" else range(probe.family.units[unit]) for layer in range(probe.depth) for unit in UNITS}
    moved = {(layer, unit, index): probe.moved(layer, unit, index) for (layer, unit), units in asked.items() for index in units}
    trajectories, answers = np.sum(list(moved.values()), axis=0)
    weight = 0.1 * trajectories / answers
    found = []
    for layer in range(probe.depth):
        of_layer = {}
        for unit in UNITS:
            exact = {index: moved[layer, unit, index] @ np.array([1, weight]) for index in asked[layer, unit]}
            line = None
            if unit == "neurons":
                cheap = np.log(probe.cheap(layer))
                slope, offset = np.polyfit(cheap[list(exact)], np.log(list(exact.values())), 1)
                line = np.exp(offset + slope * cheap)
            of_layer[unit] = (exact, line)
        found.append(of_layer)
    return found


def judge(found, ours):
    """(faults, figures) of the scores in a report."""
    faults, worst, elsewhere, total = [], 0.0, 0, 0
    for number, (of_layer, told) in enumerate(zip(found, ours, strict=True)):
        for unit, (exact, line) in of_layer.items():
            values = np.array(told[unit])
            far = {index: abs(values[index] / score - 1) for index, score in exact.items()}
            total += len(far)
            bad = [index for index, by in far.items() if not by <= TOLERANCE]
            worst = max([worst, *(by for by in far.values() if by <= TOLERANCE)])
            if line is not None:
                # What we scored exactly is where another neuron of nearly the same order stood: it may be on the line instead.
                elsewhere += len(bad)
                rest = np.setdiff1d(np.arange(len(values)), list(exact))
                off = rest[np.abs(values[rest] / line[rest] - 1) > 5 * TOLERANCE]
                if len(bad) > ELSEWHERE * len(far) + 1 or len(off) > ELSEWHERE * len(far) + 1:
                    faults.append(f"layer {number}: {len(bad)} of {len(far)} exact {unit} and {len(off)} of {len(rest)} others are wrong, the first {[*bad, *off][0]}")
            elif bad:
                faults.append(f"layer {number}: {unit[:-1]} {bad[0]} scores {values[bad[0]]:.6g}, not {exact[bad[0]]:.6g}")
    return faults, {"exact": total, "elsewhere": elsewhere, "distance": worst}


def check(command, root, device):
    root = pathlib.Path(root).resolve()
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    status = 0
    for name in ("bert-sst2", "llama-stories"):
        folder, text, sequences, _ = gradients.prepare(name, root)
        recipe = {
            "version": 1,
            "calibration": {"source": text.name, "sequences": 10_000, "length": gradients.LENGTH, "seed": gradients.SEED},
            "method": {"kind": "structured", "criterion": "optin", "ratio": RATIO, "reconstruction": "none", "screen": SCREEN, "score_sequences": SEQUENCES},
            "output": {"kind": "sliced"},
        }
        path, out = root / f"{name}.json", root / name
        path.write_text(json.dumps(recipe))
        arguments = [command, "prune", folder, "--recipe", path, "--out", out, "--device", device]
        done = subprocess.run(list(map(str, arguments)), capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(map(str, arguments))}: {done.stderr.strip()}")
        status |= reference.verdict(f"optin: {name}", *judge(scores(Probe(folder, sequences)), reference.read_json(out / "report.json")["scores"]))
    print(f"optin: two models on {device}, {'faults' if status else 'all good'}")
    return status


def self_test():
    """Scores that are wrong must be found."""
    test = reference.SelfTest("optin")
    line = np.linspace(1, 2, 200)
    exact = {index: line[index] * 1.3 for index in chosen(line)}
    found = [{"heads": ({0: 2.0, 1: 3.0}, None), "neurons": (exact, line)}]
    right = line.copy()
    right[list(exact)] = list(exact.values())
    test.expect("the ends are chosen", [] if {0, 199} <= exact.keys() and len(exact) == LEAST else [f"{exact}"], good=True)
    test.expect("the same scores", judge(found, [{"heads": [2.0, 3.0], "neurons": right}])[0], good=True)
    test.expect("a head that is off", judge(found, [{"heads": [2.0, 3.1], "neurons": right}])[0], good=False, naming="head 1 scores 3.1")
    test.expect("nothing exact", judge(found, [{"heads": [2.0, 3.0], "neurons": line}])[0], good=False, naming="8 of 8 exact")
    test.expect("another line", judge(found, [{"heads": [2.0, 3.0], "neurons": np.where(right == line, 1.5 * line, right)}])[0], good=False, naming="192 of 192 others")
    test.expect("no number", judge(found, [{"heads": [2.0, float("nan")], "neurons": right}])[0], good=False, naming="head 1")
    return test.finish()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs="?")
    parser.add_argument("out", nargs="?")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    if arguments.self_test:
        return self_test()
    if not arguments.out:
        parser.error("COPPICE and OUT_DIR are needed")
    return check(arguments.command, arguments.out, arguments.device)


if __name__ == "__main__":
    sys.exit(main())
