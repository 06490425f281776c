#!/usr/bin/env python3
"""Measures the named recipes of recipes.json on several models through `coppice sweep`, and prints the tables of docs/RESULTS.md.

usage: recipes_table.py COPPICE OUT [--models NAME...] [--smollm2 DIR --text FILE] [--cuts CUT...] [--ratios R...] [--seeds N] [--jobs N]
                        [--parts N] [--recipes FILE] [--only NAME...] [--device auto|gpu|cpu] [--details]
  COPPICE    the command, as `make native` builds it
  OUT        folder for the tables of all sweeps (CSV, and whole reports as JSON); a second call goes on there
  --models   of bert-sst2, gpt2-stories, llama-stories (all)
  --smollm2  a folder that tools/smollm2.py made; --text is measured on its second half and calibrates with its first
  --cuts     `sliced` (heads and neurons; any widths) and `stock` (what the family's config can say); both
  --jobs     sweeps side by side; each takes a seed, a cut, and one of --parts shares of the recipes

A recipe that the command does not know is left out with a note, and one that cannot reach a ratio has its sentence below the table. Needs
Python 3 and nothing else.
"""
import concurrent.futures, itertools, json, math, os, statistics, subprocess, sys, tempfile, time

import runner

HERE = os.path.dirname(os.path.abspath(__file__))
WWW = os.path.join(HERE, "..", "www")
BOTH = ["heads", "neurons"]
STOCK_UNITS = {"bert": ["neurons"], "gpt2": ["neurons"], "llama": BOTH}
CUTS = ["sliced", "stock"]
PHASES = ["calibrate", "score", "reconstruct", "export"]


class Model:
    """A model with the texts that it is measured on."""

    def __init__(self, name, folder, ratios, calibration, evaluation):
        self.name, self.folder, self.ratios, self.calibration, self.evaluation = name, folder, ratios, calibration, evaluation
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            self.family = json.load(file)["model_type"]

    def units(self, cut):
        return BOTH if cut == "sliced" else STOCK_UNITS[self.family]


def models(args):
    data = lambda name: os.path.join(WWW, "data", name)
    decoder = lambda source, count: {"source": source, "sequences": args.sequences or count, "length": args.window}
    measured = lambda source: {"source": source, "limit": args.tokens, "window": args.window}
    if args.smollm2:
        # The slowest first, so that nobody waits for it at the end.
        first, second = runner.halves(args.text, args.out)
        yield Model("SmolLM2-135M", args.smollm2, args.smollm2_ratios, decoder(first, 512), measured(second))
    for name in args.models:
        folder = os.path.join(WWW, "models", name)
        if name == "bert-sst2":
            calibration = {"source": data("sst2-train.tsv"), "sequences": args.sequences or 2048, "length": 128}
            yield Model(name, folder, args.ratios, calibration, {"source": data("sst2-dev.tsv"), "limit": args.examples})
        else:
            text = lambda part: os.path.join(folder, f"{part}.txt")
            yield Model(name, folder, args.ratios, decoder(text("calibration"), 512), measured(text("valid")))


def absolute(options):
    return {**options, "source": os.path.abspath(options["source"])}


