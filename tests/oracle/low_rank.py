#!/usr/bin/env python3
"""Independent oracle of lower ranks: lowers two models by the command and judges what was written, from the dense checkpoint alone.

    python low_rank.py COPPICE OUT_DIR [--device cpu|gpu]
    python low_rank.py --self-test

Second moments of what each linear layer reads come from stock Transformers in float64. From them and the weights: the singular value
decomposition of W C (LAPACK, not an eigenvalue problem), the errors of the outputs by rank, ranks, products and biases. What lowering each
group, and all but it, does to the model's answers is taken from the report; the price of a parameter is found here by bisection, and with it
which maps are to share the factor that reads their input; soft thresholds are learned here once more. Single weights beside a product are
chosen anew, in turns with it.
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
# The same with single weights, as a share of what is missed either way: of those with nearly equal scores f32 may take another, the next
# product then makes up for that one, and so on for every turn. That no more is missed than here is checked beside it.
TURNS = 0.6
# Errors of outputs relative to the outputs, of which the report tells each layer's.
ERRORS = 2e-3
RUNS = {
    "gpt2-stories": [
        ("whitened-global", {"factorisation": "whitened", "allocation": "global", "ratio": 0.3}),
        ("svd-uniform", {"factorisation": "svd", "allocation": "uniform", "ratio": 0.4}),
        ("svd-soft-threshold", {"factorisation": "svd", "allocation": "soft_threshold", "sensitivity": "alone", "ratio": 0.3}),
        ("joint-sparse", {"factorisation": "whitened", "allocation": "uniform", "ratio": 0.3, "joint": True, "sparse": 0.2}),
    ],
    "llama-stories": [
        ("asvd-uniform", {"factorisation": "asvd", "allocation": "uniform", "ratio": 0.3}),
        ("whitened-soft-threshold", {"factorisation": "whitened", "allocation": "soft_threshold", "ratio": 0.4}),
        ("joint-global", {"factorisation": "whitened", "allocation": "global", "ratio": 0.4, "joint": True}),
        ("joint-soft-threshold", {"factorisation": "svd", "allocation": "soft_threshold", "ratio": 0.3, "joint": True}),
        ("asvd-sparse", {"factorisation": "asvd", "allocation": "uniform", "ratio": 0.4, "sparse": 0.1}),
    ],
}
FLOOR = 0.5
# Of soft thresholds: sharpness at first and at last, steps in which the price follows the budget and in which it rises to it, growth of the
# price in either, Adam's step and decays.
SHARPNESS, STEPS, CLOSING, FOLLOW, RISE, STEP, MEANS = (5.0, 50.0), 1500, 2000, 0.2, 1.02, 4e-3, (0.9, 0.99)
# Thresholds move by steps of one size, so that rounding in the spectra may leave them a step or so apart.
SOFT_RANKS, SOFT_ERROR = 0.05, 0.02
# How often product and single weights take turns.
ROUNDS = 8
# Of a group's price, where sharing and not sharing cost nearly the same.
CLOSE = 0.02


def root(G):
    """C with C Cᵀ = G, symmetric: of a singular one too."""
    values, vectors = np.linalg.eigh(G)
    return vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T


def decomposed(W, G, squares, factorisation):
    """(left singular vectors, singular values) of W C"""
    scale = {"svd": lambda: np.eye(len(G)), "asvd": lambda: np.diag(squares**0.25), "whitened": lambda: root(G)}[factorisation]()
    return np.linalg.svd(W @ scale, full_matrices=False)[:2]


class Map:
    """Linear maps with one input, (weight, bias) each, with the second moments G, the means and the mean squares of what they read.
    Several are cut as one stack of weights, each times what gives all their outputs the same energy."""

    def __init__(self, pieces, G, mean, squares, factorisation):
        self.pieces, self.G, self.mean, self.squares, self.factorisation = pieces, G, mean, squares, factorisation
        energies = np.array([np.trace(W @ G @ W.T) for W, _ in pieces])
        self.scales = np.sqrt(energies.mean() / energies) if len(pieces) > 1 else np.ones(1)
        self.W = np.concatenate([scale * W for scale, (W, _) in zip(self.scales, pieces)])
        m, n = self.W.shape
        self.cost, self.size, self.count = m + n, m * n, len(pieces)
        self.U, self.values = decomposed(self.W, G, squares, factorisation)
        most = m * n // (m + n)
        self.total = self.energy(self.W)
        gains = np.einsum("ij,jk,ki->i", self.U.T @ self.W, G, (self.U.T @ self.W).T)[:most]
        self.gains, self.values = gains, self.values[:most]
        self.errors = self.total - np.concatenate([[0.0], np.cumsum(gains)])

    def energy(self, W):
        """Of the outputs of a stack of weights."""
        return np.trace(W @ self.G @ W.T)

    def relative(self, error):
        """The sum of the maps' errors, each relative to its outputs."""
        return error * self.count / self.total

    def at(self, rank, singles=0):
        """([(weight, bias)], error) of a rank with so many single weights beside the product"""
        best = None
        kept = np.zeros_like(self.W)
        for _ in range(ROUNDS if singles else 1):
            U = decomposed(self.W - kept, self.G, self.squares, self.factorisation)[0][:, :rank]
            product = U @ (U.T @ (self.W - kept))
            left = self.W - product
            scores = left**2 * np.diag(self.G)
            kept = np.where(scores >= np.sort(scores, axis=None)[-singles], left, 0.0) if singles else kept
            error = self.energy(left - kept)
            if best is not None and error >= best[1]:
                break
            best = product + kept, error
        whole, places = best[0], np.cumsum([len(W) for W, _ in self.pieces])[:-1]
        parts = [part / scale for part, scale in zip(np.split(whole, places), self.scales)]
        return [(part, b + (W - part) @ self.mean) for part, (W, b) in zip(parts, self.pieces)], best[1]


