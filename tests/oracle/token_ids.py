#!/usr/bin/env python3
"""Token ids of the calibration sequences that a text has, for liar.py: for a decoder the windows of LENGTH tokens of the stream;
else each line, special tokens included, cut at LENGTH.

    python token_ids.py MODEL_DIR FILE LENGTH OUT.json
"""

import json
import pathlib
import sys

import check_decoder
import reference
import transformers


def main():
    folder, data, length, out = sys.argv[1:]
    tokenizer = reference.load_tokenizer(folder)
    if reference.model_class(folder) is transformers.AutoModelForCausalLM:
        bos = reference.read_json(pathlib.Path(folder) / "config.json").get("bos_token_id")
        ids = check_decoder.cut(check_decoder.read_stream(tokenizer, data), int(length), bos)
    else:
        ids = [tokenizer(sentence, truncation=True, max_length=int(length))["input_ids"] for sentence in reference.read_sentences(data)]
    pathlib.Path(out).write_text(json.dumps(ids), encoding="utf-8")
    print(f"{len(ids)} sequences, {sum(map(len, ids))} tokens")


if __name__ == "__main__":
    main()
