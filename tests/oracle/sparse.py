#!/usr/bin/env python3
"""Independent oracle of zeros among the weights: prunes by several recipes and judges what was written, from the dense checkpoint alone.

    python sparse.py COPPICE OUT_DIR [--device cpu|gpu]
    python sparse.py --self-test

Activations come from stock Transformers' modules in float64: those of the dense block on what the pruned blocks below it give. The zeros that
were written must be those of the formulas, but for scores within the error of f32 statistics; where zeros are chosen on the way (SparseGPT) every
choice is judged by the weights as they were then. What stays must have the values of the formulas for these zeros.
"""

import argparse
import itertools
import json
import pathlib
import shutil
import subprocess
import sys

import check_decoder  # before NumPy: it sets the threads
import blocks
import liar
import numpy as np
import reference
import torch

# So few windows that none is held out, and as many sampled tokens of each: then nothing depends on their order.
LENGTH, WINDOWS, SAMPLES = 160, 3, 63
# Blocks that are judged, and the last; all are pruned, and pass on what they give.
JUDGED = (0, 1)
# Scores within this of the cut may fall on either side, relatively: sums over tokens are f32.
CLOSE = 2e-3
# Updated weights, relatively in the Frobenius norm: f32 second moments, a f32 factor and f32 products.
VALUES = 5e-3
COLUMNS = 128
RUNS = {
    "gpt2-stories": [
        ("magnitude", {"criterion": "magnitude", "ratio": 0.6}),
        ("wanda-2:4", {"criterion": "wanda", "pattern": "2:4", "ratio": 0.5}),
        ("wanda-owl", {"criterion": "wanda", "allocation": "owl", "ratio": 0.6}),
        ("ria", {"criterion": "ria", "ratio": 0.5}),
        ("sparsegpt", {"criterion": "sparsegpt", "update": "sparsegpt", "ratio": 0.7}),
        ("wanda-dsnot", {"criterion": "wanda", "update": "dsnot", "ratio": 0.5}),
    ],
    "llama-stories": [
        ("wanda", {"criterion": "wanda", "ratio": 0.7}),
        ("wanda-adaptive", {"criterion": "wanda", "allocation": "adaptive", "ratio": 0.6}),
        ("wanda-trim", {"criterion": "wanda", "allocation": "trim", "ratio": 0.7}),
        ("wanda-curves-refit", {"criterion": "wanda", "allocation": "curves", "update": "refit", "ratio": 0.6}),
        ("wanda-alpha", {"criterion": "wanda", "allocation": "alpha", "ratio": 0.6}),
        ("sparsegpt-2:4", {"criterion": "sparsegpt", "update": "sparsegpt", "pattern": "2:4", "ratio": 0.5}),
    ],
}
# Module whose input is read, and the linear maps that read it.
GROUPS = {
    "gpt2": [("attn.c_attn", ["attn.query", "attn.key", "attn.value"]), ("attn.c_proj", ["attn.c_proj"]), ("mlp.c_fc", ["mlp.c_fc"]), ("mlp.c_proj", ["mlp.c_proj"])],
    "llama": [("self_attn.q_proj", ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]), ("self_attn.o_proj", ["self_attn.o_proj"]),
              ("mlp.gate_proj", ["mlp.gate_proj", "mlp.up_proj"]), ("mlp.down_proj", ["mlp.down_proj"])],
}


def spread(total, before, after, whole):
    return total * after // whole - total * before // whole


@torch.no_grad()
def caught(dense, layer, hidden, modules):
    """(outputs, {module: its inputs, [sequences, length, width]})"""
    found, handles = {module: [] for module in modules}, []
    for module in modules:
        hook = lambda _, args, into=found[module]: into.append(args[0].numpy())
        handles.append(blocks.submodule(layer, module).register_forward_pre_hook(hook))
    outputs = [dense.family.run(layer, h) for h in hidden]
    for handle in handles:
        handle.remove()
    return outputs, {module: np.concatenate(inputs) for module, inputs in found.items()}


