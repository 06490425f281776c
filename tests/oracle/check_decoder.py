#!/usr/bin/env python3
"""Loads a decoder strictly in stock Transformers and compares the perplexity that `coppice eval` printed with its own.

    coppice eval MODEL_DIR --task perplexity --data FILE --window N --limit M --json [--logits LOGITS.json] > OUT.json
    python check_decoder.py MODEL_DIR OUT.json --data FILE --limit M [--window N] [--logits LOGITS.json]
    python check_decoder.py EXPORT_DIR                                             (loads, and generates with and without a cache)

Perplexity, in f32 with sums in f64: FILE is tokenised once, as one stream without special tokens, and cut to its first M tokens.
Windows of N tokens follow one another, each with the BOS token first (one of the N) where the config has one; an incomplete last
window is dropped. Every token after the first of its window counts.

Good: no missing, unexpected or mismatched keys (a `sliced` export goes through its own loader with trust_remote_code);
perplexities within 1e-4 of each other, relatively; the same number of tokens, and of tokens whose logit is the largest (of equal
ones that of the lowest id), but for two that rounding may decide; the same greedy text with a KV cache as without. Where logits
are given, those of every token of the windows, within 1e-3 of their standard deviation.
"""

import argparse
import json
import math
import pathlib
import sys

import check_export  # before transformers: it sets the modules' cache
import reference
import torch
import transformers

TOLERANCE = 1e-4  # of perplexities, relatively
CLOSE = 2  # tokens whose two largest logits rounding may swap
STEPS = 24  # tokens that are generated


def read_stream(tokenizer, data, limit=None):
    """Token ids of a text, without special tokens."""
    with open(data, encoding="utf-8", newline="") as file:
        text = file.read()
    return tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"][:limit]


def cut(stream, window, bos):
    """Windows of `window` tokens, each with `bos` first where there is one: a list of lists."""
    first = [] if bos is None else [bos]
    step = window - len(first)
    return [first + stream[at : at + step] for at in range(0, len(stream) - step + 1, step)]


@torch.no_grad()
def perplexity(model, windows):
    """(perplexity, tokens that count, how many of them have the largest logit)"""
    length = len(windows[0])
    batch = max(1, 2**22 // (length * model.config.vocab_size))
    loss, right = 0.0, 0
    for at in range(0, len(windows), batch):
        ids = torch.tensor(windows[at : at + batch])
        logits = model(input_ids=ids, use_cache=False).logits[:, :-1].flatten(0, 1).double()
        loss += float(torch.nn.functional.cross_entropy(logits, ids[:, 1:].flatten(), reduction="sum"))
        # The first of equal maxima, which argmax does not promise.
        largest, ids_of = logits == logits.amax(1, keepdim=True), torch.arange(logits.shape[1])
        first = torch.where(largest, ids_of, logits.shape[1]).amin(1)
        right += int((first == ids[:, 1:].flatten()).sum())
    tokens = len(windows) * (length - 1)
    return math.exp(loss / tokens), tokens, right


def check_perplexity(model, tokenizer, said, data, window=None, limit=None, tolerance=TOLERANCE):
    """Compares what the command said, {"task", "perplexity", "tokens", "window", "token_accuracy"}, with a model: (faults, figures)"""
    if said.get("task") != "perplexity":
        return [f"the task is {said.get('task')}, not perplexity"], {}
    window = window or said["window"]
    windows = cut(read_stream(tokenizer, data, limit), window, model.config.bos_token_id)
    if not windows:
        return [f"the text gives no window of {window} tokens"], {}
    stock, tokens, right = perplexity(model, windows)
    ours = said["perplexity"]
    distance = abs(ours / stock - 1) if isinstance(ours, (int, float)) else math.nan
    faults = [f"{key} is {said[key]}, not {right}" for key, right in (("window", window), ("tokens", tokens)) if said[key] != right]
    if not distance <= tolerance:
        faults.append(f"the perplexity is {ours}, that of stock Transformers {stock:.6g}")
    accuracy = said.get("token_accuracy")
    if not (isinstance(accuracy, (int, float)) and abs(accuracy * tokens - right) <= CLOSE + 1e-6):
        faults.append(f"the token accuracy is {accuracy}, that of stock Transformers {right / tokens:.6g}")
    return faults, {"tokens": tokens, "perplexity": f"{stock:.6f}", "distance": distance, "token_accuracy": f"{right / tokens:.6f}"}


@torch.no_grad()
def window_logits(model, tokenizer, data, window, limit):
    """Of every token of the windows: an array [tokens, vocabulary] in f64."""
    windows = cut(read_stream(tokenizer, data, limit), window, model.config.bos_token_id)
    return torch.cat([model(input_ids=torch.tensor([ids]), use_cache=False).logits[0] for ids in windows]).double().numpy()


@torch.no_grad()
def check_cache(model, prompt):
    """Greedy text, that a cache of keys and values must not change."""
    ids, options = torch.tensor([prompt]), {"do_sample": False, "max_new_tokens": STEPS, "eos_token_id": None, "pad_token_id": 0}
    cached, plain = (model.generate(ids, use_cache=cache, **options)[0].tolist() for cache in (True, False))
    if cached == plain and len(cached) == len(prompt) + STEPS:
        return []
    return [f"greedy text differs with a cache: {cached[len(prompt) :]} and {plain[len(prompt) :]}"]


def check(folder, said=None, data=None, logits=None, **options):
    """Everything about one folder: (faults, figures). `logits` is a file that the command wrote."""
    model, faults = check_export.load_strictly(folder)
    if model is None:
        return faults, {}
    if model.get_output_embeddings() is None:
        return faults + [f"{type(model).__name__} has no language-model head"], {}
    config, figures = model.config, {}
    faults += check_cache(model, [t % config.vocab_size for t in (config.bos_token_id or 0, 11, 7, 5)])
    if said is not None:
        more, figures = check_perplexity(model, reference.load_tokenizer(folder), said, data, **options)
        faults += more
    if logits is not None:
        stock = window_logits(model, reference.load_tokenizer(folder), data, options.get("window") or said["window"], options.get("limit"))
        more, far = reference.compare(reference.read_answers(logits), stock, predictions=False)
        faults += more
        figures |= {f"logits_{key}": value for key, value in far.items()}
    return faults, {**figures, "parameters": sum(p.numel() for p in model.parameters())}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?")
    parser.add_argument("said", nargs="?", help="the JSON line that the command printed")
    parser.add_argument("--data", help="the text (default: the folder's valid.txt)")
    parser.add_argument("--window", type=int, help="tokens in a window (default: what the JSON says)")
    parser.add_argument("--limit", type=int, help="tokens of the stream (default: all)")
    parser.add_argument("--logits", help="the logits that the command wrote")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE)
    parser.add_argument("--self-test", action="store_true", help="check that broken models and answers are found")
    arguments = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    if arguments.self_test:
        import decoder_self_test

        return decoder_self_test.run()
    if not arguments.model or (arguments.logits and not arguments.said):
        parser.error("MODEL_DIR is needed, and OUT.json with --logits")
    said = json.loads(pathlib.Path(arguments.said).read_text(encoding="utf-8")) if arguments.said else None
    data = arguments.data or pathlib.Path(arguments.model) / "valid.txt"
    options = {"window": arguments.window, "limit": arguments.limit, "tolerance": arguments.tolerance}
    return reference.verdict("check_decoder", *check(arguments.model, said, data, arguments.logits, **options))


if __name__ == "__main__":
    # The self-test imports this file by its name and must find the same module.
    sys.modules["check_decoder"] = sys.modules["__main__"]
    sys.exit(main())
