#!/usr/bin/env python3
"""Independent oracle of lower ranks: lowers two models by the command and judges what was written, from the dense checkpoint alone.

    python low_rank.py COPPICE OUT_DIR [--device cpu|gpu]
    python low_rank.py --self-test

Second moments of what each linear layer reads come from stock Transformers in float64. From them and the weights: the singular value
decomposition of W C (LAPACK, not an eigenvalue problem), the errors of the outputs by rank, ranks, products and biases. What lowering each
group, and all but it, does to the model's answers is taken from the report; the price of a parameter is found here by bisection, and soft
thresholds are learned here once more.
"""

import argparse
import itertools
import json
import pathlib
import shutil
import subprocess
import sys

import check_decoder  # before NumPy: it sets the threads
import liar
import numpy as np
import reference
import sparse

LENGTH, WINDOWS = 128, 7
# Ranks, where the step to the next is as good as that of another layer: sums over tokens are f32.
RANKS = 2
# Of the outputs, relatively in the norm of second moments: weights are written in f16, and f32 tells directions of nearly equal energy apart badly.
VALUES = 1e-2
# Errors of outputs relative to the outputs, of which the report tells each layer's.
ERRORS = 2e-3
RUNS = {
    "gpt2-stories": [
        ("whitened-global", {"factorisation": "whitened", "allocation": "global", "ratio": 0.3}),
        ("svd-uniform", {"factorisation": "svd", "allocation": "uniform", "ratio": 0.4}),
        ("svd-soft-threshold", {"factorisation": "svd", "allocation": "soft_threshold", "sensitivity": "alone", "ratio": 0.3}),
    ],
    "llama-stories": [
        ("asvd-uniform", {"factorisation": "asvd", "allocation": "uniform", "ratio": 0.3}),
        ("whitened-soft-threshold", {"factorisation": "whitened", "allocation": "soft_threshold", "ratio": 0.4}),
    ],
}
FLOOR = 0.5
# Of soft thresholds: sharpness at first and at last, steps in which the price follows the budget and in which it rises to it, growth of the
# price in either, Adam's step and decays.
SHARPNESS, STEPS, CLOSING, FOLLOW, RISE, STEP, MEANS = (5.0, 50.0), 1500, 2000, 0.2, 1.02, 4e-3, (0.9, 0.99)
# Thresholds move by steps of one size, so that rounding in the spectra may leave them a step or so apart.
SOFT_RANKS, SOFT_ERROR = 0.05, 0.02


def root(G):
    """C with C Cᵀ = G, symmetric: of a singular one too."""
    values, vectors = np.linalg.eigh(G)
    return vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T


class Map:
    """A linear map with the second moments G, the means and the mean squares of what it reads."""

    def __init__(self, W, b, G, mean, squares, factorisation):
        self.W, self.b, self.G, self.mean = W, b, G, mean
        m, n = W.shape
        self.cost, self.size = m + n, m * n
        scale = {"svd": lambda: np.eye(n), "asvd": lambda: np.diag(squares**0.25), "whitened": lambda: root(G)}[factorisation]()
        self.U, self.values, _ = np.linalg.svd(W @ scale, full_matrices=False)
        most = m * n // (m + n)
        self.total = np.trace(W @ G @ W.T)
        gains = np.einsum("ij,jk,ki->i", self.U.T @ W, G, (self.U.T @ W).T)[:most]
        self.gains, self.values = gains, self.values[:most]
        self.errors = self.total - np.concatenate([[0.0], np.cumsum(gains)])

    def at(self, rank):
        """(weight, bias) of a rank"""
        U = self.U[:, :rank]
        lowered = U @ (U.T @ self.W)
        return lowered, self.b + (self.W - lowered) @ self.mean


def even(maps, kept):
    return [int(kept * m.size / m.cost) for m in maps]


def uniform(maps, kept):
    """The same share everywhere; what rounding leaves goes to those that it took most from, one rank each."""
    ranks = even(maps, kept)
    left = int(kept * sum(m.size for m in maps)) - spent(maps, ranks)
    lost = [kept * m.size / m.cost - rank for m, rank in zip(maps, ranks)]
    for number in sorted(range(len(maps)), key=lambda number: -lost[number]):
        if maps[number].cost <= left and ranks[number] + 1 < len(maps[number].errors):
            ranks[number] += 1
            left -= maps[number].cost
    return ranks


def spent(maps, ranks):
    return sum(m.size if rank is None else rank * m.cost for m, rank in zip(maps, ranks))


