#!/usr/bin/env python3
"""Compares answers that `coppice eval` wrote with stock Transformers in f32 on the same sentences.

    coppice eval MODEL_DIR --task classify --data FILE --logits OUT.json      (a classifier: logits, a row a sentence)
    coppice eval MODEL_DIR --task features --data FILE --logits OUT.json      (no head: last hidden states, a row a token)
    python check_logits.py MODEL_DIR OUT.json --data FILE

Good: the largest difference is at most 1e-3 standard deviations of the stock answers, and all predictions are the same.
The file's rows are those of the first sentences of FILE; `--rows` says how many there must be.
"""

import argparse
import pathlib
import sys
import tempfile

import reference
from reference import DEMO, DEV


def self_test():
    test = reference.SelfTest("check_logits")
    model, tokenizer = reference.load_model(DEMO), reference.load_tokenizer(DEMO)
    sentences = reference.read_sentences(DEV)[:12]
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "answers.json"

        def check(array, **options):
            reference.write_answers(path, array)
            return reference.check_answers(model, tokenizer, path, sentences, **options)[0]

        logits = reference.answers(model, tokenizer, sentences, features=False)
        test.expect("the stock logits", check(logits, expected_rows=12), good=True)
        test.expect("the first logits only", check(logits[:5]), good=True)
        test.expect("too few rows", check(logits[:5], expected_rows=12), good=False, naming="5 rows")
        nudged = logits.copy()
        nudged[7, 1] += 2e-3 * logits.std()
        test.expect("one logit off by 0.002", check(nudged), good=False, naming="largest difference")
        nudged[7, 1] = float("nan")
        test.expect("one logit not a number", check(nudged), good=False, naming="not finite")
        test.expect("swapped classes", check(logits[:, ::-1].copy()), good=False, naming="predictions differ")
        test.expect("swapped rows", check(logits[::-1].copy()), good=False, naming="largest difference")
        features = reference.answers(model, tokenizer, sentences, features=True)
        test.expect("the stock features", check(features), good=True)
        test.expect("features of a broken sentence", check(features[:-1]), good=False, naming="do not end at a sentence")
        features[3, 100] += 2e-3 * features.std()
        test.expect("one feature off by 0.002", check(features), good=False, naming="largest difference")
    return test.finish()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?")
    parser.add_argument("answers", nargs="?")
    parser.add_argument("--data", default=DEV, help="the sentences (default: the SST-2 dev set)")
    parser.add_argument("--rows", type=int, help="how many rows there must be")
    parser.add_argument("--tolerance", type=float, default=reference.TOLERANCE)
    parser.add_argument("--self-test", action="store_true", help="check that broken answers are found")
    arguments = parser.parse_args()
    if arguments.self_test:
        return self_test()
    if not arguments.answers:
        parser.error("MODEL_DIR and LOGITS_JSON are needed")
    model, tokenizer = reference.load_model(arguments.model), reference.load_tokenizer(arguments.model)
    sentences = reference.read_sentences(arguments.data)
    return reference.verdict(
        "check_logits",
        *reference.check_answers(model, tokenizer, arguments.answers, sentences, arguments.rows, arguments.tolerance),
    )


if __name__ == "__main__":
    sys.exit(main())
