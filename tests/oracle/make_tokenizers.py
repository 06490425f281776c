#!/usr/bin/env python3
"""Small tokenizers of every format, and their golden tokens: makes tests/fixtures/tokenizers/.

    pip install transformers sentencepiece protobuf
    python tests/oracle/make_tokenizers.py            trains them anew, and writes the goldens
    python tests/oracle/make_tokenizers.py --check    compares the committed goldens with the libraries

Byte-level tokenizers are judged by Transformers. SentencePiece's are judged by the sentencepiece library, and where the text
has special tokens in it, by Transformers. --check leaves SentencePiece's out, and says so, where that library is missing.
A golden file has what stands around a sequence, and for each text of texts.json the ids and the text that they decode to (null
where that is the text itself, false where the library shows special tokens in a way of its own). Ids are null where the `tokenizers` library is known to differ from SentencePiece.
"""

import json
import pathlib
import random
import re
import sys
import tempfile

from make_tokenizer_fixture import TEXTS
from transformers import AutoTokenizer

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests/fixtures/tokenizers"

MORE = [
    "I'm you're WE'LL he'D they've don'T 's", "a\u00a0b", " leading", "  two leading", "trailing ", "trailing   \n",
    "\n\nOnce upon a time,\r\n\tthere   was    a girl\n   \n", "\u2581 lower \u2581one", "x\ufffd\ufffdy", "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "def f(x):\n        return  x ** 2  # 0x1F", "مرحبا بالعالم ١٢٣ שלום עולם", "สวัสดีชาวโลก ภาษาไทย", "\u1100\u1161\u11a8 \u1112\u1161\u11ab\uae00 (NFD)", "Ａｂｃ１２ ①② ㎏ ﬃ",
    "<0x41> <0xE4><0xBD>", "------------ ======= aaaaaaaaaaa lllll", "I'll'd've 2024-01-31 1234567", "¿\u0301 \u0301\u0301a\u0327\u0301",
]
SPECIAL = [
    "<s> spelled </s> out <unk> <pad> <mask>", "</s>", "a</s>b", "a </s> b</s>", "<|endoftext|>Once<|endoftext|> upon", "<|im_start|>user\nHi<|im_end|>\n",
    "the<mask>. the <mask> .", "<tool> a <tool>b",
]
ALL = TEXTS + MORE + SPECIAL
END = "<|endoftext|>"


