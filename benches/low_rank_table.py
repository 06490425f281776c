#!/usr/bin/env python3
"""Measures lower ranks: every factorisation with every allocation of ranks on several models through `coppice sweep`, as tables.

usage: low_rank_table.py COPPICE OUT [--models NAME...] [--smollm2 DIR --text FILE] [--ratios R...] [--floors F...] [--seeds N] [--jobs N]
                         [--factorisations F...] [--allocations A...] [--joint] [--sparse S...] [--device auto|gpu|cpu] [--gpus N]
  COPPICE    the command, as `make native` builds it
  OUT        folder for the tables of all sweeps (CSV, and whole reports as JSON); a second call goes on there
  --models   of bert-sst2, gpt2-stories, llama-stories (all)
  --smollm2  a folder that tools/smollm2.py made; --text is measured on its second half and calibrates with its first
  --floors   shares of the uniform rank that every layer keeps, tried where the allocation weighs
  --joint    everything with shared factors too; --sparse: shares of what a lowered layer keeps that go into single weights
  --jobs     sweeps side by side; each takes a model, a seed and a factorisation
  --gpus     how many GPUs they take turns on

What is measured is text that no recipe calibrates with. Needs Python 3 and nothing else.
"""
import concurrent.futures, itertools, os, statistics

import runner

HERE = os.path.dirname(os.path.abspath(__file__))
WWW = os.path.join(HERE, "..", "www")
FACTORISATIONS = ["svd", "asvd", "whitened"]
ALLOCATIONS = ["uniform", "global", "soft_threshold"]


def models(args):
    """(name, folder, calibration, evaluation)"""
    decoder = lambda first, second: ({"source": first, "sequences": args.sequences, "length": args.window},
                                     {"source": second, "limit": args.tokens, "window": args.window})
    if args.smollm2:
        # The slowest first, so that nobody waits for it at the end.
        yield ("SmolLM2-135M", args.smollm2, *decoder(*runner.halves(args.text, args.out)))
    for name in args.models:
        folder = os.path.join(WWW, "models", name)
        if name == "bert-sst2":
            data = lambda part: os.path.join(WWW, "data", f"sst2-{part}.tsv")
            yield name, folder, {"source": data("train"), "sequences": 4 * args.sequences, "length": 128}, {"source": data("dev")}
        else:
            yield (name, folder, *decoder(os.path.join(folder, "calibration.txt"), os.path.join(folder, "valid.txt")))


def recipes(args, factorisations=None):
    """Those of one factorisation follow each other: they share its spectra."""
    for factorisation, allocation in itertools.product(factorisations or args.factorisations, args.allocations):
        floors = args.floors if allocation != "uniform" else [None]
        for floor, joint, sparse in itertools.product(floors, [False, True] if args.joint else [False], args.sparse):
            method = {"factorisation": factorisation, "allocation": allocation, "joint": joint, "sparse": sparse}
            several = floor is not None and len(args.floors) > 1
            name = f"{factorisation}, {allocation}" + (f", floor {floor}" if several else "")
            name += (", joint" if joint else "") + (f", {sparse:.0%} single weights" if sparse else "")
            yield {"name": name, "method": method if floor is None else {**method, "floor": floor}}


def sweep(args, model, seed, factorisation):
    """Runs all recipes of a factorisation at all ratios on a model: the rows of its table."""
    name, folder, calibration, evaluation = model
    out = os.path.join(args.out, f"{name}-{seed}-{factorisation}")
    absolute = lambda options: {**options, "source": os.path.abspath(options["source"])}
    base = {"version": 1, "calibration": {**absolute(calibration), "seed": seed}, "method": {"kind": "low_rank"}, "output": {"kind": "dense"},
            "evaluation": absolute(evaluation)}
    document = {"base": base, "vary": {"recipe": list(recipes(args, [factorisation])), "method.ratio": args.ratios}}
    return [{**row, "of": name} for row in runner.sweep(args, folder, document, out) if row["seed"] == str(seed)]


def cell(rows, column, digits):
    values = [float(row[column]) for row in rows if row.get(column)]
    return f"{statistics.mean(values):.{digits}f}" if values else "–"


def main():
    parser = runner.argparse.ArgumentParser(description=__doc__, formatter_class=runner.argparse.RawDescriptionHelpFormatter)
    parser.add_argument("coppice")
    parser.add_argument("out")
    parser.add_argument("--models", nargs="*", default=["bert-sst2", "gpt2-stories", "llama-stories"])
    parser.add_argument("--smollm2")
    parser.add_argument("--text")
    parser.add_argument("--ratios", nargs="+", type=float, default=[0.2, 0.3, 0.4, 0.5])
    parser.add_argument("--floors", nargs="+", type=float, default=[0.5])
    parser.add_argument("--factorisations", nargs="+", default=FACTORISATIONS)
    parser.add_argument("--allocations", nargs="+", default=ALLOCATIONS)
    parser.add_argument("--joint", action="store_true")
    parser.add_argument("--sparse", nargs="+", type=float, default=[0.0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--sequences", type=int, default=512)
    parser.add_argument("--window", type=int, default=256)
    parser.add_argument("--tokens", type=int, default=65536)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--gpus", type=int, default=1)
    args = parser.parse_args()
    if args.smollm2 and not args.text:
        parser.error("--smollm2 wants --text too")
    os.makedirs(args.out, exist_ok=True)
    all_models = list(models(args))
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        tasks = [pool.submit(sweep, args, *what) for what in itertools.product(all_models, range(args.seeds), args.factorisations)]
        rows = [row for task in tasks for row in task.result()]
    for name, *_ in all_models:
        own = [row for row in rows if row["of"] == name]
        accuracy = any(row.get("accuracy_after") for row in own)
        word, column, digits = ("accuracy", "accuracy_after", 4) if accuracy else ("perplexity", "perplexity_after", 3)
        for what, field, places in [(word, column, digits), ("KL to the dense model", "kl", 4)]:
            lines = []
            for recipe in recipes(args):
                same = [row for row in own if row["name"] == recipe["name"]]
                at = lambda ratio: [row for row in same if float(row["ratio"]) == ratio]
                lines.append([recipe["name"], *(cell(at(ratio), field, places) for ratio in args.ratios)])
            runner.print_table(f"{name}: {what}", ["recipe", *(f"{ratio:.0%}" for ratio in args.ratios)], lines)


if __name__ == "__main__":
    main()
