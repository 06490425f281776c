#!/usr/bin/env python3
"""Golden tokens of the demo BERT, from stock Transformers: makes tests/fixtures/tokenizer_bert_sst2.json.

    pip install transformers
    python tests/oracle/make_tokenizer_fixture.py

Each case holds the token ids without and with special tokens, cut at CUT tokens, and the decoded text. `vocab_txt` holds the
same for a tokenizer that Transformers builds from a plain vocab.txt and other options.
"""

import json
import pathlib
import tempfile

from transformers import AutoTokenizer, BertTokenizer

ROOT = pathlib.Path(__file__).resolve().parents[2]
CUT = 8

TEXTS = [
    "a stirring , funny and finally transporting re imagining of beauty and the beast",
    "It's GREAT!!! (Really...) -- isn't it? $3.50/each @home #1 50%",
    "Crème brûlée, naïve façade, ÅNGSTRÖM, Ǆ, ﬁne, İstanbul, ẞtraße, ΣΊΣΥΦΟΣ",
    "e\u0301le\u0300ve de\u0301ja\u0300 vu \u0301alone",
    "good 😀 film 👩‍👩‍👧‍👦 🇩🇪 👍🏽 bad",
    "这部电影很好 good映画です 영화가 좋다 電影",
    "הסרט טוב מאוד والفيلم جيد جدًا \u202eright to left\u202c",
    "long" + " " * 40 + "spaces\t\ttabs\n\nlines\r\nand\u00a0no-break\u2003em\u3000wide",
    "nul\x00bell\x07escape\x1bdelete\x7fnext\x85soft\u00adhyphen zero\u200bwidth\u200djoiner\ufeffbom \ufffd replaced",
    "x" * 99 + " " + "x" * 100 + " " + "x" * 101 + " film",
    "[CLS] spelled [SEP] out [MASK] [PAD] [UNK] [cls]",
    "antidisestablishmentarianism qwertyuiopasdf zzzzzz",
    "1234567890 3.14159 1,000,000 १२३ ٣٤٥ ⅷ ² ½",
    "“quotes” ‘single’ «guillemets» … — – ‑ ¿qué? ¡sí! €5 £6 ¥7 ©®™",
    "हिन्दी ไทย ქართული አማርኛ ᏣᎳᎩ 𝒻𝓊𝓃𝓃𝓎 𐍈 𠀀",
    "math: ∀x∈ℝ: x² ≥ 0 ⇒ √x ∝ λ·μ",
    "",
    "   \t\n ",
    "\x00\x01\u200b",
    "a\u0300\u0301\u0302\u0303 zalgo h\u0335\u0321e\u0336\u0322y",
    "CamelCase snake_case kebab-case path/to/file.txt user@example.com https://example.org/?q=1&r=2",
    "the " * 30,
]


def cases(tokenizer):
    for text in TEXTS:
        plain = tokenizer(text, add_special_tokens=False)["input_ids"]
        yield {
            "text": text,
            "plain": plain,
            "special": tokenizer(text)["input_ids"],
            "cut": tokenizer(text, truncation=True, max_length=CUT)["input_ids"],
            "decoded": tokenizer.decode(plain, skip_special_tokens=True),
        }


def main():
    model = ROOT / "www/models/bert-sst2"
    tokenizer = AutoTokenizer.from_pretrained(model)
    pieces = [piece for piece, _ in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])]
    # A small cased vocabulary: the special tokens, single characters, some accented and Chinese ones, and whole words.
    small = pieces[:5] + sorted({piece for piece in pieces if len(piece.removeprefix("##")) == 1} | {"É", "è", "İ", "中", "電", "影", "film", "good"})
    options = [
        {},
        {"do_lower_case": False},
        {"do_lower_case": True, "strip_accents": False},
        {"tokenize_chinese_chars": False, "cls_token": "[MASK]"},
    ]
    vocab_txt = []
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        (path / "vocab.txt").write_text("\n".join(small) + "\n", encoding="utf-8")
        for config in options:
            (path / "tokenizer_config.json").write_text(json.dumps(config))
            vocab_txt.append({"config": config, "cases": list(cases(BertTokenizer.from_pretrained(path)))})
    fixture = {"cut": CUT, "cases": list(cases(tokenizer)), "vocab_txt": {"pieces": small, "configs": vocab_txt}}
    out = ROOT / "tests/fixtures/tokenizer_bert_sst2.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(fixture, ensure_ascii=True, separators=(",", ":")) + "\n")
    print(f"{out.relative_to(ROOT)}: {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
