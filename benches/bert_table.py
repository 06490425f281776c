#!/usr/bin/env python3
"""Measures the structured recipes on a BERT classifier and prints the tables of docs/RESULTS.md.

usage: bert_table.py COPPICE MODEL TRAIN DEV OUT [--device auto|gpu|cpu] [--seeds N] [--sequences N] [--jobs N] [--quick]
  COPPICE  the command, as `make native` builds it
  MODEL    www/models/bert-sst2
  TRAIN    calibration sentences, www/data/sst2-train.tsv
  DEV      labelled sentences to compare on, www/data/sst2-dev.tsv
  OUT      folder for rows.jsonl (one object a run); the tables go to standard output
"""
import math, os

import runner

RATIOS = [0.2, 0.3, 0.5]
CRITERIA = ["magnitude", "flap"]
REPAIRS = [("none", False), ("bias", False), ("liar", False), ("liar", True)]
CUTS = {"heads and neurons, sliced": (["heads", "neurons"], "sliced"), "neurons only, stock": (["neurons"], "stock")}
COLUMNS = ["ratio", "realised", "criterion", "repair", "accuracy", "of dense", "KL", "parameters", "bytes", "seconds"]


def run(args, cut, ratio, criterion, repair, aware, seed):
    units, kind = CUTS[cut]
    calibration = {"source": os.path.abspath(args.train), "sequences": args.sequences, "length": 128, "seed": seed}
    method = {"units": units, "criterion": criterion, "ratio": ratio, "reconstruction": repair, "error_aware": aware}
    report = runner.prune(args, calibration, method, kind, {"source": os.path.abspath(args.dev)})
    after = report["quality_after"]
    return {
        "cut": cut, "ratio": ratio, "criterion": criterion, "repair": repair, "aware": aware, "seed": seed,
        "dense": report["quality_before"]["accuracy"], "accuracy": after["accuracy"], "examples": after["examples"], "kl": after["kl"],
        **runner.facts(report),
    }


def cells(same):
    mean = lambda field: runner.mean(same, lambda row: row[field])
    first = same[0]
    return [first["ratio"], f"{mean('realised'):.3f}", first["criterion"], runner.repair_name(first["repair"], first["aware"]), f"{mean('accuracy'):.4f}",
            f"{mean('accuracy') / mean('dense'):.3f}", f"{mean('kl'):.4f}", f"{first['parameters']:,}", f"{first['bytes']:,}", f"{mean('seconds'):.1f}"]


def main():
    parser = runner.parser(__doc__, sequences=512)
    for name in ("train", "dev", "out"):
        parser.add_argument(name)
    parser.add_argument("--quick", action="store_true", help="ratio 0.5, FLAP and seed 0 only")
    args = parser.parse_args()
    settings = [(cut, ratio, criterion, repair, aware) for cut in CUTS for ratio in ([0.5] if args.quick else RATIOS)
                for criterion in (["flap"] if args.quick else CRITERIA) for repair, aware in REPAIRS]
    # Without data in score or repair there is nothing to seed.
    seeds = lambda setting: 1 if args.quick or setting[2:4] == ("magnitude", "none") else args.seeds
    rows = runner.run_all(args, [(*setting, seed) for setting in settings for seed in range(seeds(setting))], run)
    dense, count = rows[0]["dense"], rows[0]["examples"]
    print(f"Dense accuracy {dense:.4f} on {count} sentences; one standard error is {math.sqrt(dense * (1 - dense) / count):.4f}. "
          f"{args.sequences} calibration sentences, ridge {args.ridge}, {args.seeds} seeds. Device: {rows[0]['device']} ({rows[0]['backend']}).")
    keys = ("cut", "ratio", "criterion", "repair", "aware")
    for title in CUTS:
        lines = [[row for row in rows if tuple(row[key] for key in keys) == setting] for setting in settings if setting[0] == title]
        runner.print_table(title, COLUMNS, map(cells, lines))


main()
