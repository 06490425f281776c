#!/usr/bin/env python3
"""Measures the structured recipes on a decoder and prints the tables of docs/RESULTS.md.

usage: decoder_table.py COPPICE MODEL OUT [--text FILE] [--ratios R...] [--device auto|gpu|cpu] [--seeds N] [--sequences N] [--jobs N]
  COPPICE  the command, as `make native` builds it
  MODEL    a model folder: www/models/gpt2-stories, www/models/llama-stories, or SmolLM2 as tools/smollm2.py makes it
  OUT      folder for rows.jsonl (one object a run); the tables go to standard output
  --text   a text of which the first half calibrates and the second is measured (default: the folder's calibration.txt and valid.txt)

FLAP scores; bias repair, LIAR and error-aware LIAR; units as stock configs allow, and all units sliced. Excess loss is
ln(perplexity) - ln(dense perplexity); its mean over seeds is set against bias repair's. Needs Python 3 and nothing else.
"""
import json, math, os

import runner

REPAIRS = [("bias", False), ("liar", False), ("liar", True)]
BOTH = ["heads", "neurons"]
SLICED = {"heads and neurons, sliced": (BOTH, "sliced")}
CUTS = {
    "gpt2": {"neurons only, stock": (["neurons"], "stock"), **SLICED},
    "llama": {"heads and neurons, stock": (BOTH, "stock"), **SLICED},
}
COLUMNS = ["ratio", "realised", "repair", "perplexity", "excess loss", "of bias repair's", "KL", "parameters", "bytes", "seconds"]


def run(args, cut, ratio, repair, aware, seed):
    units, kind = args.cuts[cut]
    calibration = {"source": os.path.abspath(args.calibration), "sequences": args.sequences, "length": args.window, "seed": seed}
    method = {"units": units, "criterion": "flap", "ratio": ratio, "reconstruction": repair, "error_aware": aware}
    report = runner.prune(args, calibration, method, kind, {"source": os.path.abspath(args.valid), "limit": args.tokens, "window": args.window})
    before, after = report["quality_before"], report["quality_after"]
    return {
        "cut": cut, "ratio": ratio, "repair": repair, "aware": aware, "seed": seed,
        "dense": before["perplexity"], "perplexity": after["perplexity"], "tokens": after["tokens"], "kl": after["kl"], **runner.facts(report),
    }


def cells(same, base):
    mean = lambda field: runner.mean(same, lambda row: row[field])
    first = same[0]
    return [first["ratio"], f"{mean('realised'):.3f}", runner.repair_name(first["repair"], first["aware"]), f"{mean('perplexity'):.3f}", f"{excess(same):.4f}",
            f"{excess(same) / excess(base):.2f}", f"{mean('kl'):.4f}", f"{first['parameters']:,}", f"{first['bytes']:,}", f"{mean('seconds'):.1f}"]


def excess(rows):
    return runner.mean(rows, lambda row: math.log(row["perplexity"] / row["dense"]))


def main():
    parser = runner.parser(__doc__, sequences=128)
    parser.add_argument("out")
    parser.add_argument("--text")
    parser.add_argument("--ratios", type=float, nargs="+", default=[0.2, 0.3, 0.5])
    parser.add_argument("--tokens", type=int, default=40000, help="of the text that is measured")
    parser.add_argument("--window", type=int, default=256, help="tokens in a window, of calibration too")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    args.calibration, args.valid = runner.halves(args.text, args.out) if args.text else [os.path.join(args.model, name) for name in ("calibration.txt", "valid.txt")]
    with open(os.path.join(args.model, "config.json"), encoding="utf-8") as file:
        args.cuts = CUTS[json.load(file)["model_type"]]
    settings = [(cut, ratio, repair, aware) for cut in args.cuts for ratio in args.ratios for repair, aware in REPAIRS]
    # Seed by seed, so that a table that is stopped early is one of fewer seeds.
    rows = runner.run_all(args, [(*setting, seed) for seed in range(args.seeds) for setting in settings], run)
    print(f"Dense perplexity {rows[0]['dense']:.3f} on {rows[0]['tokens']} tokens. {args.sequences} calibration windows of {args.window}, ridge {args.ridge}, "
          f"{args.seeds} seeds. Device: {rows[0]['device']} ({rows[0]['backend']}).")
    by = {setting: [row for row in rows if (row["cut"], row["ratio"], row["repair"], row["aware"]) == setting] for setting in settings}
    for title in args.cuts:
        runner.print_table(title, COLUMNS, [cells(by[s], by[(s[0], s[1], "bias", False)]) for s in settings if s[0] == title])


main()
