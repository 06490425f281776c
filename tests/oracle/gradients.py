#!/usr/bin/env python3
"""Independent oracle of the criteria that follow gradients: PyTorch's autograd, in float64, on stock Transformers' modules.

    python gradients.py COPPICE OUT_DIR [--device cpu|gpu]
    python gradients.py --self-test

Every unit of every layer gets a factor m = 1 on what its consumer reads. With the loss L_s of sequence s (the cross-entropy of its
label, or the mean over the tokens after the first), g_s = dL_s/dm and n_s the number of predictions in s:

    fisher  mean over s of g_s^2
    snip    |sum over s of g_s|
    kprune  1/2 sum over s of (n_s g_s)^2 / sum of n_s + 2.5e-4 * mean over tokens of x^2 * mean of w^2, summed over channels,
            g_s for targets drawn from the model's own predictions by the generator that recipes name (xoshiro256**, SplitMix64)

The command prunes bert-sst2 and the stories models by half; what its plan keeps must be what these scores rank highest, and the
scores in its report must be these, as allocations add them up.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys

import reference  # before NumPy: it sets the threads

import blocks
import check_decoder
import numpy as np
import torch

UNITS = ("heads", "neurons")
LENGTH = 32
SENTENCES, CHARACTERS = 24, 2_000
# With this seed no draw lies within 1e-6 of where two tokens meet: f32 could decide such a one otherwise, and every gradient with it.
SEED = 19
# Units whose scores are this near to the cut, relatively, may be decided otherwise.
CLOSE_CALL = 2e-3
# Scores may differ by this much of the largest: f32 gradients, squared.
VALUE = 5e-3
# At most this share of units may be left undecided by that.
UNDECIDED = 0.02
MASK = (1 << 64) - 1


class Generator:
    """xoshiro256** seeded through SplitMix64 (Blackman and Vigna)."""

    def __init__(self, seed):
        self.state = []
        for _ in range(4):
            seed = (seed + 0x9E3779B97F4A7C15) & MASK
            z = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
            z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
            self.state.append(z ^ (z >> 31))

    def next(self):
        def turn(x, by):
            return ((x << by) | (x >> (64 - by))) & MASK

        s0, s1, s2, s3 = self.state
        result = (turn((s1 * 5) & MASK, 7) * 9) & MASK
        t2, t3 = s2 ^ s0, s3 ^ s1
        self.state = [s0 ^ t3, s1 ^ t2, t2 ^ ((s1 << 17) & MASK), turn(t3, 45)]
        return result

    def uniform(self):
        return (self.next() >> 11) / (1 << 53)

    def shuffled(self, count):
        """All indices in drawn order."""
        order = list(range(count))
        for i in range(count):
            j = i + ((self.next() * (count - i)) >> 64)
            order[i], order[j] = order[j], order[i]
        return order


class Masked:
    """A model in float64 whose units have factors."""

    def __init__(self, folder):
        config = reference.read_json(folder / "config.json")
        family = blocks.FAMILIES[config["model_type"]]
        self.model = reference.load_model(folder, dtype=torch.float64, attn_implementation=family.attention)
        tensors = reference.load_tensors(folder)
        self.family = family(self.model, tensors)
        self.tensors = self.family.one_form(tensors)
        self.classifies = hasattr(self.model, "classifier")
        self.masks = [{unit: torch.ones(self.family.units[unit], dtype=torch.float64, requires_grad=True) for unit in UNITS} for _ in self.family.layers]
        self.squares = [{unit: 0.0 for unit in UNITS} for _ in self.family.layers]
        self.model.requires_grad_(False)
        for layer, masks, squares in zip(self.family.layers, self.masks, self.squares):
            for unit in UNITS:
                module = blocks.submodule(layer, self.family.consumer[unit])
                module.register_forward_pre_hook(self.hook(unit, masks, squares))

    def hook(self, unit, masks, squares):
        size = self.family.size(unit)

        def apply(_, args):
            squares[unit] = squares[unit] + args[0].detach().flatten(0, -2).pow(2).sum(0).numpy()
            return (args[0] * masks[unit].repeat_interleave(size), *args[1:])

        return apply

    def gradients(self, sequences, labels, draw):
        """Per sequence: (number of predictions, [{unit: gradient}]); `draw` gives uniform numbers, or is absent."""
        found = []
        for number, ids in enumerate(sequences):
            logits = self.model(input_ids=torch.tensor([ids])).logits[0]
            logits, targets = (logits[None], [labels[number]] if labels else None) if self.classifies else (logits[:-1], ids[1:])
            if draw:
                cumulated = logits.detach().softmax(-1).cumsum(-1).numpy()
                targets = [min(int(np.searchsorted(row, draw(), side="right")), len(row) - 1) for row in cumulated]
            loss = torch.nn.functional.cross_entropy(logits, torch.tensor(targets))
            flat = torch.autograd.grad(loss, [masks[unit] for masks in self.masks for unit in UNITS])
            found.append((len(targets), [dict(zip(UNITS, flat[at : at + 2])) for at in range(0, len(flat), 2)]))
        return found

    def scores(self, criterion, sequences, labels):
        """[{unit: score by unit}] by layer."""
        generator = Generator(SEED)
        # Draws over a vocabulary are made in f32.
        draw = (generator.uniform if self.classifies else lambda: float(np.float32(generator.uniform()))) if criterion == "kprune" else None
        for squares in self.squares:
            squares.update(dict.fromkeys(UNITS, 0.0))
        found = self.gradients(sequences, labels, draw)
        scores = []
        for layer in range(len(self.masks)):
            of_layer = {}
            for unit in UNITS:
                g = np.stack([gradients[layer][unit].numpy() for _, gradients in found])
                if criterion == "snip":
                    of_layer[unit] = np.abs(g.sum(0))
                elif criterion == "fisher":
                    of_layer[unit] = (g**2).mean(0)
                else:
                    n = np.array([count for count, _ in found])[:, None]
                    of_layer[unit] = self.kprune(layer, unit, ((n * g) ** 2).sum(0) / n.sum(), sequences)
            scores.append(of_layer)
        return scores

    def kprune(self, layer, unit, fisher, sequences):
        name, size = f"{self.family.prefix}{layer}.", self.family.size(unit)
        weight = self.tensors[name + self.family.consumer[unit] + ".weight"].double().numpy()  # [outputs, inputs]
        tokens = sum(map(len, sequences))
        output = (self.squares[layer][unit] / tokens * (weight**2).mean(0)).reshape(-1, size).sum(1)
        return 0.5 * fisher + 2.5e-4 * output


def values(scores, told):
    """Faults of the scores in a report, by the largest of a layer's units of a kind."""
    faults = []
    for number, (of_layer, of_report) in enumerate(zip(scores, told)):
        for unit in UNITS:
            off = np.abs(np.array(of_report[unit]) - of_layer[unit]).max() / of_layer[unit].max()
            if not off < VALUE:
                faults.append(f"layer {number}: a score of {unit} is off by {off:.2g} of the largest")
    return faults


