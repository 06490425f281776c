#!/usr/bin/env python3
"""Token ids that stock Transformers gives to each line of a text, special tokens included, cut at LENGTH: for liar.py.

    python token_ids.py MODEL_DIR FILE LENGTH OUT.json
"""

import json
import pathlib
import sys

import reference


def main():
    folder, data, length, out = sys.argv[1:]
    tokenizer = reference.load_tokenizer(folder)
    sentences = reference.read_sentences(data)
    ids = [tokenizer(sentence, truncation=True, max_length=int(length))["input_ids"] for sentence in sentences]
    pathlib.Path(out).write_text(json.dumps(ids), encoding="utf-8")
    print(f"{len(ids)} sequences, {sum(map(len, ids))} tokens")


if __name__ == "__main__":
    main()
