#!/usr/bin/env python3
"""Compares the greedy text of `coppice generate` with that of stock Transformers: stories models, dense and pruned by the command.

    python check_generation.py COPPICE OUT_DIR [--device cpu|gpu] [FOLDER...]

FOLDERs are models to judge besides. Good: a model loads strictly (a `sliced` export through its own loader), and for every prompt
the same token ids, the same text, and the same number of prompt tokens; a text that ends early ends with a stop token in both.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys

import check_export  # before transformers: it sets the modules' cache
import reference
import torch
import transformers

MODELS = reference.ROOT / "www/models"
PROMPTS = ("Once upon a time, there was a little", "Lily and Ben went to the park.\n\nThey saw", "")
STEPS = 60  # tokens that are generated
# Units that a stock config can have fewer of; a sliced output can have fewer of both.
UNITS = {("gpt2", "stock"): ["neurons"], ("llama", "stock"): ["heads", "neurons"], ("gpt2", "sliced"): ["heads", "neurons"], ("llama", "sliced"): ["heads", "neurons"]}


@torch.no_grad()
def stock(model, tokenizer, prompt):
    """What the command should say of a prompt: {"text", "prompt_tokens", "tokens"}"""
    ids = tokenizer(prompt)["input_ids"] or [model.config.bos_token_id]
    out = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)), do_sample=False, max_new_tokens=STEPS, pad_token_id=0)[0].tolist()
    decode = lambda some: tokenizer.decode(some, skip_special_tokens=True, clean_up_tokenization_spaces=False)  # noqa: E731
    return {"text": decode(out)[len(decode(ids)) :], "prompt_tokens": len(ids), "tokens": out[len(ids) :]}


def judge(said, right, eos):
    """Faults of an answer."""
    faults = [f"{key} is {said.get(key)}, not {value}" for key, value in right.items() if said.get(key) != value]
    ending = "stop_token" if right["tokens"][-1] in eos else "max_tokens"
    if said.get("ending") != ending:
        faults.append(f"ending is {said.get('ending')}, not {ending}")
    return faults


def stop_tokens(model):
    eos = model.generation_config.eos_token_id
    return eos if isinstance(eos, list) else [eos]


def check(folder, answer):
    """Everything about one folder; `answer` gives what the command says to a prompt: (faults, figures)"""
    model, faults = check_export.load_strictly(folder)
    if model is None:
        return faults, {}
    tokenizer, count = reference.load_tokenizer(folder), 0
    for prompt in PROMPTS:
        right = stock(model, tokenizer, prompt)
        faults += [f"after {prompt!r}: {fault}" for fault in judge(answer(prompt), right, stop_tokens(model))]
        count += len(right["tokens"])
    return faults, {"prompts": len(PROMPTS), "tokens": count}


class Command:
    def __init__(self, path, device):
        self.path, self.device = path, device

    def run(self, *arguments):
        command = [self.path, *map(str, arguments), "--device", self.device]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def answers(self, folder):
        return lambda prompt: json.loads(self.run("generate", folder, "--prompt", prompt, "--max-tokens", STEPS, "--json"))

    def prune(self, family, kind, root):
        """A pruned stories model: some heads or neurons gone from every layer, biases in the place of what they gave."""
        recipe = {
            "version": 1,
            "calibration": {"source": "calibration.txt", "sequences": 16, "length": 64},
            "method": {"kind": "structured", "units": UNITS[family, kind], "criterion": "flap", "ratio": 0.3, "reconstruction": "bias"},
            "output": {"kind": kind},
        }
        model, name = MODELS / f"{family}-stories", f"{family}-{kind}"
        (root / "calibration.txt").write_bytes((model / "calibration.txt").read_bytes()[:20_000])
        (root / f"{name}.json").write_text(json.dumps(recipe))
        self.run("prune", model, "--recipe", root / f"{name}.json", "--out", root / name)
        return root / name


def self_test():
    test = reference.SelfTest("check_generation")
    folder = MODELS / "gpt2-stories"
    model, tokenizer = reference.load_model(folder), reference.load_tokenizer(folder)
    right = {prompt: {**stock(model, tokenizer, prompt), "ending": "max_tokens"} for prompt in PROMPTS}
    for prompt, answer in right.items():
        if answer["tokens"][-1] in stop_tokens(model):
            answer["ending"] = "stop_token"
    test.expect("stock answers", check(folder, right.get)[0], good=True)
    first = right[PROMPTS[0]]
    for key, wrong in (("tokens", [5, *first["tokens"][1:]]), ("text", " " + first["text"]), ("prompt_tokens", 1), ("ending", "context_full")):
        answers = {**right, PROMPTS[0]: {**first, key: wrong}}
        test.expect(f"wrong {key}", check(folder, answers.get)[0], good=False, naming=f"{key} is")
    return test.finish()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs="?")
    parser.add_argument("out", nargs="?")
    parser.add_argument("folders", nargs="*")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--self-test", action="store_true", help="check that wrong answers are found")
    arguments = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    if arguments.self_test:
        return self_test()
    if not arguments.out:
        parser.error("COPPICE and OUT_DIR are needed")
    command, root = Command(arguments.command, arguments.device), pathlib.Path(arguments.out).resolve()
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    folders = [MODELS / "gpt2-stories", MODELS / "llama-stories", *(command.prune(*which, root) for which in UNITS), *map(pathlib.Path, arguments.folders)]
    bad = 0
    for folder in folders:
        bad += reference.verdict(f"check_generation: {folder.name}", *check(folder, command.answers(folder)))
    print(f"check_generation: {len(folders)} models, {bad} with faults")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