class Group:
    """The maps of a layer that read the same: each for itself, and all together."""

    def __init__(self, layer, place, names, pieces, moments, factorisation):
        self.layer, self.place, self.names, self.pieces = layer, place, names, pieces
        self.apart = [Map([piece], *moments, factorisation) for piece in pieces]
        self.joint = Map(pieces, *moments, factorisation) if len(pieces) > 1 else self.apart[0]


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


def price_of(group, weight, kept, price):
    """((weighted error and price of parameters, the parameters) of the maps apart, the same together)"""
    def least(m):
        first = int(np.ceil(FLOOR * even([m], kept)[0]))
        unit = m.relative(weight)
        choices = [(unit * m.errors[rank] + price * rank * m.cost, rank * m.cost) for rank in range(first, len(m.errors))]
        return min([*choices, (price * m.size, m.size)])
    return np.sum([least(m) for m in group.apart], axis=0), np.array(least(group.joint))


def judge_sharing(groups, weights, kept, told):
    """Faults of which groups share a factor: `told` says it of each, or none where all is dense."""
    budget, low, high = kept * sum(group.joint.size for group in groups), -60.0, 60.0
    for _ in range(100):
        middle = (low + high) / 2
        spent_now = sum(min(price_of(group, weight, kept, np.exp(middle)), key=lambda one: one[0])[1] for group, weight in zip(groups, weights))
        low, high = (low, middle) if spent_now <= budget else (middle, high)
    faults = []
    for group, weight, shares in zip(groups, weights, told):
        (apart, _), (joint, _) = price_of(group, weight, kept, np.exp(high))
        if len(group.pieces) > 1 and shares is not None and shares != (joint < apart) and abs(joint - apart) > CLOSE * apart:
            faults.append(f"layer {group.layer}: {group.names} {'share' if shares else 'do not share'}, at {joint:.4g} against {apart:.4g}")
    return faults


def groups_of(dense, sequences, groups, factorisation):
    """Every linear map, by what it reads."""
    hidden, found = dense.embed(sequences), []
    for number, layer in enumerate(dense.layers):
        hidden, read = sparse.caught(dense, layer, hidden, [module for module, _ in groups])
        for place, (module, names) in enumerate(groups):
            x = read[module].reshape(-1, read[module].shape[-1]).astype(np.float64)
            pieces = [(sparse.weight(dense, number, name), dense.tensors[dense.name(number, name) + ".bias"].double().numpy()) for name in names]
            # Only maps with biases take up the mean.
            mean = x.mean(0) * any(bias.any() for _, bias in pieces)
            moments = x.T @ x / len(x) - np.outer(mean, mean), mean, (x**2).mean(0)
            found.append(Group(number, place, names, pieces, moments, factorisation))
    return found


