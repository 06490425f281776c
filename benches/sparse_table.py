#!/usr/bin/env python3
"""Measures zeros among the weights: the recipes of sparse_recipes.json on several decoders through `coppice sweep`, as tables for docs/RESULTS.md.

usage: sparse_table.py COPPICE OUT [--models NAME...] [--smollm2 DIR --text FILE] [--ratios R...] [--seeds N] [--jobs N] [--parts N]
                       [--recipes FILE] [--only NAME...] [--device auto|gpu|cpu] [--gpus N] [--options JSON]
  COPPICE    the command, as `make native` builds it
  OUT        folder for the tables of all sweeps (CSV, and whole reports as JSON); a second call goes on there
  --models   of gpt2-stories, llama-stories (both)
  --smollm2  a folder that tools/smollm2.py made; --text is measured on its second half and calibrates with its first
  --jobs     sweeps side by side; each takes a seed and one of --parts shares of the recipes
  --gpus     how many GPUs the sweeps take turns on
  --options  fields for the method of every recipe, such as '{"order": "linear"}'

Perplexity is measured on text that no recipe calibrates with. Needs Python 3 and nothing else.
"""
import concurrent.futures, itertools, json, os, statistics

import runner

HERE = os.path.dirname(os.path.abspath(__file__))
WWW = os.path.join(HERE, "..", "www")
SECONDS = ["calibrate", "score", "reconstruct", "export"]


def models(args):
    """(name, folder, calibration text, text that is measured)"""
    if args.smollm2:
        # The slowest first, so that nobody waits for it at the end.
        yield ("SmolLM2-135M", args.smollm2, *runner.halves(args.text, args.out))
    for name in args.models:
        folder = os.path.join(WWW, "models", name)
        yield name, folder, os.path.join(folder, "calibration.txt"), os.path.join(folder, "valid.txt")


def sweep(args, model, seed, part, recipes):
    """Runs a share of the recipes at all ratios: the rows of its table."""
    name, folder, calibration, measured = model
    out = os.path.join(args.out, f"{name}-{seed}-{part}")
    base = {
        "version": 1, "output": {"kind": "masked"}, "method": {"kind": "sparse", **json.loads(args.options)},
        "calibration": {"source": os.path.abspath(calibration), "sequences": args.sequences, "length": args.window, "seed": seed},
        "evaluation": {"source": os.path.abspath(measured), "limit": args.tokens, "window": args.window},
    }
    free = [{"base": base, "vary": {"recipe": recipes, "method.ratio": args.ratios}}]
    # N:M has its own ratio, and no allocation.
    plain = [recipe for recipe in recipes if "allocation" not in recipe["method"] and recipe["method"].get("update") != "dsnot"]
    base = {**base, "method": {**base["method"], "pattern": "2:4", "ratio": 0.5}}
    free += [{"base": base, "vary": {"recipe": plain}}] if plain and not args.no_patterns else []
    rows, names = [], {recipe["name"] for recipe in recipes}
    for kind, document in zip(("unstructured", "2-4"), free):
        found = runner.sweep(args, folder, document, f"{out}-{kind}")
        rows += [{**row, "of": name} for row in found if row["name"] in names and row["seed"] == str(seed)]
    return rows


def cell(rows, column, digits):
    values = [float(row[column]) for row in rows if row[column]]
    if not values:
        return "–"
    spread = f" ± {statistics.stdev(values) / len(values) ** 0.5:.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{spread}"


def show(args, name, rows, recipes):
    columns = [("unstructured", ratio) for ratio in args.ratios] + ([] if args.no_patterns else [("2:4", 0.5)])
    titles = [f"{ratio:.0%}" if pattern == "unstructured" else pattern for pattern, ratio in columns]
    at = lambda recipe, pattern, ratio: [
        row for row in rows if (row["name"], row["pattern"], float(row["ratio"])) == (recipe["name"], pattern, ratio) and not row["error"]]
    table = lambda of: [[recipe["name"], *(of(at(recipe, *column)) for column in columns)] for recipe in recipes]
    seconds = lambda found: f"{statistics.mean(sum(float(row[f'seconds_{phase}'] or 0) for phase in SECONDS) for row in found):.1f}" if found else "–"
    runner.print_table(f"{name}: perplexity", ["recipe", *titles], table(lambda found: cell(found, "perplexity_after", 2)))
    runner.print_table(f"{name}: KL to the dense model", ["recipe", *titles], table(lambda found: cell(found, "kl", 3)))
    runner.print_table(f"{name}: seconds of a run, without comparing", ["recipe", *titles], table(seconds))
    runner.print_table(f"{name}: share of zeros", ["recipe", *titles], table(lambda found: cell(found, "realised_weights", 4)))
    for row in rows:
        if row["error"]:
            print(f"\n{row['name']} at {row['ratio']}: {row['error']}")


def main():
    parser = runner.parser(__doc__, sequences=128, model=False)
    parser.set_defaults(seeds=1)
    parser.add_argument("out")
    parser.add_argument("--models", nargs="*", default=["gpt2-stories", "llama-stories"])
    parser.add_argument("--smollm2")
    parser.add_argument("--text")
    parser.add_argument("--ratios", type=float, nargs="+", default=[0.5, 0.6, 0.7, 0.8])
    parser.add_argument("--recipes", default=os.path.join(HERE, "sparse_recipes.json"))
    parser.add_argument("--only", nargs="+", help="names of recipes")
    parser.add_argument("--options", default="{}")
    parser.add_argument("--gpus", type=int, default=1)
    parser.add_argument("--parts", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=40000, help="of a text that is measured")
    parser.add_argument("--window", type=int, default=256, help="tokens in a window, of calibration too")
    parser.add_argument("--no-patterns", action="store_true", help="without 2:4")
    args = parser.parse_args()
    if bool(args.smollm2) != bool(args.text):
        parser.error("--smollm2 and --text go together")
    os.makedirs(args.out, exist_ok=True)
    with open(args.recipes, encoding="utf-8") as file:
        recipes = [recipe for recipe in json.load(file)["vary"]["recipe"] if not args.only or recipe["name"] in args.only]
    shares = [recipes[part::args.parts] for part in range(min(args.parts, len(recipes)))]
    all_models = list(models(args))
    todo = list(itertools.product(all_models, range(args.seeds), range(len(shares))))
    with concurrent.futures.ThreadPoolExecutor(max(1, args.jobs)) as pool:
        rows = list(itertools.chain(*pool.map(lambda what: sweep(args, *what, shares[what[2]]), todo)))
    done = next((row for row in rows if row["device"]), None)
    if done:
        print(f"{args.seeds} seeds; {args.sequences} calibration sequences of {args.window} tokens. Device: {done['device']} ({done['backend']}), {args.jobs} sweeps side by side.")
    for name, *_ in all_models:
        mine = [row for row in rows if row["of"] == name]
        dense = next((row for row in mine if row["perplexity_before"]), None)
        if dense:
            print(f"\n{name}: dense perplexity {float(dense['perplexity_before']):.3f} on {dense['evaluated_tokens']} tokens.")
        show(args, name, mine, recipes)


main()
