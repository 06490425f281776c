#!/usr/bin/env python3
"""Measures OPTIN, exact, screened and on fewer sentences, against cheaper criteria at equal FLOPs, and prints the table of docs/RESULTS.md.

usage: optin_table.py COPPICE MODEL TRAIN DEV OUT [--device auto|gpu|cpu] [--seeds N] [--sequences N] [--kept SHARE...] [--repairs NAME...]
                      [--only NAME...]
  COPPICE   the command, as `make native` builds it
  MODEL     www/models/bert-sst2
  TRAIN     calibration sentences, www/data/sst2-train.tsv
  DEV       labelled sentences to compare on, www/data/sst2-dev.tsv
  OUT       folder for the sweeps' tables and reports; a second call goes on there

Each seed is one `coppice sweep`, in which a criterion scores once for all budgets (screened, once a budget). Rank agreement is Spearman's
coefficient with the exact scores of the same seed, mean over layers. Needs Python 3 and nothing else.
"""
import json, math, os, statistics, subprocess, sys, time

import runner

OPTIN = "OPTIN"
CRITERIA = {
    "FLAP": {"criterion": "flap"},
    "Fisher": {"criterion": "fisher"},
    "OSSCAR": {"criterion": "osscar"},
    OPTIN: {"criterion": "optin"},
    "OPTIN, screen 0.5": {"criterion": "optin", "screen": 0.5},
    "OPTIN, screen 0.25": {"criterion": "optin", "screen": 0.25},
    "OPTIN, 32 sentences": {"criterion": "optin", "score_sequences": 32},
    "OPTIN, 8 sentences": {"criterion": "optin", "score_sequences": 8},
}
COLUMNS = ["FLOPs kept", "criterion", "repair", "accuracy", "KL", "realised", "s: scores", "ranks: heads", "ranks: neurons"]


def sweep(args, seed):
    """Runs all recipes of a seed: their rows, by (criterion, kept, repair)."""
    base = os.path.join(args.out, f"seed-{seed}")
    recipes = [
        {
            "name": json.dumps([name, kept, repair]), "version": 1, "output": {"kind": "sliced"},
            "calibration": {"source": os.path.abspath(args.train), "sequences": args.sequences, "length": 128, "seed": seed},
            "method": {"kind": "structured", "allocation": "flops", "ratio": round(1 - kept, 6), "ridge": args.ridge, "reconstruction": repair, **CRITERIA[name]},
            "evaluation": {"source": os.path.abspath(args.dev)},
        }
        for name in args.only for kept in args.kept for repair in args.repairs
    ]
    with open(f"{base}.recipes.json", "w") as file:
        json.dump(recipes, file, indent=1)
    command = [args.coppice, "sweep", args.model, "--recipes", f"{base}.recipes.json", "--out", f"{base}.csv", "--device", args.device]
    began = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    print(f"seed {seed}: {done.stdout.strip()} {time.monotonic() - began:.1f} s", file=sys.stderr)
    with open(f"{base}.json") as file:
        rows = {tuple(json.loads(row["name"])): row for row in json.load(file)}
    return {tuple(json.loads(recipe["name"])): rows.get(tuple(json.loads(recipe["name"]))) for recipe in recipes}


def ranks(values):
    """Ranks from 0; equal values share their mean rank."""
    order = sorted(range(len(values)), key=values.__getitem__)
    found, start = [0.0] * len(values), 0
    while start < len(order):
        end = start
        while end < len(order) and values[order[end]] == values[order[start]]:
            end += 1
        for place in order[start:end]:
            found[place] = (start + end - 1) / 2
        start = end
    return found


def spearman(a, b):
    return statistics.correlation(ranks(a), ranks(b))


def agreement(rows, exact, unit):
    """Mean rank agreement with the exact scores, over layers and seeds."""
    pairs = [(row["report"]["scores"], other["report"]["scores"]) for row, other in zip(rows, exact)]
    found = [spearman(layer[unit], other[unit]) for mine, theirs in pairs for layer, other in zip(mine, theirs)]
    return f"{statistics.mean(found):.3f}"


def spread(values, digits):
    error = f" ± {statistics.stdev(values) / math.sqrt(len(values)):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{error}"


def line(by_seed, name, kept, repair):
    rows = [found[name, kept, repair] for found in by_seed]
    if any(row is None or row.get("error") for row in rows):
        error = next((row["error"] for row in rows if row), "not run")
        return [f"{kept:.0%}", name, repair, error, *["–"] * (len(COLUMNS) - 4)]
    reports = [row["report"] for row in rows]
    exact = [found.get((OPTIN, kept, repair)) for found in by_seed]
    told = [agreement(rows, exact, unit) for unit in ("heads", "neurons")] if all(exact) else ["–", "–"]
    return [
        f"{kept:.0%}", name, repair, spread([report["quality_after"]["accuracy"] for report in reports], 4),
        spread([report["quality_after"]["kl"] for report in reports], 4), f"{1 - statistics.mean(report['ratio']['flops'] for report in reports):.3f}",
        f"{statistics.mean(report['seconds']['score'] for report in reports):.2f}", *told,
    ]


def main():
    parser = runner.parser(__doc__, sequences=512)
    for name in ("train", "dev", "out"):
        parser.add_argument(name)
    parser.add_argument("--kept", type=float, nargs="+", default=[0.6, 0.5], help="shares of the FLOPs of the blocks")
    parser.add_argument("--repairs", nargs="+", default=["none", "liar"])
    parser.add_argument("--only", nargs="+", choices=CRITERIA, default=list(CRITERIA))
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    by_seed = [sweep(args, seed) for seed in range(args.seeds)]
    first = next(row["report"] for row in by_seed[0].values() if row and not row.get("error"))
    dense = first["quality_before"]
    error = math.sqrt(dense["accuracy"] * (1 - dense["accuracy"]) / dense["examples"])
    print(f"Dense accuracy {dense['accuracy']:.4f} on {dense['examples']} sentences; one standard error is {error:.4f}. {args.sequences} calibration "
          f"sentences, of which OPTIN scores on 128, ridge {args.ridge}, {args.seeds} seeds (mean ± standard error). Device: {first['device']['name']} ({first['device']['backend']}).")
    lines = [line(by_seed, name, kept, repair) for kept in args.kept for repair in args.repairs for name in args.only]
    runner.print_table("OPTIN against cheaper criteria, at equal FLOPs", COLUMNS, lines)


main()