def judge(scores, plan):
    """(faults, figures): what is kept against the highest scores, except where those are near to the cut."""
    faults, undecided, total = [], 0, 0
    for number, (of_layer, kept) in enumerate(zip(scores, plan)):
        for unit in UNITS:
            ranked = np.sort(of_layer[unit])[::-1]
            count = len(kept[unit])
            total += len(ranked)
            if count in (0, len(ranked)):
                continue
            cut = (ranked[count - 1] + ranked[count]) / 2
            near = np.abs(of_layer[unit] - cut) <= CLOSE_CALL * cut
            undecided += int(near.sum())
            wrong = (np.isin(np.arange(len(ranked)), kept[unit]) != (of_layer[unit] > cut)) & ~near
            if wrong.any():
                faults.append(f"layer {number}: {int(wrong.sum())} of {len(ranked)} {unit} are on the wrong side, the first {int(np.flatnonzero(wrong)[0])}")
    if undecided > UNDECIDED * total:
        faults.append(f"{undecided} of {total} units are too near to the cut to tell")
    return faults, {"units": total, "undecided": undecided}


def prepare(name, root):
    """(model folder, calibration text, sequences and labels in drawn order)"""
    folder = reference.ROOT / f"www/models/{name}"
    text = root / f"{name}.txt"
    tokenizer = reference.load_tokenizer(folder)
    if name == "bert-sst2":
        lines = (reference.ROOT / "www/data/sst2-train.tsv").read_text(encoding="utf-8").splitlines()[1 : SENTENCES + 1]
        text.write_text("\n".join(lines), encoding="utf-8")
        pairs = [line.rsplit("\t", 1) for line in lines]
        sequences = [tokenizer(sentence, truncation=True, max_length=LENGTH)["input_ids"] for sentence, _ in pairs]
        labels = [int(label) for _, label in pairs]
    else:
        text.write_text((folder / "calibration.txt").read_text(encoding="utf-8")[:CHARACTERS], encoding="utf-8")
        bos = reference.read_json(folder / "config.json").get("bos_token_id")
        sequences, labels = check_decoder.cut(check_decoder.read_stream(tokenizer, text), LENGTH, bos), None
    order = Generator(SEED).shuffled(len(sequences))
    return folder, text, [list(map(int, sequences[i])) for i in order], labels and [labels[i] for i in order]


