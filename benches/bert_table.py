#!/usr/bin/env python3
"""Measures the structured recipes on a BERT classifier and prints the tables of docs/RESULTS.md.

usage: bert_table.py COPPICE MODEL TRAIN DEV OUT [--device auto|gpu|cpu] [--seeds N] [--sequences N] [--jobs N] [--quick]
  COPPICE  the command, as `make native` builds it
  MODEL    www/models/bert-sst2
  TRAIN    calibration sentences, www/data/sst2-train.tsv
  DEV      labelled sentences to compare on, www/data/sst2-dev.tsv
  OUT      folder for rows.json (one object a run); the tables go to standard output
"""
import argparse, concurrent.futures, json, math, os, statistics, subprocess, sys, tempfile

RATIOS = [0.2, 0.3, 0.5]
CRITERIA = ["magnitude", "flap"]
REPAIRS = [("none", False), ("bias", False), ("liar", False), ("liar", True)]
CUTS = [("heads and neurons, sliced", ["heads", "neurons"], "sliced"), ("neurons only, stock", ["neurons"], "stock")]


def run(args, cut, ratio, criterion, repair, aware, seed):
    title, units, kind = cut
    recipe = {
        "version": 1,
        "calibration": {"source": os.path.abspath(args.train), "sequences": args.sequences, "length": 128, "seed": seed},
        "method": {"kind": "structured", "units": units, "criterion": criterion, "allocation": "uniform", "ratio": ratio,
                   "reconstruction": repair, "ridge": args.ridge, "error_aware": aware},
        "output": {"kind": kind},
        "evaluation": {"source": os.path.abspath(args.dev)},
    }
    with tempfile.TemporaryDirectory() as folder:
        path, out, report = (os.path.join(folder, name) for name in ("recipe.json", "out", "report.json"))
        with open(path, "w") as file:
            json.dump(recipe, file)
        command = [args.coppice, "prune", args.model, "--recipe", path, "--out", out, "--report", report, "--device", args.device]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}\n{done.stderr}")
        with open(report) as file:
            found = json.load(file)
    seconds = found["seconds"]
    return {
        "cut": title, "ratio": ratio, "criterion": criterion, "repair": repair, "aware": aware, "seed": seed,
        "realised": found["ratio"]["linear"], "dense": found["quality_before"]["accuracy"], "accuracy": found["quality_after"]["accuracy"],
        "examples": found["quality_after"]["examples"], "kl": found["quality_after"]["kl"],
        "parameters": found["after"]["parameters"], "bytes": found["after"]["bytes"],
        "seconds": seconds["calibrate"] + seconds["score"] + seconds["reconstruct"] + seconds["export"],
        "device": found["device"]["name"], "backend": found["device"]["backend"],
        "fallbacks": sum(1 for layer in found["layers"] for unit in layer.values() if unit.get("fell_back_from")),
        "close_calls": len(found["close_calls"]), "peak_device_bytes": found["peak_device_bytes"],
    }


def table(rows, title):
    print(f"\n### {title}\n")
    print("| ratio | realised | criterion | repair | accuracy | of dense | KL | parameters | bytes | seconds |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    keys = sorted({(r["ratio"], CRITERIA.index(r["criterion"]), REPAIRS.index((r["repair"], r["aware"]))) for r in rows})
    for ratio, criterion, repair in keys:
        name, aware = REPAIRS[repair]
        same = [r for r in rows if (r["ratio"], r["criterion"], r["repair"], r["aware"]) == (ratio, CRITERIA[criterion], name, aware)]
        mean = lambda field: statistics.mean(r[field] for r in same)
        label = "LIAR, error-aware" if aware else {"liar": "LIAR"}.get(name, name)
        print(f"| {ratio} | {mean('realised'):.3f} | {CRITERIA[criterion]} | {label} | {mean('accuracy'):.4f} | {mean('accuracy') / mean('dense'):.3f} | "
              f"{mean('kl'):.4f} | {same[0]['parameters']:,} | {same[0]['bytes']:,} | {mean('seconds'):.1f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("coppice", "model", "train", "dev", "out"):
        parser.add_argument(name)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sequences", type=int, default=512)
    parser.add_argument("--ridge", type=float, default=0.01)
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side; 1 for honest seconds")
    parser.add_argument("--quick", action="store_true", help="ratio 0.5, FLAP and seed 0 only")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    todo = []
    for cut in CUTS:
        for ratio in [0.5] if args.quick else RATIOS:
            for criterion in ["flap"] if args.quick else CRITERIA:
                for repair, aware in REPAIRS:
                    # Without data in score or repair there is nothing to seed.
                    seeds = 1 if args.quick or (criterion, repair) == ("magnitude", "none") else args.seeds
                    todo += [(cut, ratio, criterion, repair, aware, seed) for seed in range(seeds)]
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        rows = list(pool.map(lambda what: run(args, *what), todo))
    with open(os.path.join(args.out, "rows.json"), "w") as file:
        json.dump(rows, file, indent=1)
    dense, count = rows[0]["dense"], rows[0]["examples"]
    print(f"Dense accuracy {dense:.4f} on {count} sentences; one standard error is {math.sqrt(dense * (1 - dense) / count):.4f}. "
          f"{args.sequences} calibration sentences, ridge {args.ridge}, {args.seeds} seeds. Device: {rows[0]['device']} ({rows[0]['backend']}).")
    for title, _, _ in CUTS:
        table([r for r in rows if r["cut"] == title], title)


main()
