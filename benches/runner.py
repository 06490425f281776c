"""What the tables of docs/RESULTS.md share: one pruning run after another through the command, and what its reports say.

Needs Python 3 and nothing else.
"""
import argparse, concurrent.futures, csv, itertools, json, os, statistics, subprocess, sys, tempfile, time

# Sweeps take turns on several GPUs.
turns = itertools.count()


def parser(usage, sequences, model=True):
    """Arguments that every table has."""
    made = argparse.ArgumentParser(description=usage, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("coppice")
    if model:
        made.add_argument("model")
    made.add_argument("--device", default="auto")
    made.add_argument("--seeds", type=int, default=3)
    made.add_argument("--sequences", type=int, default=sequences)
    made.add_argument("--ridge", type=float, default=0.01)
    made.add_argument("--jobs", type=int, default=1, help="runs side by side; 1 for honest seconds")
    return made


def halves(text, out):
    """The two halves of a text, cut at the end of a line, as files in `out`."""
    with open(text, encoding="utf-8", newline="") as file:
        whole = file.read()
    middle = whole.index("\n", len(whole) // 2) + 1
    paths = [os.path.join(out, name) for name in ("first-half.txt", "second-half.txt")]
    for path, part in zip(paths, (whole[:middle], whole[middle:])):
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(part)
    return paths


def prune(args, calibration, method, kind, evaluation):
    """Runs one recipe: its report. The output is thrown away."""
    recipe = {
        "version": 1,
        "calibration": calibration,
        "method": {"kind": "structured", "allocation": "uniform", "ridge": args.ridge, **method},
        "output": {"kind": kind},
        "evaluation": evaluation,
    }
    with tempfile.TemporaryDirectory(dir=args.out) as folder:
        path, out, report = (os.path.join(folder, name) for name in ("recipe.json", "out", "report.json"))
        with open(path, "w") as file:
            json.dump(recipe, file)
        command = [args.coppice, "prune", args.model, "--recipe", path, "--out", out, "--report", report, "--device", args.device]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}\n{json.dumps(recipe)}\n{done.stderr}")
        with open(report) as file:
            return json.load(file)


def sweep(args, folder, document, out):
    """Runs a document of recipes on a model folder: the rows of the table `out`.csv, those of earlier calls too. What fails is told, not raised."""
    with open(f"{out}.recipes.json", "w") as file:
        json.dump(document, file, indent=1)
    command = [args.coppice, "sweep", folder, "--recipes", f"{out}.recipes.json", "--out", f"{out}.csv", "--device", args.device]
    began = time.monotonic()
    gpus = getattr(args, "gpus", 1)
    several = {"COPPICE_GPU": str(next(turns) % gpus)} if gpus > 1 else {}
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **several})
    if done.returncode != 0:
        # A command that was killed has said nothing.
        print(f"{' '.join(command)}\n{(done.stderr.strip().splitlines() or [f'status {done.returncode}'])[-1]}", file=sys.stderr)
    else:
        print(f"{os.path.basename(out)}: {done.stdout.strip()} {time.monotonic() - began:.1f} s", file=sys.stderr)
    if not os.path.exists(f"{out}.csv"):
        return []
    with open(f"{out}.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def facts(report):
    """What every row keeps of a report."""
    seconds = report["seconds"]
    return {
        "realised": report["ratio"]["linear"],
        "parameters": report["after"]["parameters"], "bytes": report["after"]["bytes"],
        "seconds": seconds["calibrate"] + seconds["score"] + seconds["reconstruct"] + seconds["export"], "phases": seconds,
        "device": report["device"]["name"], "backend": report["device"]["backend"],
        "fallbacks": sum(1 for layer in report["layers"] for unit in layer.values() if unit.get("fell_back_from")),
        "close_calls": len(report["close_calls"]), "memory": report["memory"],
    }


def run_all(args, todo, run):
    """`run(args, *what)` for each of `todo`, in its order. OUT/rows.jsonl grows as they come, and a second call goes on there."""
    os.makedirs(args.out, exist_ok=True)
    path, known = os.path.join(args.out, "rows.jsonl"), {}
    # What decides about a row, besides the row's own settings.
    options = {name: value for name, value in vars(args).items() if name not in ("out", "jobs", "seeds", "ratios", "quick")}
    if os.path.exists(path):
        with open(path) as file:
            known = {line["what"]: line["row"] for line in map(json.loads, file)}

    def one(what):
        key = json.dumps([what, options])
        if key not in known:
            row = run(args, *what)
            with open(path, "a") as file:
                file.write(json.dumps({"what": key, "row": row}) + "\n")
            known[key] = row
            print(f"{len(known)} of {len(todo)}: {json.dumps(what)}", file=sys.stderr)
        return known[key]

    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        return list(pool.map(one, todo))


def repair_name(repair, aware):
    return "LIAR, error-aware" if aware else {"liar": "LIAR"}.get(repair, repair)


def mean(rows, value):
    return statistics.mean(value(row) for row in rows)


def print_table(title, columns, rows):
    print(f"\n### {title}\n")
    for cells in (columns, ["---"] * len(columns), *rows):
        print(f"| {' | '.join(map(str, cells))} |")