def known(args, recipe):
    """Whether the command knows a recipe: nothing is removed at ratio 0, so only its names are checked."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "recipe.json")
        with open(path, "w") as file:
            json.dump({"version": 1, "method": {"kind": "structured", **recipe["method"], "ratio": 0}}, file)
        bert = os.path.join(WWW, "models", "bert-sst2")
        done = subprocess.run([args.coppice, "estimate", bert, "--recipe", path, "--device", "cpu"], capture_output=True, text=True)
    if done.returncode != 0:
        print(f"Left out: {recipe['name']}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
    return done.returncode == 0


def sweep(args, model, cut, seed, part, recipes):
    """Runs a share of the recipes at all ratios: the rows of its table."""
    out = os.path.join(args.out, f"{model.name}-{cut}-{seed}-{part}")
    document = {
        "base": {
            "version": 1, "calibration": {**absolute(model.calibration), "seed": seed}, "output": {"kind": cut},
            "method": {"kind": "structured", "units": model.units(cut), "ridge": args.ridge}, "evaluation": absolute(model.evaluation),
        },
        "vary": {"recipe": recipes, "method.ratio": model.ratios},
    }
    # What an earlier call with other settings left in the table is not of this one.
    now = {
        "seed": str(seed), "output": cut, "sequences": str(model.calibration["sequences"]), "length": str(model.calibration["length"]),
        "ridge": str(args.ridge),
    }
    rows = [row for row in runner.sweep(args, model.folder, document, out) if all(row[field] == value for field, value in now.items())]
    names = {recipe["name"] for recipe in recipes}
    return [{**row, "of": model.name, "cut": cut} for row in rows if row["name"] in names and float(row["ratio"]) in model.ratios]


def spread(rows, column, digits):
    """Mean over seeds, and its standard error where there are several."""
    values = [float(row[column]) for row in rows if row[column]]
    if not values:
        return "–"
    error = f" ± {statistics.stdev(values) / math.sqrt(len(values)):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{error}"


def mean(rows, column, form):
    values = [float(row[column]) for row in rows if row[column]]
    return form.format(statistics.mean(values)) if values else "–"


def quality(rows):
    """What a model of these rows is judged by: the column's title, its name, digits."""
    return ("accuracy", "accuracy_after", 4) if any(row["accuracy_after"] for row in rows) else ("perplexity", "perplexity_after", 3)


def overview(title, rows, recipes, ratios, column, digits):
    """One line a recipe, one column a ratio."""
    cell = lambda name, ratio: spread([row for row in rows if row["name"] == name and float(row["ratio"]) == ratio], column, digits)
    runner.print_table(title, ["recipe", *(f"{ratio:.0%}" for ratio in ratios)],
                       [[recipe["name"], *(cell(recipe["name"], ratio) for ratio in ratios)] for recipe in recipes])


def details(title, rows, recipes, ratios):
    """Every figure of every recipe and ratio."""
    word, column, digits = quality(rows)
    columns = ["ratio", "recipe", "realised", word, "KL", "parameters", "bytes", "MFLOPs a token", "output", *(f"s: {phase}" for phase in PHASES), "fallbacks"]
    lines = []
    for ratio, recipe in itertools.product(ratios, recipes):
        same = [row for row in rows if row["name"] == recipe["name"] and float(row["ratio"]) == ratio and not row["error"]]
        if same:
            flops = statistics.mean(float(row["flops_per_token_after"]) for row in same) / 1e6
            lines.append([ratio, recipe["name"], mean(same, "realised_linear", "{:.3f}"), spread(same, column, digits), spread(same, "kl", 4),
                          mean(same, "parameters_after", "{:,.0f}"), mean(same, "bytes_after", "{:,.0f}"), f"{flops:.2f}", same[0]["output"],
                          *(mean(same, f"seconds_{phase}", "{:.2f}") for phase in PHASES), mean(same, "fallbacks", "{:.1f}")])
    runner.print_table(title, columns, lines)


def show(args, model, cut, rows, recipes):
    title = f"{model.name}: {' and '.join(model.units(cut))}, {cut}"
    good = [row for row in rows if not row["error"]]
    if not good:
        print(f"\n### {title}\n\nNo recipe could be carried out.")
        return
    word, column, digits = quality(good)
    overview(f"{title}: {word}", good, recipes, model.ratios, column, digits)
    overview(f"{title}: KL to the dense model", good, recipes, model.ratios, "kl", 4)
    if args.details:
        details(f"{title}: all figures", good, recipes, model.ratios)
    for (name, error), ratios in sorted(grouped(rows).items()):
        print(f"\n{name} at {', '.join(f'{ratio:.0%}' for ratio in ratios)}: {error}")