class Part:
    """Maps that are cut together, and what the report says of them: one line, or one each where all stay dense."""

    def __init__(self, group, names, m, lines):
        self.group, self.names, self.m, self.lines = group, names, m, lines
        rank = lines[0].get("rank")
        # What the allocation gave, before some of it went into single weights.
        self.rank, self.singles = rank, lines[0].get("singles", 0)
        self.given = None if rank is None else lines[0]["kept"] // m.cost


def parts_told(groups, lines, method):
    """(parts, whether each group shares a factor or none where it is dense, faults)"""
    lines, parts, shares, faults = iter(lines), [], [], []
    always = method.get("joint", False) and method["allocation"] != "global"
    for group in groups:
        own = [next(lines)]
        joint = own[0]["shape"][0] > len(group.pieces[0][0])
        if not joint:
            own += [next(lines) for _ in group.names[1:]]
        dense = not joint and all(line.get("rank") is None for line in own)
        shares.append(None if dense else joint)
        if joint or dense and always:
            parts.append(Part(group, group.names, group.joint, own))
        else:
            parts += [Part(group, [name], m, [line]) for name, m, line in zip(group.names, group.apart, own)]
        if joint and not method.get("joint") or always and not joint and not dense and len(group.names) > 1:
            faults.append(f"layer {group.layer}: {group.names} {'share' if joint else 'do not share'} a factor")
    return parts, shares, faults


