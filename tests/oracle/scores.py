#!/usr/bin/env python3
"""Independent oracle of criteria: prunes by each and judges which units are left, from the dense checkpoint alone.

    python scores.py COPPICE OUT_DIR [--device cpu|gpu]
    python scores.py --self-test

Activations come from stock Transformers' modules in float64 (liar.py), scores from criteria.py. What has a score must be kept in its
order, but for close calls; what OSSCAR leaves must be as good as the greedy choice, and where it may swap, as good as no single swap can better.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys

import gradients  # before NumPy: it sets the threads

import criteria
import liar
import numpy as np
import reference

RATIO = 0.4
# (criterion, what differs from the rest of the method). The kernel of 1536 neurons is left to the smaller model.
RUNS = {
    "bert-sst2": [
        ("magnitude", {}),
        ("obs", {}),
        ("osscar", {}),
        ("kcm", {"units": ["heads"]}),
        ("random", {}),
    ],
    "llama-stories": [
        ("wanda_sp", {}),
        ("obs", {"affine": False}),
        ("osscar", {"swaps": 20}),
        ("kcm", {}),
    ],
}
# The greedy removal of many neurons takes NumPy long: it is followed in this layer.
GREEDY_LAYER = 1
# f32 statistics may lead the greedy removal elsewhere; it must be as good as in float64, relatively, and nearly the same.
WORSE, ELSEWHERE = 1e-3, 0.02


def sites(dense, sequences):
    """Every consumer with its inputs, [{unit: Site}]."""
    found, hidden = [], dense.embed(sequences)
    for number, layer in enumerate(dense.layers):
        hidden, caught = liar.run_layer(dense, layer, hidden)
        found.append({unit: liar.site(dense, number, unit, caught[unit]) for unit in liar.UNITS})
    return found


def judge_scores(criterion, found, plan):
    def score(site, kept):
        return criteria.SCORES[criterion](site) if len(kept) < site.units() else np.ones(site.units())

    scores = [{unit: score(site, kept[unit]) for unit, site in of_layer.items()} for of_layer, kept in zip(found, plan)]
    return gradients.judge(scores, plan)


def judge_removal(found, plan, swaps):
    """(faults, figures) of what OSSCAR leaves."""
    faults, worst, other = [], 0.0, 0
    for number, (of_layer, kept) in enumerate(zip(found, plan)):
        for unit, site in of_layer.items():
            count, name = len(kept[unit]), f"layer {number}: {unit}"
            if count == site.units() or (unit == "neurons" and number != GREEDY_LAYER):
                continue
            A, greedy = site.system(), criteria.osscar(site, count)

            def error(units):
                return criteria.error(A, site.W, site.channels(units))

            ours, theirs = error(kept[unit]), error(greedy)
            worst = max(worst, ours / theirs - 1)
            if ours > theirs * (1 + WORSE):
                faults.append(f"{name}: the error is {ours:.6g}, the greedy one {theirs:.6g}")
            differ = len(set(kept[unit]) - set(greedy))
            other += differ
            if differ > (swaps or 0) + ELSEWHERE * site.units():
                faults.append(f"{name}: {differ} of {count} are not those of greedy removal")
            if swaps and unit == "heads":
                gone = sorted(set(range(site.units())) - set(kept[unit]))
                best = min(error(sorted({*kept[unit]} - {out} | {into})) for out in kept[unit] for into in gone)
                if best < ours * (1 - WORSE):
                    faults.append(f"{name}: a swap would lower the error from {ours:.6g} to {best:.6g}")
    return faults, {"above_greedy": worst, "elsewhere": other}


def check(command, root, device):
    root = pathlib.Path(root).resolve()
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    status, checked = 0, 0
    for name, runs in RUNS.items():
        folder, text, sequences, _ = gradients.prepare(name, root)
        found = sites(liar.Dense(folder), sequences)
        for at, (criterion, options) in enumerate(runs):
            recipe = {
                "version": 1,
                "calibration": {"source": text.name, "sequences": 10_000, "length": gradients.LENGTH, "seed": gradients.SEED},
                "method": {"kind": "structured", "criterion": criterion, "ratio": RATIO, "reconstruction": "none", **options},
                "output": {"kind": "sliced"},
            }
            if options.get("units") == ["heads"]:
                recipe["method"]["ratio"] = 1 / 9  # attention is a third of a layer, and a third of its heads go
            path, out = root / f"{name}-{at}.json", root / f"{name}-{at}"
            path.write_text(json.dumps(recipe))
            arguments = [command, "prune", folder, "--recipe", path, "--out", out, "--device", device]
            done = subprocess.run(list(map(str, arguments)), capture_output=True, text=True)
            if done.returncode != 0:
                raise SystemExit(f"{' '.join(map(str, arguments))}: {done.stderr.strip()}")
            plan = reference.read_plan(out)
            for site in (site for of_layer in found for site in of_layer.values()):
                site.seed, site.affine = gradients.SEED, options.get("affine", True)
            faults, figures = judge_removal(found, plan, options.get("swaps")) if criterion == "osscar" else judge_scores(criterion, found, plan)
            status |= reference.verdict(f"scores: {name}: {criterion} {options or ''}", faults, figures)
            checked += 1
    print(f"scores: {checked} plans on {device}, {'faults' if status else 'all good'}")
    return status


def self_test():
    """The algebra against least squares on tokens, and wrong choices that must be found."""
    test = reference.SelfTest("scores")
    random = np.random.default_rng(0)
    x = random.normal(size=(300, 24)) @ random.normal(size=(24, 24)) + random.normal(size=24)
    W = random.normal(size=(24, 5))

    def far(a, b, limit=1e-9):
        return [] if abs(a / b - 1) < limit else [f"{a} is not {b}"]

    for size in (1, 4):
        for affine in (True, False):
            site = criteria.Site(W, size, x, affine=affine)
            # Damping is a token for each channel that has it alone.
            centred = x - x.mean(0) if affine else x
            damping = criteria.DAMPING * (centred**2).mean() * len(x)
            rows = np.vstack([centred, np.sqrt(damping) * np.eye(24)])
            kept = [unit for unit in range(site.units()) if unit != 1]
            K = site.channels(kept)
            residual = rows @ W - rows[:, K] @ np.linalg.lstsq(rows[:, K], rows @ W, rcond=None)[0]
            direct = (residual**2).sum() / len(x)
            label = f"units of {size}{'' if affine else ', uncentred'}"
            test.expect(f"{label}: obs is least squares without the unit", far(criteria.obs(site)[1], direct), good=True)
            test.expect(f"{label}: so is the error", far(criteria.error(site.system(), W, K), direct), good=True)
            test.expect(f"{label}: one greedy step is the least obs", far(1 + criteria.osscar(site, site.units() - 1).count(int(np.argmin(criteria.obs(site)))), 1), good=True)
    site = criteria.Site(W, 1, x)
    greedy = criteria.osscar(site, 12)
    worse = sorted({*greedy} - {greedy[0]} | {next(unit for unit in range(24) if unit not in greedy)})
    of_layer = [{"neurons": site}] * 2
    test.expect("the greedy choice", judge_removal(of_layer, [{"neurons": greedy}] * 2, None)[0], good=True)
    test.expect("a worse one", judge_removal(of_layer, [{"neurons": worse}] * 2, None)[0], good=False, naming="the error is")
    site = criteria.Site(W, 4, x)
    errors = {tuple(kept): criteria.error(site.system(), W, site.channels(kept)) for kept in ((0, 1), (0, 2), (1, 2), (2, 5), (3, 4))}
    bad = list(max(errors, key=errors.get))
    test.expect("a choice that swaps would better", judge_removal([{"heads": site}], [{"heads": bad}], 4)[0], good=False, naming="a swap would lower")
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