def grouped(rows):
    """Ratios by recipe and sentence, for those that could not be carried out."""
    found = {}
    for row in rows:
        if row["error"]:
            # The sentence names the ratio, which would tell them apart.
            error = row["error"].replace(f"ratio of {row['ratio']} ", "ratio ")
            found.setdefault((row["name"], error), set()).add(float(row["ratio"]))
    return {key: sorted(ratios) for key, ratios in found.items()}


def main():
    parser = runner.parser(__doc__, sequences=None, model=False)
    parser.add_argument("out")
    parser.add_argument("--models", nargs="*", default=["bert-sst2", "gpt2-stories", "llama-stories"])
    parser.add_argument("--smollm2")
    parser.add_argument("--text")
    parser.add_argument("--cuts", nargs="+", choices=CUTS, default=CUTS)
    parser.add_argument("--ratios", type=float, nargs="+", default=[0.2, 0.3, 0.4, 0.5, 0.6])
    parser.add_argument("--smollm2-ratios", type=float, nargs="+", default=[0.1, 0.2, 0.3])
    parser.add_argument("--recipes", default=os.path.join(HERE, "recipes.json"))
    parser.add_argument("--only", nargs="+", help="names of recipes")
    parser.add_argument("--parts", type=int, default=2)
    parser.add_argument("--examples", type=int, default=872, help="labelled sentences that are measured")
    parser.add_argument("--tokens", type=int, default=40000, help="of a text that is measured")
    parser.add_argument("--window", type=int, default=256, help="tokens in a window, of calibration too")
    parser.add_argument("--details", action="store_true", help="also a line for every recipe and ratio, with sizes and seconds")
    args = parser.parse_args()
    if bool(args.smollm2) != bool(args.text):
        parser.error("--smollm2 and --text go together")
    os.makedirs(args.out, exist_ok=True)
    with open(args.recipes, encoding="utf-8") as file:
        recipes = [recipe for recipe in json.load(file)["vary"]["recipe"] if not args.only or recipe["name"] in args.only]
    with concurrent.futures.ThreadPoolExecutor(max(1, args.jobs)) as pool:
        recipes = [recipe for recipe, yes in zip(recipes, pool.map(lambda recipe: known(args, recipe), recipes)) if yes]
        if not recipes:
            sys.exit("The command knows none of the recipes.")
        shares = [recipes[part::args.parts] for part in range(min(args.parts, len(recipes)))]
        all_models = list(models(args))
        todo = list(itertools.product(all_models, args.cuts, range(args.seeds), range(len(shares))))
        began = time.monotonic()
        rows = list(itertools.chain(*pool.map(lambda what: sweep(args, *what, shares[what[3]]), todo)))
    print(f"{len(rows)} rows in {time.monotonic() - began:.0f} s.", file=sys.stderr)
    done = next((row for row in rows if row["device"]), None)
    if done:
        print(f"{args.seeds} seeds, mean ± standard error; ridge {args.ridge}. Device: {done['device']} ({done['backend']}), {args.jobs} sweeps side by side. "
              "Seconds of calibration are of one pass that collects what all recipes of a sweep need.")
    for model in all_models:
        mine = [row for row in rows if row["of"] == model.name]
        dense = next((row for row in mine if not row["error"]), None)
        if dense:
            kind = "accuracy" if dense["accuracy_before"] else "perplexity"
            count = f"{dense['examples']} sentences" if dense["examples"] else f"{dense['evaluated_tokens']} tokens"
            print(f"\n{model.name}: dense {kind} {float(dense[kind + '_before']):.4f} on {count}; {int(dense['parameters_before']):,} parameters, "
                  f"{int(dense['bytes_before']):,} bytes, {float(dense['flops_per_token_before']) / 1e6:.2f} MFLOPs a token. "
                  f"{dense['sequences']} calibration sequences of at most {dense['length']} tokens.")
        for cut in args.cuts:
            show(args, model, cut, [row for row in mine if row["cut"] == cut], recipes)


main()
