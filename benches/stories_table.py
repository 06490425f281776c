#!/usr/bin/env python3
"""Measures the structured recipes on a stories model and prints the tables of docs/RESULTS.md.

usage: stories_table.py COPPICE MODEL OUT [--device auto|gpu|cpu] [--seeds N] [--sequences N] [--jobs N]
  COPPICE  the command, as `make native` builds it
  MODEL    www/models/gpt2-stories or www/models/llama-stories, with their calibration.txt and valid.txt
  OUT      folder for rows.json (one object a run); the tables go to standard output
"""
import argparse, concurrent.futures, json, math, os, statistics, subprocess, sys, tempfile

RATIOS = [0.2, 0.3, 0.5]
REPAIRS = [("bias", False), ("liar", False), ("liar", True)]
CUTS = {
    "gpt2": [("neurons only, stock", ["neurons"], "stock"), ("heads and neurons, sliced", ["heads", "neurons"], "sliced")],
    "llama": [("heads and neurons, stock", ["heads", "neurons"], "stock"), ("heads and neurons, sliced", ["heads", "neurons"], "sliced")],
}


def run(args, cut, ratio, repair, aware, seed):
    title, units, kind = cut
    recipe = {
        "version": 1,
        "calibration": {"source": os.path.abspath(f"{args.model}/calibration.txt"), "sequences": args.sequences, "length": 256, "seed": seed},
        "method": {"kind": "structured", "units": units, "criterion": "flap", "allocation": "uniform", "ratio": ratio,
                   "reconstruction": repair, "ridge": args.ridge, "error_aware": aware},
        "output": {"kind": kind},
        "evaluation": {"source": os.path.abspath(f"{args.model}/valid.txt"), "limit": args.tokens, "window": 256},
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
    seconds, after = found["seconds"], found["quality_after"]
    return {
        "cut": title, "ratio": ratio, "repair": repair, "aware": aware, "seed": seed, "realised": found["ratio"]["linear"],
        "dense": found["quality_before"]["perplexity"], "perplexity": after["perplexity"], "tokens": after["tokens"], "kl": after["kl"],
        "parameters": found["after"]["parameters"], "bytes": found["after"]["bytes"],
        "seconds": seconds["calibrate"] + seconds["score"] + seconds["reconstruct"] + seconds["export"],
        "device": found["device"]["name"], "backend": found["device"]["backend"],
        "fallbacks": sum(1 for layer in found["layers"] for unit in layer.values() if unit.get("fell_back_from")),
    }


def table(rows, title):
    print(f"\n### {title}\n")
    print("| ratio | realised | repair | perplexity | excess loss | of bias repair's | KL | parameters | bytes | seconds |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for ratio in RATIOS:
        base = None
        for name, aware in REPAIRS:
            same = [r for r in rows if (r["ratio"], r["repair"], r["aware"]) == (ratio, name, aware)]
            mean = lambda value: statistics.mean(value(r) for r in same)
            excess = mean(lambda r: math.log(r["perplexity"] / r["dense"]))
            base = base or excess
            label = "LIAR, error-aware" if aware else {"liar": "LIAR"}.get(name, name)
            print(f"| {ratio} | {mean(lambda r: r['realised']):.3f} | {label} | {mean(lambda r: r['perplexity']):.3f} | {excess:.4f} | {excess / base:.2f} | "
                  f"{mean(lambda r: r['kl']):.4f} | {same[0]['parameters']:,} | {same[0]['bytes']:,} | {mean(lambda r: r['seconds']):.1f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("coppice", "model", "out"):
        parser.add_argument(name)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sequences", type=int, default=128)
    parser.add_argument("--tokens", type=int, default=40000)
    parser.add_argument("--ridge", type=float, default=0.01)
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side; 1 for honest seconds")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    with open(f"{args.model}/config.json") as file:
        cuts = CUTS[json.load(file)["model_type"]]
    todo = [(cut, ratio, repair, aware, seed) for cut in cuts for ratio in RATIOS for repair, aware in REPAIRS for seed in range(args.seeds)]
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        rows = list(pool.map(lambda what: run(args, *what), todo))
    with open(os.path.join(args.out, "rows.json"), "w") as file:
        json.dump(rows, file, indent=1)
    print(f"Dense perplexity {rows[0]['dense']:.3f} on {rows[0]['tokens']} tokens. {args.sequences} calibration windows of 256, ridge {args.ridge}, "
          f"{args.seeds} seeds. Device: {rows[0]['device']} ({rows[0]['backend']}).")
    for title, _, _ in cuts:
        table([r for r in rows if r["cut"] == title], title)


main()