def at_price(maps, weights, least, price):
    """Of each map the rank, or the dense weight, with the least weighted error and price of parameters."""
    ranks = []
    for m, weight, first in zip(maps, weights, least):
        choices = [(weight * m.errors[rank] + price * rank * m.cost, rank) for rank in range(first, len(m.errors))]
        ranks.append(min([*choices, (price * m.size, None)], key=lambda choice: choice[0])[1])
    return ranks


def by_price(maps, weights, kept):
    """The ranks of the lowest price that keeps to the budget, by bisection."""
    budget, least = kept * sum(m.size for m in maps), [int(np.ceil(FLOOR * rank)) for rank in even(maps, kept)]
    low, high = -60.0, 60.0
    for _ in range(100):
        middle = (low + high) / 2
        fits = spent(maps, at_price(maps, weights, least, np.exp(middle))) <= budget
        low, high = (low, middle) if fits else (middle, high)
    return at_price(maps, weights, least, np.exp(high))


def by_thresholds(maps, weights, kept):
    """The ranks of learned soft thresholds, before what is left of the budget is spent: one threshold alpha a map, f(s) = s tanh(k (s - alpha)) above."""
    budget, everything = int(kept * sum(m.size for m in maps)), sum(m.size for m in maps)
    least = [int(np.ceil(FLOOR * rank)) for rank in even(maps, kept)]
    values = [m.values / np.sqrt((m.values**2).mean()) for m in maps]
    gains = [weight * m.gains for weight, m in zip(weights, maps)]
    alpha, first, second = np.zeros(len(maps)), np.zeros(len(maps)), np.zeros(len(maps))
    price = min(gain[gain > 0].min() / m.cost for gain, m in zip(gains, maps)) / 2

    def ranks():
        counts = [int((v > a).sum()) for v, a in zip(values, alpha)]
        return [None if count == len(v) else max(count, floor) for count, v, floor in zip(counts, values, least)]

    for step in range(1, STEPS + CLOSING + 1):
        over = spent(maps, ranks()) - budget
        if step > STEPS and over <= 0:
            break
        price *= np.exp(FOLLOW * over / everything) if step <= STEPS else RISE
        sharpness = SHARPNESS[0] * (SHARPNESS[1] / SHARPNESS[0]) ** min(step / STEPS, 1.0)
        for number, m in enumerate(maps):
            above = values[number] > alpha[number]
            gate = np.tanh(sharpness * (values[number][above] - alpha[number]))
            slope = -sharpness * (1 - gate**2)
            gradient = (slope * price * m.cost - 2 * gains[number][above] * (1 - gate) * slope).sum()
            first[number] = MEANS[0] * first[number] + (1 - MEANS[0]) * gradient
            second[number] = MEANS[1] * second[number] + (1 - MEANS[1]) * gradient**2
            mean, square = first[number] / (1 - MEANS[0] ** step), second[number] / (1 - MEANS[1] ** step)
            if square > 0:
                alpha[number] = max(alpha[number] - STEP * mean / np.sqrt(square), 0)
    return ranks()


def judge_thresholds(maps, weights, ranks, kept):
    """Faults of ranks that soft thresholds should have given; what the last step left of the budget may have added to some."""
    expected = by_thresholds(maps, weights, kept)
    left = kept * sum(m.size for m in maps) - spent(maps, expected)
    near = lambda got, want, m: abs(got - want) <= RANKS + SOFT_RANKS * want or 0 <= (got - want) * m.cost <= left
    other = [number for number, (got, want, m) in enumerate(zip(ranks, expected, maps))
             if (got is None) != (want is None) or got is not None and not near(got, want, m)]
    faults = []
    if len(other) > 1 + len(maps) // 20:
        faults.append(f"ranks of maps {other} are not those of the thresholds: {[(ranks[i], expected[i]) for i in other]}")
    found, best = weighted_error(maps, weights, ranks), weighted_error(maps, weights, expected)
    if found > best * (1 + SOFT_ERROR):
        faults.append(f"the thresholds leave an error of {found:.6g}, here {best:.6g}")
    return faults


def weighted_error(maps, weights, ranks):
    return sum(weight * (0.0 if rank is None else m.errors[rank]) for m, weight, rank in zip(maps, weights, ranks))