def judge(dense, out, method, sequences):
    pruned, report = liar.Dense(out), reference.read_json(pathlib.Path(out) / "report.json")
    names = sparse.GROUPS[report["model"].lower().removesuffix("lmheadmodel").removesuffix("forcausallm")]
    groups = groups_of(dense, sequences, names, method["factorisation"])
    parts, shares, faults = parts_told(groups, report["linears"], method)
    maps, ranks = [part.m for part in parts], [part.given for part in parts]
    biases = sum(len(b) for group in groups for _, b in group.pieces if b.any())
    all_weights = sum(m.size for m in maps)
    kept = 1 - method["ratio"] * (all_weights + biases) / all_weights
    weights = [1.0] * len(maps)
    probes = {(probe["layer"], probe["input"]): probe for probe in report.get("rank_probes", [])}
    if probes:
        # Where sharing is chosen, every map was probed for itself.
        together = method.get("joint", False) and method["allocation"] != "global"
        probed = [[group.joint] if together else group.apart for group in groups]
        same = iter(uniform([m for maps in probed for m in maps], kept))
        for group, own in zip(groups, probed):
            probe = probes[group.layer, group.place]
            error = sum(m.relative(m.errors[next(same)]) for m in own)
            if abs(error - probe["error"]) > 2e-3 * error + ERRORS / 10:
                faults.append(f"probe {group.layer, group.place}: errors add up to {probe['error']}, expected {error}")

        def cost(group):
            probe, which = probes[group.layer, group.place], method.get("sensitivity", "both")
            return ((probe["alone"] + probe["within"]) / 2 if which == "both" else probe[which]) / probe["error"]

        weights = [part.m.relative(cost(part.group)) for part in parts]
        if method.get("joint") and method["allocation"] == "global":
            faults += judge_sharing(groups, [cost(group) for group in groups], kept, shares)
    faults += judge_ranks(maps, weights, method, ranks, kept)
    worst = 0.0
    for part in parts:
        what, m = f"layer {part.group.layer}: {', '.join(part.names)}", part.m
        low, error = (m.pieces, 0.0) if part.rank is None else m.at(part.rank, part.singles)
        if part.rank is not None:
            stays = max(int((1 - method.get("sparse", 0)) * part.given + 0.5), min(part.given, 1))
            if (part.rank, part.singles) != (stays, (part.given - stays) * m.cost) or part.lines[0]["kept"] != part.given * m.cost:
                faults.append(f"{what}: rank {part.rank} and {part.singles} single weights for the parameters of rank {part.given}")
        elif sum(line["kept"] for line in part.lines) != m.size:
            faults.append(f"{what}: {[line['kept'] for line in part.lines]} parameters are told of a dense weight")
        if abs(m.relative(error) / m.count - part.lines[0]["error"]) > ERRORS:
            faults.append(f"{what}: error {part.lines[0]['error']} is told, not {m.relative(error) / m.count}")
        if part.singles:
            # Whichever were taken, they must leave no more error.
            written = [scale * sparse.weight(pruned, part.group.layer, name) for scale, name in zip(m.scales, part.names)]
            left = m.relative(m.energy(m.W - np.concatenate(written))) / m.count
            if left > m.relative(error) / m.count + ERRORS:
                faults.append(f"{what}: an error of {left:.4g} is left, {m.relative(error) / m.count:.4g} here")
        for name, (W, b), (dense_weight, _) in zip(part.names, low, m.pieces):
            off = sparse.weight(pruned, part.group.layer, name) - W
            shift = pruned.tensors[pruned.name(part.group.layer, name) + ".bias"].double().numpy() - b
            # As the output feels it: directions of little energy are not known to f32.
            felt = np.sqrt((np.trace(off @ m.G @ off.T) + ((off @ m.mean + shift) ** 2).sum()) / m.energy(dense_weight))
            worst = max(worst, felt)
            if felt > VALUES + (TURNS * np.sqrt(m.relative(error) / m.count) if part.singles else 0.0):
                faults.append(f"{what}: outputs of {name} are off by {felt:.3g} of their size at rank {part.rank}")
    realised = 1 - (spent(maps, ranks) + biases) / (all_weights + biases)
    if abs(realised - method["ratio"]) > 5e-3 or abs(report["ratio"]["linear"] - realised) > 1e-6:
        faults.append(f"{realised:.5f} is saved, {method['ratio']} was asked for, {report['ratio']['linear']} is told")
    return faults, {"saved": float(realised), "shared": sum(map(bool, shares)), "outputs_off": float(worst)}


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
        moments = x.T @ x / len(x), np.zeros(n), (x**2).mean(0)
        maps.append(Map([(W, np.zeros(m))], *moments, "whitened"))
    for m in maps:
        for rank in range(len(m.errors)):
            ((W, _),), error = m.at(rank)
            assert abs(m.energy(m.W - W) - m.errors[rank]) < 1e-9 * m.total and abs(error - m.errors[rank]) < 1e-9 * m.total
            ((W, _),), error = m.at(rank, 10)
            assert abs(m.energy(m.W - W) - error) < 1e-9 * m.total
    for factorisation in ("svd", "asvd", "whitened"):
        pieces = [(random.normal(size=(m, 24)) * size, np.zeros(m)) for m, size in [(24, 1.0), (12, 30.0), (24, 0.1)]]
        x = random.normal(size=(400, 24)) * np.arange(1, 25) ** -0.5
        group = Group(0, 0, "qkv", pieces, (x.T @ x / len(x), np.zeros(24), (x**2).mean(0)), factorisation)
        for rank in range(len(group.joint.errors)):
            low, error = group.joint.at(rank)
            own = sum(m.energy(W - m.W) / m.total for m, (W, _) in zip(group.apart, low))
            assert abs(own - group.joint.relative(error)) < 1e-9, "the stack's error is the sum of relative ones"
    # Maps that only repeat each other share a factor; maps that read different inputs do not.
    W, moments = random.normal(size=(24, 24)), (np.eye(24), np.zeros(24), np.ones(24))
    alike = Group(0, 0, "qk", [(W, np.zeros(24))] * 2, moments, "whitened")
    halves = [np.where(np.arange(24) // 12 == half, np.linalg.qr(W)[0], 0.0) for half in (0, 1)]
    unlike = Group(1, 0, "qk", [(half, np.zeros(24)) for half in halves], moments, "whitened")
    assert not judge_sharing([alike, unlike], [1.0, 1.0], 0.25, [True, False]), "sharing at one price"
    assert len(judge_sharing([alike, unlike], [1.0, 1.0], 0.25, [False, True])) == 2, "sharing the other way round"
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
