#!/usr/bin/env python3
"""Loads an exported folder strictly in stock Transformers and, where answers are given, compares them with ours.

    python check_export.py EXPORT_DIR [LOGITS_JSON] [--data FILE]

Good: no missing, unexpected or mismatched keys; every parameter finite and of the size that the file has; logits as in
check_logits.py. A `sliced` export (its config has an `auto_map`) goes through its own loader with trust_remote_code.
"""

import argparse
import json
import os
import pathlib
import sys
import tempfile

# Loader files are copied to this cache under the folder's name: a fresh one each time, so that no older loader is run.
MODULES = tempfile.TemporaryDirectory()
os.environ["HF_MODULES_CACHE"] = MODULES.name

import reference  # before torch: it sets the threads
import torch
import transformers
from reference import DEMO, DEV
from safetensors.torch import save_file


def load_strictly(folder):
    """(model, faults)"""
    folder = pathlib.Path(folder)
    config = reference.read_json(folder / "config.json")
    own_loader = "auto_map" in config
    if own_loader and not any(folder.glob("*.py")):
        return None, ["the config names a loader, but the folder has none"]
    try:
        model, info = reference.load_model(folder, output_loading_info=True, trust_remote_code=own_loader)
    except Exception as error:  # any failure to load is the finding
        return None, [f"does not load: {type(error).__name__}: {str(error).splitlines()[0]}"]
    faults = [f"{kind}: {sorted(map(str, info[kind]))[:4]}" for kind in ("missing_keys", "unexpected_keys", "mismatched_keys") if info[kind]]
    faults += [f"error: {message}" for message in info.get("error_msgs") or []]
    # Some names are ignored silently by stock Transformers; what was loaded must still be what the file says.
    prefix = f"{model.base_model_prefix}."
    state = model.state_dict()
    for name, tensor in reference.load_tensors(folder).items():
        loaded = next((state[n] for n in (name, prefix + name, name.removeprefix(prefix)) if n in state), None)
        if not torch.isfinite(tensor.float()).all():
            faults.append(f"{name} is not finite")
        if loaded is not None and (loaded.shape != tensor.shape or not torch.equal(loaded.float(), tensor.float())):
            faults.append(f"{name} was not loaded as it is in the file")
    return model, faults


def check(folder, answers=None, sentences=(), expected_rows=None, tolerance=reference.TOLERANCE):
    model, faults = load_strictly(folder)
    figures = {}
    if model is not None and answers is not None:
        more, figures = reference.check_answers(model, reference.load_tokenizer(folder), answers, sentences, expected_rows, tolerance)
        faults += more
    if model is not None:
        figures["parameters"] = sum(p.numel() for p in model.parameters())
    return faults, figures


LOADER = '''
from torch import nn
from transformers import BertForSequenceClassification


class Narrow(BertForSequenceClassification):
    """A BERT of which layer 0 has `config.first_neurons` FFN neurons."""

    def __init__(self, config):
        super().__init__(config)
        layer = self.bert.encoder.layer[0]
        layer.intermediate.dense = nn.Linear(config.hidden_size, config.first_neurons)
        layer.output.dense = nn.Linear(config.first_neurons, config.hidden_size)
'''


def self_test():
    test = reference.SelfTest("check_export")
    sentences = reference.read_sentences(DEV)[:8]
    tensors = reference.load_tensors(DEMO)
    config = reference.read_json(DEMO / "config.json")
    layers = range(config["num_hidden_layers"])

    def narrowed(layers, width):
        """The demo model with the first `width` neurons of some layers."""
        cut = dict(tensors)
        for i in layers:
            name = f"bert.encoder.layer.{i}."
            for key in ("intermediate.dense.weight", "intermediate.dense.bias"):
                cut[name + key] = tensors[name + key][:width].clone()
            cut[name + "output.dense.weight"] = tensors[name + "output.dense.weight"][:, :width].clone()
        return cut

    with tempfile.TemporaryDirectory() as root:
        count = 0

        def folder(tensors, config, loader=None):
            nonlocal count
            count += 1
            path = pathlib.Path(root) / f"export{count}"
            path.mkdir()
            save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
            (path / "config.json").write_text(json.dumps(config))
            for name in ("tokenizer.json", "tokenizer_config.json"):
                (path / name).write_bytes((DEMO / name).read_bytes())
            if loader:
                (path / "modeling_narrow.py").write_text(loader)
            return path

        stock, narrow = narrowed(layers, 100), {**config, "intermediate_size": 100}
        good = folder(stock, narrow)
        model, tokenizer = reference.load_model(good), reference.load_tokenizer(good)
        answers = pathlib.Path(root) / "answers.json"
        reference.write_answers(answers, reference.answers(model, tokenizer, sentences, features=False))

        def faults(tensors, config=narrow, loader=None, answers=answers):
            return check(folder(tensors, config, loader), answers, sentences)[0]

        test.expect("a narrower stock model", faults(stock), good=True)
        some = "bert.encoder.layer.1.output.dense.weight"
        test.expect("a tensor missing", faults({n: t for n, t in stock.items() if n != some}), good=False, naming="missing_keys")
        test.expect("a tensor too many", faults({**stock, "bert.extra": torch.zeros(2)}), good=False, naming="unexpected_keys")
        test.expect("widths the config does not say", faults(stock, config), good=False)
        test.expect("one layer of another width", faults({**stock, some: stock[some][:, :96].clone()}), good=False)
        test.expect("infinite weight", faults({**stock, some: stock[some].index_fill(1, torch.tensor([3]), float("inf"))}), good=False, naming="not finite")
        test.expect("a perturbed tensor", faults({**stock, some: stock[some] * 1.05}), good=False, naming="largest difference")

        sliced = {**config, "first_neurons": 64, "auto_map": {"AutoModelForSequenceClassification": "modeling_narrow.Narrow"}}
        own = narrowed([0], 64)
        model = reference.load_model(folder(own, sliced, LOADER), trust_remote_code=True)
        reference.write_answers(answers, reference.answers(model, tokenizer, sentences, features=False))
        test.expect("a sliced model with its loader", faults(own, sliced, LOADER), good=True)
        test.expect("a sliced model without its loader", faults(own, sliced), good=False, naming="names a loader")
        test.expect("a loader of other widths", faults(own, {**sliced, "first_neurons": 65}, LOADER), good=False)
    return test.finish()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", nargs="?")
    parser.add_argument("answers", nargs="?")
    parser.add_argument("--data", default=DEV, help="the sentences (default: the SST-2 dev set)")
    parser.add_argument("--rows", type=int, help="how many rows there must be")
    parser.add_argument("--tolerance", type=float, default=reference.TOLERANCE)
    parser.add_argument("--self-test", action="store_true", help="check that broken exports are found")
    arguments = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    if arguments.self_test:
        return self_test()
    if not arguments.export:
        parser.error("EXPORT_DIR is needed")
    sentences = reference.read_sentences(arguments.data) if arguments.answers else []
    return reference.verdict("check_export", *check(arguments.export, arguments.answers, sentences, arguments.rows, arguments.tolerance))


if __name__ == "__main__":
    sys.exit(main())