def judge_ranks(maps, weights, method, ranks, kept):
    """Faults of the ranks that were chosen."""
    faults, budget = [], kept * sum(m.size for m in maps)
    if spent(maps, ranks) > budget:
        faults.append(f"{spent(maps, ranks)} parameters of at most {budget:.0f}")
    if spent(maps, ranks) < budget - max(m.cost for m in maps) - 1:
        faults.append(f"only {spent(maps, ranks)} parameters of {budget:.0f}")
    if method["allocation"] == "uniform":
        for number, (got, want) in enumerate(zip(ranks, uniform(maps, kept))):
            if got != want:
                faults.append(f"map {number}: rank {got}, not {want}")
        return faults
    expected = by_price(maps, weights, kept)
    if method["allocation"] == "global":
        other = [number for number, (got, want) in enumerate(zip(ranks, expected)) if (got is None) != (want is None) or got is not None and abs(got - want) > RANKS]
        # What is left when the next step does not fit goes to other layers, and one of them may become dense.
        if len(other) > 1 + len(maps) // 20:
            faults.append(f"ranks of maps {other} are not those of one price: {[(ranks[i], expected[i]) for i in other]}")
    best, found = (weighted_error(maps, weights, r) for r in (expected, ranks))
    if method["allocation"] == "soft_threshold":
        faults += judge_thresholds(maps, weights, ranks, kept)
    if method["allocation"] == "global" and found > best * (1 + 1e-6) + 1e-12:
        faults.append(f"a weighted error of {found:.6g}, by bisection {best:.6g}")
    return faults


def maps_of(dense, sequences, groups, factorisation):
    """Every linear map: (layer, place of its group, name, Map)."""
    hidden, found = dense.embed(sequences), []
    for number, layer in enumerate(dense.layers):
        hidden, read = sparse.caught(dense, layer, hidden, [module for module, _ in groups])
        for place, (module, names) in enumerate(groups):
            x = read[module].reshape(-1, read[module].shape[-1]).astype(np.float64)
            mean = x.mean(0)
            for name in names:
                W, bias = sparse.weight(dense, number, name), dense.tensors[dense.name(number, name) + ".bias"].double().numpy()
                # Only maps with biases take up the mean.
                centred = mean if bias.any() else 0 * mean
                G = x.T @ x / len(x) - np.outer(centred, centred)
                found.append((number, place, name, Map(W, bias, G, centred, (x**2).mean(0), factorisation)))
    return found


def judge(dense, out, method, sequences):
    pruned, report = liar.Dense(out), reference.read_json(pathlib.Path(out) / "report.json")
    groups = sparse.GROUPS[report["model"].lower().removesuffix("lmheadmodel").removesuffix("forcausallm")]
    found, told, faults = maps_of(dense, sequences, groups, method["factorisation"]), report["linears"], []
    maps, ranks = [m for *_, m in found], [line.get("rank") for line in told]
    biases = sum(len(m.b) for m in maps if m.b.any())
    all_weights = sum(m.size for m in maps)
    kept = 1 - method["ratio"] * (all_weights + biases) / all_weights
    weights = [1.0] * len(maps)
    probes = {(probe["layer"], probe["input"]): probe for probe in report.get("rank_probes", [])}
    if probes:
        same = uniform(maps, kept)
        for key, probe in probes.items():
            group = [(m, rank) for (number, place, _, m), rank in zip(found, same) if (number, place) == key]
            error = sum(m.errors[rank] / m.total for m, rank in group)
            if abs(error - probe["error"]) > 2e-3 * error + ERRORS / 10:
                faults.append(f"probe {key}: errors add up to {probe['error']}, expected {error}")
        cost = lambda probe: {"alone": probe["alone"], "within": probe["within"], "both": (probe["alone"] + probe["within"]) / 2}[method.get("sensitivity", "both")]
        weights = [cost(probes[number, place]) / probes[number, place]["error"] / m.total for number, place, _, m in found]
    faults += judge_ranks(maps, weights, method, ranks, kept)
    worst = 0.0
    for (number, _, name, m), rank, line in zip(found, ranks, told):
        what = f"layer {number}: {name}"
        W, b = (m.W, m.b) if rank is None else m.at(rank)
        error = 0.0 if rank is None else m.errors[rank] / m.total
        if abs(error - line["error"]) > ERRORS or line["kept"] != (m.size if rank is None else rank * m.cost):
            faults.append(f"{what}: error {line['error']} and {line['kept']} parameters are told, not {error}")
        off = sparse.weight(pruned, number, name) - W
        shift = pruned.tensors[pruned.name(number, name) + ".bias"].double().numpy() - b
        # As the output feels it: directions of little energy are not known to f32.
        felt = np.sqrt((np.trace(off @ m.G @ off.T) + ((off @ m.mean + shift) ** 2).sum()) / m.total)
        worst = max(worst, felt)
        if felt > VALUES:
            faults.append(f"{what}: outputs are off by {felt:.3g} of their size at rank {rank}")
    realised = 1 - (spent(maps, ranks) + biases) / (all_weights + biases)
    if abs(realised - method["ratio"]) > 5e-3 or abs(report["ratio"]["linear"] - realised) > 1e-6:
        faults.append(f"{realised:.5f} is saved, {method['ratio']} was asked for, {report['ratio']['linear']} is told")
    return faults, {"saved": float(realised), "outputs_off": float(worst)}