def added(content, special=True, **flags):
    return {"content": content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": special, **flags}


# Folder: files beside the vocabulary; `first` and `last` are special tokens within the vocabulary.
BYTE_LEVEL = {
    "gpt2": {"last": [END], "files": {"config.json": {"model_type": "gpt2"}}},
    "opt": {
        "first": ["<s>", "<pad>", "</s>", "<unk>"],
        "files": {
            "config.json": {"model_type": "opt"},
            "tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": True, "add_prefix_space": False},
            "special_tokens_map.json": {
                "bos_token": {"content": "</s>", "lstrip": False, "normalized": True, "rstrip": False, "single_word": False},
                "eos_token": "</s>", "unk_token": "</s>", "pad_token": "<pad>",
            },
        },
    },
    "roberta": {
        "first": ["<s>", "<pad>", "</s>", "<unk>"], "last": ["<mask>"],
        "files": {
            "config.json": {"model_type": "roberta"},
            "tokenizer_config.json": {"tokenizer_class": "RobertaTokenizerFast", "add_prefix_space": True, "mask_token": added("<mask>", lstrip=True, __type="AddedToken")},
        },
    },
    "qwen2": {
        "files": {
            "config.json": {"model_type": "qwen2"},
            "tokenizer_config.json": {
                "tokenizer_class": "Qwen2Tokenizer", "add_bos_token": False, "eos_token": "<|im_end|>", "pad_token": END, "bos_token": None,
                "additional_special_tokens": ["<|im_start|>", "<|im_end|>"],
            },
            "added_tokens.json": {END: 500, "<|im_start|>": 501, "<|im_end|>": 502, "<tool>": 503},
        },
    },
}
LLAMA = {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
SENTENCEPIECE = {
    "llama": {
        "train": {"model_type": "bpe", "vocab_size": 620, "byte_fallback": True, "normalization_rule_name": "identity",
                  "remove_extra_whitespaces": False, "user_defined_symbols": ["<tool>"], "allow_whitespace_only_pieces": True, "split_digits": True},
        "files": {"tokenizer_config.json": {**LLAMA, "legacy": False}, "added_tokens.json": {"<pad>": 620}},
    },
    "llama-legacy": {"like": "llama", "files": {"tokenizer_config.json": {**LLAMA, "legacy": True, "add_eos_token": True}}},
    "bpe-unknown": {"train": {"model_type": "bpe", "vocab_size": 250}, "files": {}},
    "unigram": {"train": {"model_type": "unigram", "vocab_size": 280}, "files": {}},
    "unigram-bytes": {
        "train": {"model_type": "unigram", "vocab_size": 480, "byte_fallback": True, "add_dummy_prefix": False},
        "files": {"config.json": {"model_type": "llama"}},
    },
}
# Starts of texts that are not compared. The `tokenizers` library normalises whole graphemes, SentencePiece the longest rule that
# fits; its unigram model takes the spelling of a byte piece for the byte; and text behind a user-defined symbol is text of its own
# to it. Transformers has these differences too.
DIFFERENT = {
    "llama-legacy": ("<tool>",),
    "bpe-unknown": ("a\u0300\u0301", "\u1100\u1161"),
    "unigram": ("a\u0300\u0301", "\u1100\u1161"),
    "unigram-bytes": ("a\u0300\u0301", "\u1100\u1161", "<0x41>"),
}
# In place of SentencePiece's own table, which has 240 kB.
RULES = {"\t": " ", "\n": " ", "\r": " ", "\u00a0": " ", "\u2003": " ", "\u3000": " ", "\ufeff": " ", "\x07": "", "\u200b": " ", "ﬁ": "fi", "ﬃ": "ffi",
         "Ａ": "A", "ｂ": "b", "ｃ": "c", "①": "1", "㎏": "kg", "ⅷ": "viii", "²": "2", "½": "1\u20442", "e\u0301": "é", "e\u0300": "è", "a\u0300": "à", "\u1100\u1161\u11a8": "\uac01", "…": "..."}


def training_text():
    stories = (ROOT / "www/models/gpt2-stories/valid.txt").read_text(encoding="utf-8")[:200_000].split("\n")
    draw = random.Random(0)
    spaces = [" " * draw.randint(1, 16) + line[:30] for line in stories if line][:1000]
    runs = [draw.choice("-=al") * draw.randint(1, 16) for _ in range(600)]
    return [line for line in stories if line.strip()] + spaces + runs + [TEXTS[i] for i in (2, 4, 5, 6)] * 30


def write(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (folder / name).write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def train_byte_level():
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=500, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False)
    tokenizer.train_from_iterator(training_text(), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    pieces = sorted(model["vocab"], key=model["vocab"].get)
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    for name, made in BYTE_LEVEL.items():
        write(OUT / name, made["files"])
        tokens = made.get("first", []) + pieces + made.get("last", [])
        (OUT / name / "vocab.json").write_text(json.dumps({token: at for at, token in enumerate(tokens)}, ensure_ascii=False) + "\n", encoding="utf-8")
        (OUT / name / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")


def train_sentencepiece():
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2

    with tempfile.TemporaryDirectory() as temporary:
        rules = pathlib.Path(temporary) / "rules.tsv"
        code = lambda text: " ".join(f"{ord(char):X}" for char in text)
        rules.write_text("".join(f"{code(old)}\t{code(new)}\n" for old, new in sorted(RULES.items())), encoding="utf-8")
        for name, made in SENTENCEPIECE.items():
            write(OUT / name, made["files"])
            if "train" in made:
                options = {**({} if "normalization_rule_name" in made["train"] else {"normalization_rule_tsv": str(rules)}), **made["train"]}
                prefix = str(pathlib.Path(temporary) / name)
                sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(training_text()), model_prefix=prefix, minloglevel=2, character_coverage=0.9995,
                                                         num_threads=1, **options)
                model = sentencepiece_model_pb2.ModelProto()
                model.ParseFromString(pathlib.Path(prefix + ".model").read_bytes())
                # Paths of this machine, which no tokenizer reads.
                model.trainer_spec.ClearField("model_prefix")
                model.normalizer_spec.ClearField("normalization_rule_tsv")
                (OUT / name / "tokenizer.model").write_bytes(model.SerializeToString())


def golden(before, after, ids, decoded):
    cases = [[one, None if text == original else text] for one, text, original in zip(ids, decoded, ALL)]
    return {"before": before, "after": after, "cases": cases}


def golden_byte_level(name):
    tokenizer = AutoTokenizer.from_pretrained(OUT / name)
    plain = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in ALL]
    special = [tokenizer(text)["input_ids"] for text in ALL]
    before, after = around(special[ALL.index("")], name)
    for one, other in zip(plain, special):
        assert before + one + after == other, name
    return golden(before, after, plain, [tokenizer.decode(one, skip_special_tokens=False) for one in plain])


def around(empty, name):
    # What stands around an empty text: RoBERTa's two, or one before.
    return (empty[:1], empty[1:]) if len(empty) < 3 else sys.exit(f"{name} surrounds text with {empty}")


def golden_sentencepiece(name):
    import sentencepiece

    made = SENTENCEPIECE[name]
    folder = OUT / made.get("like", name)
    piece = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    control = {token: piece.piece_to_id(token) for token in ("<s>", "</s>", "<unk>")}
    control |= made["files"].get("added_tokens.json", {})
    if "user_defined_symbols" in made.get("train", {}):
        control["<tool>"] = piece.piece_to_id("<tool>")
    parts = re.compile("(" + "|".join(map(re.escape, control)) + ")")
    config = made["files"].get("tokenizer_config.json", {})
    transformers = None
    if config.get("legacy") is False:
        transformers = AutoTokenizer.from_pretrained(folder)
    ids = []
    for text in ALL:
        if text.startswith(DIFFERENT.get(name, ())):
            ids.append(None)
            continue
        found = parts.split(text)
        if transformers and len(found) > 1:
            ids.append(transformers(text, add_special_tokens=False)["input_ids"])
        else:
            # Text between special tokens is encoded by itself.
            ids.append([one for part in found if part for one in ([control[part]] if part in control else piece.encode(part))])
            if transformers and not text.startswith((" ", "\u2581")):
                assert transformers(text, add_special_tokens=False)["input_ids"] == ids[-1], text
    if transformers:
        decoded = [transformers.decode(one, skip_special_tokens=False) for one in ids]
    else:
        # The library shows no control tokens, and the unknown one as a sign.
        decoded = [False if one is None or set(one) & set(control.values()) else piece.decode(one) for one in ids]
    return golden([1] if made["files"] else [], [2] if config.get("add_eos_token") else [], ids, decoded)


def main():
    check = "--check" in sys.argv[1:]
    if not check:
        train_byte_level()
        train_sentencepiece()
        write(OUT, {"texts.json": ALL})
    makers = {name: golden_byte_level for name in BYTE_LEVEL} | {name: golden_sentencepiece for name in SENTENCEPIECE}
    wrong, out = [], []
    for name, make in makers.items():
        try:
            made = make(name)
        except ModuleNotFoundError as error:
            if not check:
                raise
            out.append(f"{name} ({error.name} is not installed)")
            continue
        path = OUT / name / "golden.json"
        if not check:
            path.write_text(json.dumps(made, ensure_ascii=True, separators=(",", ":")) + "\n")
        elif json.loads(path.read_text()) != made or json.loads((OUT / "texts.json").read_text(encoding="utf-8")) != ALL:
            wrong.append(name)
    for name in out:
        print(f"left out: {name}")
    if wrong:
        sys.exit(f"the golden tokens of {', '.join(wrong)} are not those of the libraries")
    print(f"{len(makers) - len(out)} tokenizers, {len(ALL)} texts each: {sum(f.stat().st_size for f in OUT.rglob('*') if f.is_file())} bytes")


if __name__ == "__main__":
    main()