class Inputs:
    """What a group of linear maps reads, [sequences, length, width]."""

    def __init__(self, read, samples=SAMPLES, ridge=0.01):
        self.x = read.reshape(-1, read.shape[-1])
        self.sequences = len(read)
        self.squares = (self.x**2).sum(0)
        self.H = self.x.T @ self.x / len(self.x)
        self.H += ridge * np.mean(self.squares) / len(self.x) * np.eye(len(self.H))
        # H = U Uᵀ with U upper, R = U⁻¹: the upper factor of the inverse.
        self.R = np.linalg.cholesky(np.linalg.inv(self.H)).T
        rows = []
        for number, tokens in enumerate(read):
            count = min((number + 1) * samples // self.sequences - number * samples // self.sequences, len(tokens))
            rows += [tokens[place * len(tokens) // count - 1] for place in range(1, count + 1)]
        self.sample = np.array(rows)


def scores(criterion, W, inputs):
    size, norm = np.abs(W), np.sqrt(inputs.squares)
    if criterion == "magnitude":
        return size
    if criterion == "wanda":
        return size * norm
    if criterion == "ria":
        return (size / size.sum(0, keepdims=True) + size / size.sum(1, keepdims=True)) * np.sqrt(norm)
    return W**2 / np.diag(inputs.R) ** 2


def separated(S, zeros, count, what):
    """Faults where `count` zeros are not the smallest of S (any shape), but for close ones."""
    if zeros.sum() != count:
        return [f"{what}: {zeros.sum()} zeros, not {count}"]
    if 0 < count < zeros.size and S[zeros].max() > S[~zeros].min() * (1 + CLOSE):
        return [f"{what}: a weight of score {S[~zeros].min():.6g} stays and one of {S[zeros].max():.6g} goes"]
    return []


def groups_of(criterion, shape, total):
    """Where scores are compared: (index, zeros)."""
    m, n = shape
    if criterion in ("magnitude", "ria"):
        return [((slice(None), slice(None)), total)]
    if criterion == "wanda":
        return [((slice(row, row + 1), slice(None)), spread(total, row * n, (row + 1) * n, m * n)) for row in range(m)]
    return [((slice(None), slice(at, min(at + COLUMNS, n))), spread(total, at, min(at + COLUMNS, n), n)) for at in range(0, n, COLUMNS)]


def sweep(W, zeros, inputs, total=None, pattern=None):
    """(weights, faults) of SparseGPT's sweep with these zeros; with a total or a pattern each choice is judged."""
    W, R, faults = W.copy(), inputs.R, []
    n = W.shape[1]
    for start in range(0, n, COLUMNS):
        end = min(start + COLUMNS, n)
        if total is not None and pattern is None:
            part = W[:, start:end] ** 2 / np.diag(R)[start:end] ** 2
            faults += separated(part, zeros[:, start:end], spread(total, start, end, n), f"columns {start}")
        errors = np.zeros((len(W), end - start))
        for at in range(start, end):
            if pattern and at % pattern[1] == 0:
                stop = at + pattern[1]
                S, Z = W[:, at:stop] ** 2 / np.diag(R)[at:stop] ** 2, zeros[:, at:stop]
                worst = np.where(Z, S, 0).max(1) / np.where(Z, np.inf, S).min(1)
                if (Z.sum(1) != pattern[0]).any() or worst.max() > 1 + CLOSE:
                    faults.append(f"inputs {at}: not the smallest {pattern[0]} of {pattern[1]} ({worst.max():.4g})")
            error = np.where(zeros[:, at], W[:, at], 0) / R[at, at]
            W[:, at:end] -= np.outer(error, R[at, at:end])
            W[zeros[:, at], at] = 0
            errors[:, at - start] = error
        W[:, end:] -= errors @ R[start:end, end:]
    return W, faults


def refit(W, zeros, inputs, iterations=10):
    kept = ~zeros
    V = W * kept
    residual = ((W - V) @ inputs.H) * kept
    scaled = residual / np.diag(inputs.H)
    direction, size = scaled.copy(), (residual * scaled).sum()
    for _ in range(iterations):
        turned = (direction @ inputs.H) * kept
        step = size / (direction * turned).sum()
        V, residual = V + step * direction, residual - step * turned
        scaled = residual / np.diag(inputs.H)
        size, last = (residual * scaled).sum(), size
        direction = scaled + size / last * direction
    return V


def adaptive(S, total):
    """Zeros of each row at one share of its scores, the share found by bisection as published."""
    ordered = np.sort(S, 1)
    shares = ordered.cumsum(1) / ordered.sum(1, keepdims=True)
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if (shares <= middle).sum() < total else (low, middle)
    return (shares <= high).sum(1)


def masked(W, order, counts):
    left = W.copy()
    for row, count in enumerate(counts):
        left[row, order[row, :count]] = 0
    return left


def cosine(a, b, axis=None):
    norm = lambda v: np.maximum(np.sqrt((v * v).sum(axis)), 1e-8)
    return np.clip((a * b).sum(axis) / (norm(a) * norm(b)), -1, 1)


def trim(W, S, inputs, target):
    """(shares, cosine) by the published loops, with a product for each step."""
    m, n = W.shape
    order, X = np.argsort(S, 1, kind="stable"), inputs.sample.T
    Y = W @ X
    outputs = lambda shares: masked(W, order, np.maximum(n * shares, 0).astype(int)) @ X
    start = np.full(m, target)
    base = cosine(Y, outputs(start))
    best = (base, start)
    for rates in ((0.01, 0.02, 0.04, 0.08, 0.12, 0.16), (-0.01, -0.02, -0.04)):
        for rate in rates:
            shares, found = start.copy(), (base, start)
            for _ in range(10):
                q = cosine(Y, outputs(shares), 1)
                step = 2 * rate * (q - q.min()) / (q.max() - q.min() + 1e-6)
                shares = np.clip(shares + step - step.mean(), 0, 0.95)
                shares += target - shares.mean()
                quality = cosine(Y, outputs(shares))
                if quality > found[0]:
                    found = (quality, shares.copy())
            if found[0] <= best[0]:
                break
            best = found
        if best[0] > base:
            break
    shares = np.clip(best[1], 0, 0.95)
    return shares + target - shares.mean(), best[0]


def errors_of_rows(W, S, inputs):
    """Squared output error of each row after each number of zeros, [rows, inputs + 1]."""
    order, X = np.argsort(S, 1, kind="stable"), inputs.sample.T
    errors = np.zeros((len(W), W.shape[1] + 1))
    for row in range(len(W)):
        lost = np.cumsum(W[row, order[row], None] * X[order[row]], 0)
        errors[row, 1:] = (lost**2).sum(1)
    return errors


def least(errors, total):
    """The error of the relaxed problem, where rows may stop between corners of their hulls: no allocation has less."""
    prices = []
    for row in errors:
        hull = [0]
        for k in range(1, len(row)):
            while len(hull) > 1 and (row[hull[-1]] - row[hull[-2]]) * (k - hull[-1]) >= (row[k] - row[hull[-1]]) * (hull[-1] - hull[-2]):
                hull.pop()
            hull.append(k)
        for a, b in zip(hull, hull[1:]):
            prices += [(row[b] - row[a]) / (b - a)] * (b - a)
    return np.sort(prices)[:total].sum()


def judge_rows(allocation, W, S, inputs, counts, total, what):
    faults = [] if counts.sum() == total else [f"{what}: {counts.sum()} zeros, not {total}"]
    if allocation == "adaptive":
        off = np.abs(counts - adaptive(S, total)).max()
        return faults + ([f"{what}: rows have up to {off} zeros more or fewer"] if off > 2 else [])
    if allocation == "trim":
        shares, quality = trim(W, S, inputs, total / W.size)
        order, X = np.argsort(S, 1, kind="stable"), inputs.sample.T
        ours = cosine(W @ X, masked(W, order, counts) @ X)
        off = np.abs(counts - W.shape[1] * shares).max()
        # A search that stops elsewhere by a hair must be as good.
        if off > 2 and ours < quality - 1e-5:
            return faults + [f"{what}: rows are off by {off:.1f} zeros, cosine {ours:.8f} and not {quality:.8f}"]
        return faults
    errors = errors_of_rows(W, S, inputs)
    ours, bound = errors[np.arange(len(W)), counts].sum(), least(errors, total)
    # The last row may stop between two corners, and of more than 256 inputs corners are looked for at 256 numbers of zeros.
    return faults + ([f"{what}: error {ours:.6g}, and {bound:.6g} can be reached"] if ours > bound * 1.03 else [])


def dsnot(W, S, inputs, zeros):
    means = inputs.x.sum(0) / inputs.sequences
    variance = inputs.x.var(0)
    zeros = zeros.copy()
    for row in range(len(W)):
        gives, gone = W[row] * means, zeros[row]
        missing = gives[gone].sum()
        for _ in range(50):
            sign = np.sign(missing)
            back = np.where(gone & (sign * gives > 0), sign * gives / variance, -np.inf)
            out = np.where(~gone & (sign * gives < 0), S[row], np.inf)
            b, o = back.argmax(), out.argmin()
            if abs(missing) <= 0.1 or not np.isfinite(back[b]) or not np.isfinite(out[o]):
                break
            after = missing - gives[b] + gives[o]
            if abs(after) >= abs(missing):
                break
            gone[b], gone[o], missing = False, True, after
    return zeros


def owl(per_block, ratio, half=0.08):
    D = np.array(per_block)
    keep = (D - D.min()) / (D.max() - D.min()) * 2 * half
    return ratio - (keep - keep.mean())


def shares_of(method, dense, hidden, groups):
    """The share of zeros of each block."""
    layers, names = dense.layers, [allocation for allocation in (method.get("allocation"), method.get("layer_budgets")) if allocation]
    ratio = method["ratio"]
    if "owl" in names:
        measures = []
        for number, layer in enumerate(layers):
            hidden, found = caught(dense, layer, hidden, [module for module, _ in groups])
            all_scores = []
            for module, maps in groups:
                norm = np.sqrt((found[module] ** 2).sum((0, 1)))
                all_scores += [(np.abs(weight(dense, number, name)) * norm).ravel() for name in maps]
            A = np.concatenate(all_scores)
            measures.append(100 * np.mean(A > 5 * A.mean()))
        return owl(measures, ratio)
    if "alpha" in names:
        means = []
        for number in range(len(layers)):
            means.append(np.mean([tail(weight(dense, number, name)) for _, maps in groups for name in maps]))
        means = np.array(means)
        shares = 1 - 0.3 + 0.6 * (means - means.min()) / (means.max() - means.min())
        return shares * ratio / shares.mean()
    return np.full(len(layers), ratio)


def tail(W):
    values = np.sort(np.linalg.svd(W, compute_uv=False) ** 2)
    values = values[values > 1e-5]
    counts, edges = np.histogram(np.log10(values), 100)
    peak, best = 10 ** edges[counts.argmax()], (np.inf, 1.0)
    for start, least_value in enumerate(values[:-1]):
        if 0.95 * peak <= least_value <= 1.5 * peak:
            part = values[start:]
            alpha = 1 + len(part) / np.log(part / least_value).sum()
            distance = np.abs(1 - (part / least_value) ** (1 - alpha) - np.arange(len(part)) / len(part)).max()
            best = min(best, (distance, alpha))
    return best[1]


def weight(model, number, name):
    return model.tensors[model.name(number, name) + ".weight"].double().numpy()


def judge(dense, out, method, sequences):
    pruned, report = liar.Dense(out), reference.read_json(pathlib.Path(out) / "report.json")
    groups = GROUPS[report["model"].lower().removesuffix("lmheadmodel").removesuffix("forcausallm")]
    criterion, update, rows = method["criterion"], method.get("update", "none"), method.get("allocation")
    pattern = tuple(map(int, method["pattern"].split(":"))) if "pattern" in method else None
    hidden = dense.embed(sequences)
    shares = shares_of(method, dense, hidden, groups)
    told, faults, asked, given, worst, zero, total_weights = iter(report["linears"]), [], 0.0, 0, 0.0, 0, 0
    for number, layer in enumerate(dense.layers):
        _, found = caught(dense, layer, hidden, [module for module, _ in groups])
        judged = number in JUDGED or number == len(dense.layers) - 1
        for module, maps in groups:
            inputs = Inputs(found[module]) if judged else None
            for name in maps:
                what, W, V = f"layer {number}: {name}", weight(dense, number, name), weight(pruned, number, name)
                line, zeros = next(told), V == 0
                asked += shares[number] * W.size
                count = round(asked) - given
                # Shares are computed from f32 statistics: whole numbers may fall on the other side.
                count = count if abs(zeros.sum() - count) > 2 + (CLOSE * count if rows in ("owl", "alpha") else 0) else int(zeros.sum())
                given += count
                zero, total_weights = zero + zeros.sum(), total_weights + W.size
                if line["kept"] != (~zeros).sum() or line["shape"] != list(W.shape):
                    faults.append(f"{what}: the report tells {line['kept']} of {line['shape']}")
                if not judged:
                    continue
                S = scores(criterion, W, inputs)
                harmless = "error_after" not in line or line["error_after"] < line["error"]
                expected = W * ~zeros
                if criterion == "sparsegpt":
                    expected, more = sweep(W, zeros, inputs, count, pattern)
                    faults += [f"{what}: {fault}" for fault in more]
                elif pattern:
                    for at in range(0, W.shape[1], pattern[1]):
                        part, Z = S[:, at : at + pattern[1]], zeros[:, at : at + pattern[1]]
                        if (Z.sum(1) != pattern[0]).any() or (np.where(Z, part, 0).max(1) > np.where(Z, np.inf, part).min(1) * (1 + CLOSE)).any():
                            faults.append(f"{what}: inputs {at}: not the smallest {pattern[0]} of {pattern[1]}")
                            break
                elif update == "dsnot":
                    first = np.zeros_like(zeros)
                    for row in range(len(W)):
                        first[row, np.argsort(S[row], kind="stable")[: spread(count, row, row + 1, len(W))]] = True
                    other = np.mean(dsnot(W, S, inputs, first) != zeros)
                    if other > 0.01:
                        faults.append(f"{what}: {other:.2%} of the zeros are elsewhere")
                elif rows in ("adaptive", "trim", "curves"):
                    counts = zeros.sum(1)
                    faults += judge_rows(rows, W, S, inputs, counts, count, what)
                    for row in range(len(W)):
                        faults += separated(S[row], zeros[row], counts[row], f"{what}: row {row}")
                else:
                    for index, part in groups_of(criterion, W.shape, count):
                        faults += separated(S[index], zeros[index], part, what)
                if update == "refit":
                    expected = refit(W, zeros, inputs)
                if not harmless:
                    expected = W * ~zeros
                off = np.linalg.norm(V - expected) / np.linalg.norm(expected)
                worst = max(worst, off)
                if off > (VALUES if update in ("sparsegpt", "refit") and harmless else 0):
                    faults.append(f"{what}: weights are off by {off:.3g}")
        hidden = [pruned.family.run(pruned.layers[number], h).detach() for h in hidden]
    realised = zero / total_weights
    if abs(realised - method["ratio"]) > 1e-3 or abs(report["ratio"]["weights"] - realised) > 1e-9:
        faults.append(f"{realised:.5f} of the weights are zero, {method['ratio']} were asked for, {report['ratio']['weights']} are told")
    return faults, {"zeros": float(realised), "weights_off": float(worst)}


def check(command, root, device, only):
    root = pathlib.Path(root).resolve()
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    status = 0
    for model, runs in RUNS.items():
        folder = reference.ROOT / "www/models" / model
        text = root / f"{model}.txt"
        whole, tokenizer = (folder / "calibration.txt").read_text(encoding="utf-8"), reference.load_tokenizer(folder)
        bos = reference.read_json(folder / "config.json").get("bos_token_id")
        for characters in itertools.count(1000, 200):
            text.write_text(whole[:characters], encoding="utf-8")
            sequences = check_decoder.cut(check_decoder.read_stream(tokenizer, text), LENGTH, bos)
            if len(sequences) == WINDOWS:
                break
        dense = liar.Dense(folder)
        for name, method in runs:
            if only and name not in only:
                continue
            recipe = {
                "version": 1,
                "calibration": {"source": text.name, "sequences": 10_000, "length": LENGTH},
                "method": {"kind": "sparse", "samples": SAMPLES, **method},
                "output": {"kind": "masked", "dtype": "f32"},
            }
            path, out = root / f"{model}-{name.replace(':', '_')}.json", root / f"{model}-{name.replace(':', '_')}"
            path.write_text(json.dumps(recipe))
            arguments = [command, "prune", folder, "--recipe", path, "--out", out, "--device", device]
            done = subprocess.run(list(map(str, arguments)), capture_output=True, text=True)
            if done.returncode != 0:
                raise SystemExit(f"{' '.join(map(str, arguments))}: {done.stderr.strip()}")
            faults, figures = judge(dense, out, method, sequences)
            status |= reference.verdict(f"sparse: {model}: {name}", faults[:10], figures)
    return status


def self_test():
    """What must be found is found: on random weights, a sweep, rows and zeros that are right pass, and those that are not do not."""
    test, random = reference.SelfTest("sparse"), np.random.default_rng(0)
    inputs = Inputs(random.normal(size=(4, 16, 8)) * np.linspace(0.2, 2, 8))
    W = random.normal(size=(6, 8))
    S = scores("wanda", W, inputs)
    zeros = np.zeros_like(W, bool)
    for row, order in enumerate(np.argsort(S, 1)):
        zeros[row, order[:4]] = True
    test.expect("rows", good=True, faults=separated(S[0], zeros[0], 4, "row"))
    test.expect("a larger one gone", good=False, faults=separated(S[0], ~zeros[0], 4, "row"))
    test.expect("too few", good=False, faults=separated(S[0], zeros[0], 5, "row"))
    error = lambda V: np.trace((W - V) @ inputs.H @ (W - V).T)
    swept, fitted = sweep(W, zeros, inputs)[0], refit(W, zeros, inputs, 60)
    test.expect("updates lower the error", good=True, faults=[] if error(fitted) <= error(swept) < error(W * ~zeros) else ["it rises"])
    exact = [np.linalg.solve(inputs.H[np.ix_(keep, keep)], (inputs.H @ w)[keep]) for keep, w in zip(~zeros, W)]
    test.expect("the refit is the solution", good=True, faults=[] if all(np.allclose(fitted[i][~zeros[i]], x) for i, x in enumerate(exact)) else ["it is not"])
    errors = errors_of_rows(W, S, inputs)
    even = errors[np.arange(6), np.full(6, 4)].sum()
    test.expect("nothing is below the bound", good=True, faults=[] if least(errors, 24) <= even else ["the even share is"])
    counts = np.full(6, 4)
    counts[0], counts[1] = 8, 0
    test.expect("a bad allocation", good=False, faults=judge_rows("curves", W, S, inputs, counts, 24, "rows"))
    return test.finish()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs="?")
    parser.add_argument("out", nargs="?")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", nargs="+", help="names of recipes")
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    if arguments.self_test:
        return self_test()
    return check(arguments.command, arguments.out, arguments.device, arguments.only)


if __name__ == "__main__":
    sys.exit(main())