def check(command, root_folder, device):
    folder_of = pathlib.Path(root_folder).resolve()
    shutil.rmtree(folder_of, ignore_errors=True)
    folder_of.mkdir(parents=True)
    status = 0
    for model, runs in RUNS.items():
        folder, text = reference.ROOT / "www/models" / model, folder_of / f"{model}.txt"
        whole, tokenizer = (folder / "calibration.txt").read_text(encoding="utf-8"), reference.load_tokenizer(folder)
        bos = reference.read_json(folder / "config.json").get("bos_token_id")
        for characters in itertools.count(1000, 200):
            text.write_text(whole[:characters], encoding="utf-8")
            sequences = check_decoder.cut(check_decoder.read_stream(tokenizer, text), LENGTH, bos)
            if len(sequences) == WINDOWS:
                break
        dense = liar.Dense(folder)
        for name, method in runs:
            out = folder_of / f"{model}-{name}"
            recipe = {"version": 1, "calibration": {"source": str(text), "sequences": WINDOWS, "length": LENGTH},
                      "method": {"kind": "low_rank", **method}, "output": {"kind": "dense"}}
            path = folder_of / f"{model}-{name}.json"
            path.write_text(json.dumps(recipe), encoding="utf-8")
            done = subprocess.run([command, "prune", folder, "--recipe", path, "--out", out, "--device", device], capture_output=True, text=True)
            if done.returncode != 0:
                raise SystemExit(f"{model}: {name}: {done.stderr.strip()}")
            faults, figures = judge(dense, out, method, sequences)
            status |= reference.verdict(f"low_rank: {model}: {name}", faults, figures) or 0
    return status


def self_test():
    """Ranks and weights that are wrong must be found."""
    random = np.random.default_rng(0)
    maps = []
    for m, n, speed in [(24, 24, 0.2), (96, 24, 1.0), (24, 96, 0.5), (12, 24, 2.0)]:
        W = random.normal(size=(m, n)) * np.arange(1, n + 1) ** -speed
        x = random.normal(size=(400, n)) * np.arange(1, n + 1) ** -0.5
        maps.append(Map(W, np.zeros(m), x.T @ x / len(x), np.zeros(n), (x**2).mean(0), "whitened"))
    for m in maps:
        for rank in range(len(m.errors)):
            off = m.W - m.at(rank)[0]
            assert abs(np.trace(off @ m.G @ off.T) - m.errors[rank]) < 1e-9 * m.total
    weights, kept = [1 / m.total for m in maps], 0.6
    best = by_price(maps, weights, kept)
    left, method = kept * sum(m.size for m in maps) - spent(maps, best), {"allocation": "global"}
    assert left >= 0
    turned = [3 if rank is None else max(rank // 2, 1) for rank in best]
    assert judge_ranks(maps, weights, method, turned, kept), "ranks that waste the budget"
    same = uniform(maps, kept)
    assert not judge_ranks(maps, weights, {"allocation": "uniform"}, same, kept), "the same share"
    assert judge_ranks(maps, weights, {"allocation": "uniform"}, [same[0] + 2, *same[1:]], kept), "uneven ranks"
    soft = by_thresholds(maps, weights, kept)
    assert not judge_thresholds(maps, weights, soft, kept) and judge_thresholds(maps, weights, same, kept), "soft thresholds"
    print("self-test passed")
    return 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", nargs="?")
    parser.add_argument("out", nargs="?")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--self-test", action="store_true")
    args = parser.parse_args()
    return self_test() if args.self_test else check(args.command, args.out, args.device)


if __name__ == "__main__":
    sys.exit(main())