def check(command, root, device):
    root = pathlib.Path(root).resolve()
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    status, checked = 0, 0
    for name in ("bert-sst2", "gpt2-stories", "llama-stories"):
        folder, text, sequences, labels = prepare(name, root)
        masked = Masked(folder)
        for criterion in ("fisher", "snip", "kprune"):
            recipe = {
                "version": 1,
                "calibration": {"source": text.name, "sequences": 10_000, "length": LENGTH, "seed": SEED},
                "method": {"kind": "structured", "criterion": criterion, "ratio": 0.5, "reconstruction": "none"},
                "output": {"kind": "sliced"},
            }
            path, out = root / f"{name}-{criterion}.json", root / f"{name}-{criterion}"
            path.write_text(json.dumps(recipe))
            arguments = [command, "prune", folder, "--recipe", path, "--out", out, "--device", device]
            done = subprocess.run(list(map(str, arguments)), capture_output=True, text=True)
            if done.returncode != 0:
                raise SystemExit(f"{' '.join(map(str, arguments))}: {done.stderr.strip()}")
            scores = masked.scores(criterion, sequences, labels)
            faults, figures = judge(scores, reference.read_plan(out))
            faults += values(scores, reference.read_json(out / "report.json")["scores"])
            status |= reference.verdict(f"gradients: {name}: {criterion}", faults, figures)
            checked += 1
    print(f"gradients: {checked} plans on {device}, {'faults' if status else 'all good'}")
    return status


def self_test():
    """The generator gives what its authors published, and a plan with a wrong unit is found."""
    test = reference.SelfTest("gradients")
    generator = Generator(0)
    generator.state = [1, 2, 3, 4]
    numbers = [generator.next() for _ in range(3)]
    test.expect("the published generator", [] if numbers == [11520, 0, 1509978240] else [f"{numbers}"], good=True)
    scores = [{"heads": np.array([3.0, 1.0, 2.0, 4.0]), "neurons": np.arange(100.0)}]
    right = {"heads": [0, 3], "neurons": list(range(50, 100))}
    test.expect("the best units", judge(scores, [right])[0], good=True)
    test.expect("a worse head", judge(scores, [{**right, "heads": [2, 3]}])[0], good=False, naming="2 of 4 heads")
    test.expect("one worse neuron", judge(scores, [{**right, "neurons": [3, *range(51, 100)]}])[0], good=False, naming="the first 3")
    told = [{unit: list(of_unit) for unit, of_unit in scores[0].items()}]
    test.expect("the scores as they are", values(scores, told), good=True)
    test.expect("scores over what a unit costs", values(scores, [{**told[0], "heads": [score / 100 for score in told[0]["heads"]]}]), good=False, naming="a score of heads")
    equal = [{**scores[0], "neurons": np.ones(100)}]
    test.expect("scores that say nothing", judge(equal, [right])[0], good=False, naming="too near")
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
