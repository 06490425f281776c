#!/usr/bin/env python3
"""The stories models, dense and pruned by the command: judged by stock Transformers and by the independent formulas.

    python decoders.py COPPICE OUT_DIR gpt2|llama [--device cpu|gpu] [--windows N]

The dense model, then every recipe below: the folder loads strictly and generates the same with and without a cache; perplexity and
token accuracy and logits are those of stock Transformers, as check_decoder.py has them; the pruned tensors are those of the formulas,
as liar.py has them. The calibration text is so short that every window of it is a sequence, whatever the seed.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys

import check_decoder
import check_export  # before transformers: it sets the modules' cache
import liar
import reference
import transformers

LENGTH = 128  # tokens in a window
LOGIT_WINDOWS = 2
CHARACTERS = 12_000  # of the calibration text: about 25 windows
BOTH = ["heads", "neurons"]
BIAS, LIAR = {"reconstruction": "bias"}, {"reconstruction": "liar"}
AWARE = {"error_aware": True}
# What a stock config can have fewer of differs; sliced outputs can have fewer of both.
STOCK = {"gpt2": ["neurons"], "llama": BOTH}
RECIPES = {
    "stock-bias": (None, BIAS, 0.2, "stock"),
    "stock-liar": (None, LIAR, 0.3, "stock"),
    "sliced-bias": (BOTH, BIAS, 0.3, "sliced"),
    "sliced-liar-error-aware": (BOTH, {**LIAR, **AWARE}, 0.5, "sliced"),
}


class Judge:
    def __init__(self, arguments):
        self.command, self.device, self.family = arguments.command, arguments.device, arguments.family
        self.root = pathlib.Path(arguments.out).resolve()
        self.model = reference.ROOT / f"www/models/{self.family}-stories"
        self.tokens = arguments.windows * LENGTH
        self.faults = []

    def note(self, name, faults, figures):
        self.faults += [f"{name}: {fault}" for fault in faults]
        reference.verdict(f"decoders: {self.family}: {name}", faults, figures)

    def run(self, *arguments):
        command = [self.command, *map(str, arguments), "--device", self.device]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def answers(self, name, folder):
        """Loads strictly, and answers as stock Transformers does; logits on a few windows of the text, as they are many."""
        data, path = self.model / "valid.txt", self.root / "logits.json"
        for tokens, logits in ((LOGIT_WINDOWS * LENGTH, path), (self.tokens, None)):
            scope = ["--task", "perplexity", "--data", data, "--window", LENGTH, "--limit", tokens, "--json"]
            said = json.loads(self.run("eval", folder, *scope, *(["--logits", logits] if logits else [])))
            self.note(name, *check_decoder.check(folder, said, data, logits, limit=tokens))

    def prune(self, name, units, repair, ratio, kind):
        recipe = {
            "version": 1,
            "calibration": {"source": "calibration.txt", "sequences": 10_000, "length": LENGTH},
            "method": {"kind": "structured", "units": units or STOCK[self.family], "criterion": "flap", "ratio": ratio, **repair},
            "output": {"kind": kind},
        }
        path, folder = self.root / f"{name}.json", self.root / name
        path.write_text(json.dumps(recipe))
        self.run("prune", self.model, "--recipe", path, "--out", folder)
        return folder

    def formulas(self, name, folder, dense, sequences):
        """Every tensor is what the formulas give."""
        none = argparse.Namespace(repair=None, error_aware=None, ridge=None, criterion="flap", tolerance=liar.TOLERANCE)
        found = liar.check_export(
            dense,
            dense.family.one_form(reference.load_tensors(folder)),
            reference.read_plan(folder),
            sequences,
            liar.options_of(none, reference.read_json(folder / "recipe.json")),
            reference.read_json(folder / "report.json"),
        )
        self.note(f"{name}: formulas", *found)

    def all(self):
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True)
        text = (self.model / "calibration.txt").read_text(encoding="utf-8")[:CHARACTERS]
        (self.root / "calibration.txt").write_text(text, encoding="utf-8")
        bos = reference.read_json(self.model / "config.json").get("bos_token_id")
        stream = check_decoder.read_stream(reference.load_tokenizer(self.model), self.root / "calibration.txt")
        sequences = check_decoder.cut(stream, LENGTH, bos)
        self.answers("dense", self.model)
        dense = liar.Dense(self.model)
        for name, recipe in RECIPES.items():
            folder = self.prune(name, *recipe)
            self.answers(name, folder)
            self.formulas(name, folder, dense, sequences)
        print(f"decoders: {self.family}: {len(RECIPES)} recipes on {len(sequences)} windows, {len(self.faults)} faults")
        return 1 if self.faults else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command")
    parser.add_argument("out")
    parser.add_argument("family", choices=STOCK)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--windows", type=int, default=8, help="windows of the text that perplexity is compared on")
    transformers.utils.logging.set_verbosity_error()
    return Judge(parser.parse_args()).all()


if __name__ == "__main__":
    sys.exit(main())
