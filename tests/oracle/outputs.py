#!/usr/bin/env python3
"""Checks the outputs that stock Transformers does not read as they are: packed weights and factored layers.

    python outputs.py COPPICE OUT_DIR [--device cpu]

Packed: bert-sst2 with half of its weights zero, once masked and once packed. The reader that comes along unpacks it to the tensors of
the masked output, smaller by what a bit a weight and the weights that stay come to, and Coppice answers from both alike.

Factored: demo models whose layers NumPy cuts to half of their parameters by singular values, written under Coppice's names. Stock
Transformers with Coppice's loader, stock Transformers on the products, and Coppice on the factors give the same logits.

Joint and sparse: the demo models lowered by Coppice itself, layers with one input sharing a factor and single weights beside the products,
once multiplied out and once factored. NumPy multiplies the factors out again by what config.json says of them; the loader and Coppice
answer from both outputs alike; bytes and parameters are those that the report tells.
"""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys

import check_export  # before transformers: it sets the modules' cache
import numpy
import reference
import torch
import transformers
from reference import DEMO, DEV
from safetensors.numpy import load_file, save_file

ROOT = pathlib.Path(__file__).parents[2]
LOADER = ROOT / "src/export/loaders/factored.py"
# A demo model, the class that reads it, and which of its linear layers are factored. Of GPT-2's c_attn the keys stay dense.
MODELS = [
    ("bert-sst2", "BertForSequenceClassification", r"layer\.\d+\.(attention\.self\.(query|key)|intermediate\.dense|output\.dense)$"),
    ("gpt2-stories", "GPT2LMHeadModel", r"h\.\d+\.(attn|mlp)\.c_"),
    ("llama-stories", "LlamaForCausalLM", r"layers\.\d+\.(self_attn|mlp)\."),
]
# What Coppice itself lowers.
METHODS = {
    "sparse": {"sparse": 0.1},
    "joint-sparse": {"joint": True, "sparse": 0.2},
}


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stderr}")


def logits(coppice, folder, device, task, data, limit):
    out = folder.with_name(folder.name + ".logits.json")
    window = [] if task == "classify" else ["--window", "64"]
    run(coppice, "eval", folder, "--task", task, "--data", data, "--limit", limit, *window, "--device", device, "--logits", out)
    return out


def read_logits(path):
    answers = json.loads(path.read_text())
    return numpy.array(answers["logits"], numpy.float64).ravel()


def packed(coppice, out, device):
    """What is wrong with the packed output, and its figures."""
    faults = []
    for kind in ("masked", "packed"):
        recipe = out / f"{kind}.json"
        calibration = {"source": str(ROOT / "www/data/sst2-train.tsv"), "sequences": 16, "length": 64}
        method = {"kind": "sparse", "criterion": "magnitude", "ratio": 0.5}
        recipe.write_text(json.dumps({"version": 1, "calibration": calibration, "method": method, "output": {"kind": kind}}))
        run(coppice, "prune", DEMO, "--recipe", recipe, "--out", out / kind, "--device", device)
    run(sys.executable, out / "packed/coppice_packed.py", out / "packed", out / "unpacked")
    masked, unpacked = (reference.load_tensors(out / name) for name in ("masked", "unpacked"))
    if masked.keys() != unpacked.keys():
        faults.append("the unpacked tensors have other names than the masked ones")
    faults += [f"{name} differs" for name in masked.keys() & unpacked.keys() if not torch.equal(masked[name], unpacked[name])]
    sizes = {name: (out / name).stat().st_size for name in ("masked/model.safetensors", "packed/model.packed.safetensors")}
    saved = sum(
        tensor.numel() * tensor.element_size() - -(-tensor.numel() // 8) - int((tensor != 0).sum()) * tensor.element_size()
        for name, tensor in masked.items()
        if tensor.dim() == 2 and (tensor == 0).float().mean() > 1 / 8
    )
    told = json.loads((out / "packed/report.json").read_text())
    real = told["before"]["bytes"] - told["after"]["bytes"]
    # Headers differ by the names of the parts, and no more.
    if abs(sizes["masked/model.safetensors"] - sizes["packed/model.packed.safetensors"] - saved) > 40_000 or abs(real - saved) > 1000:
        faults.append(f"the file should be smaller by {saved} bytes; sizes are {sizes}, and the report says {real}")
    transformers.AutoModelForSequenceClassification.from_pretrained(out / "unpacked")
    answers = [read_logits(logits(coppice, out / kind, device, "classify", DEV, 50)) for kind in ("masked", "packed")]
    if not numpy.array_equal(*answers):
        faults.append("Coppice answers otherwise from packed weights")
    return faults, {"packed_bytes": sizes["packed/model.packed.safetensors"]}


def factor(tensors, ranks, name, weight, bias):
    """Puts both factors of a layer among the tensors; gives their product."""
    outputs, inputs = weight.shape
    rank = inputs * outputs // (2 * (inputs + outputs))
    u, s, v = numpy.linalg.svd(weight.astype(numpy.float64), full_matrices=False)
    u, v = (numpy.ascontiguousarray(part, dtype=numpy.float32) for part in (u[:, :rank] * s[:rank], v[:rank]))
    tensors[f"{name}.v.weight"], tensors[f"{name}.u.weight"] = v, u
    if bias is not None:
        tensors[f"{name}.u.bias"] = bias.copy()
    ranks[name] = rank
    return u @ v


def make(model, stock, layers, out):
    """Two folders: factored, and multiplied out."""
    source = ROOT / "www/models" / model
    for name in ("factored", "product"):
        shutil.copytree(source, out / name, ignore=shutil.ignore_patterns("*.safetensors", "*.txt"))
    dense = {name: tensor.astype(numpy.float32) for name, tensor in load_file(source / "model.safetensors").items()}
    tensors, products, ranks = dict(dense), dict(dense), {}
    for key in dense:
        at = key.removesuffix(".weight")
        if at == key or not re.search(layers, at):
            continue
        # Conv1D is [in, out].
        turned = dense[key].T if stock.startswith("GPT2") else dense[key]
        bias = dense.get(f"{at}.bias")
        if at.endswith("c_attn"):
            width, parts = len(turned) // 3, []
            for place, part in enumerate("qkv"):
                weight, own = (side[place * width : (place + 1) * width] for side in (turned, bias))
                if part == "k":
                    tensors[f"{at}.k.weight"], tensors[f"{at}.k.bias"] = numpy.ascontiguousarray(weight), own.copy()
                    ranks[f"{at}.k"] = None
                    parts.append(weight)
                else:
                    parts.append(factor(tensors, ranks, f"{at}.{part}", weight, own))
            product = numpy.concatenate(parts)
        else:
            product = factor(tensors, ranks, at, turned, bias)
        products[key] = numpy.ascontiguousarray(product.T if stock.startswith("GPT2") else product)
        tensors.pop(key)
        tensors.pop(f"{at}.bias", None)
    save_file(tensors, out / "factored/model.safetensors", {"format": "pt"})
    save_file(products, out / "product/model.safetensors", {"format": "pt"})
    config = json.loads((source / "config.json").read_text())
    config.update({name: "float32" for name in ("dtype", "torch_dtype") if name in config})
    (out / "product/config.json").write_text(json.dumps(config))
    auto = "AutoModelForSequenceClassification" if "Classification" in stock else "AutoModelForCausalLM"
    config.update({"coppice_ranks": ranks, "auto_map": {auto: f"modeling_coppice.Coppice{stock}"}})
    (out / "factored/config.json").write_text(json.dumps(config))
    # As Coppice itself ends the file.
    own = f'\n\nclass Coppice{stock}(Factored, transformers.{stock}):\n    """{stock}, with factored layers."""\n'
    (out / "factored/modeling_coppice.py").write_text(LOADER.read_text() + own)
    return getattr(transformers, auto)


def factored(coppice, out, device, model, stock, layers):
    """What is wrong with a factored model, and how far its logits are off, in standard deviations."""
    auto = make(model, stock, layers, out)
    ids = torch.tensor([[5, 17, 99, 203, 44, 8, 7, 310]])
    with torch.no_grad():
        own = auto.from_pretrained(out / "factored", trust_remote_code=True).eval()(ids).logits
        stock_logits = auto.from_pretrained(out / "product").eval()(ids).logits
    worst = float((own - stock_logits).abs().max() / stock_logits.std())
    faults = [] if worst < 1e-3 else [f"{model}: the loader's logits are off by {worst:.2e}"]
    task, data = ("classify", DEV) if model == "bert-sst2" else ("perplexity", ROOT / "www/models" / model / "valid.txt")
    limit = 50 if task == "classify" else 256
    a, b = (read_logits(logits(coppice, out / name, device, task, data, limit)) for name in ("factored", "product"))
    apart = float(numpy.abs(a - b).max() / b.std()) if a.shape == b.shape else float("inf")
    if not apart < 1e-3:
        faults.append(f"{model}: Coppice's logits of the factors are off those of the product by {apart:.2e}")
    return faults, {model: max(worst, apart)}


def unpacked(tensors, at, shape):
    """The single weights of a layer as a whole matrix; zeros where it has none."""
    if f"{at}.s.weight.values" not in tensors:
        return numpy.zeros(shape)
    there = numpy.unpackbits(tensors[f"{at}.s.weight.mask"], count=shape[0] * shape[1], bitorder="little").astype(bool)
    whole = numpy.zeros(shape[0] * shape[1])
    whole[there] = tensors[f"{at}.s.weight.values"]
    return whole.reshape(shape)


def product_of(tensors, ranks, at):
    """The whole weight of a factored layer, [outputs, inputs], in float64."""
    first = ranks[at] if isinstance(ranks[at], str) else at
    u, v = (tensors[name].astype(numpy.float64) for name in (f"{at}.u.weight", f"{first}.v.weight"))
    return u @ v + unpacked(tensors, at, (len(u), v.shape[1]))


def whole_weight(dense, at, turned):
    """The weight of a layer in the dense output, [outputs, inputs]; of GPT-2's c_attn.q, .k and .v their third."""
    if f"{at}.weight" in dense:
        return dense[f"{at}.weight"].astype(numpy.float64).T if turned else dense[f"{at}.weight"].astype(numpy.float64)
    fused, part = at.rsplit(".", 1)
    return numpy.split(whole_weight(dense, fused, turned), 3)["qkv".index(part)]


def lowered(coppice, out, device, model, stock, method):
    """What is wrong with a model that Coppice lowered, factored and multiplied out; and figures."""
    source, faults, reports = ROOT / "www/models" / model, [], {}
    classifies = model == "bert-sst2"
    task, data = ("classify", DEV) if classifies else ("perplexity", source / "valid.txt")
    text = ROOT / "www/data/sst2-train.tsv" if classifies else source / "calibration.txt"
    for kind in ("factored", "dense"):
        recipe = {"version": 1, "calibration": {"source": str(text), "sequences": 16, "length": 64},
                  "method": {"kind": "low_rank", "ratio": 0.4, **method}, "output": {"kind": kind, "dtype": "f32"}}
        (out / f"{kind}.json").write_text(json.dumps(recipe))
        run(coppice, "prune", source, "--recipe", out / f"{kind}.json", "--out", out / kind, "--device", device)
        reports[kind] = json.loads((out / kind / "report.json").read_text())
    own, faults = check_export.load_strictly(out / "factored")
    tensors, dense = (load_file(out / kind / "model.safetensors") for kind in ("factored", "dense"))
    config = json.loads((out / "factored/config.json").read_text())
    ranks, counts = config["coppice_ranks"], config.get("coppice_sparse", {})
    apart = 0.0
    for at in ranks:
        whole, product = whole_weight(dense, at, stock.startswith("GPT2")), product_of(tensors, ranks, at)
        apart = max(apart, float(numpy.abs(whole - product).max() / numpy.abs(whole).max()))
        if at in counts and len(tensors[f"{at}.s.weight.values"]) != counts[at]:
            faults.append(f"{at} has other single weights than config.json says")
    # Products in f32.
    if not apart < 1e-4:
        faults.append(f"{model}: factors and single weights do not give the dense output: {apart:.2e}")
    if (len(counts) > 0) != (method.get("sparse", 0) > 0):
        faults.append(f"{model}: config.json lists single weights of {len(counts)} layers")
    joint = sum(isinstance(rank, str) for rank in ranks.values()) + sum(at.endswith("c_attn") for at in ranks)
    if (joint > 0) != method.get("joint", False):
        faults.append(f"{model}: {joint} layers share a factor")
    ids = torch.tensor([[5, 17, 99, 203, 44, 8, 7, 310]])
    with torch.no_grad():
        a = own.eval()(ids).logits
        b = check_export.load_strictly(out / "dense")[0].eval()(ids).logits
    loader = float((a - b).abs().max() / b.std())
    a, b = (read_logits(logits(coppice, out / kind, device, task, data, 50 if classifies else 256)) for kind in ("factored", "dense"))
    ours = float(numpy.abs(a - b).max() / b.std())
    for who, far in (("the loader", loader), ("Coppice", ours)):
        if not far < 1e-3:
            faults.append(f"{model}: logits that {who} gives from factors are off those of the dense output by {far:.2e}")
    after, size = reports["factored"]["after"], sum(tensor.nbytes for tensor in tensors.values())
    floats = sum(tensor.size for tensor in tensors.values() if tensor.dtype != numpy.uint8)
    linear = [sum(line["kept"] for line in report["linears"]) for report in reports.values()]
    if (after["bytes"], after["parameters"]) != (size, floats) or linear[0] != linear[1]:
        faults.append(f"{model}: {size} bytes and {floats} parameters, {linear} of linear layers; the report says {after}")
    if after["linear_parameters"] != reports["dense"]["after"]["linear_parameters"]:
        faults.append(f"{model}: {after['linear_parameters']} linear parameters factored, {reports['dense']['after']['linear_parameters']} multiplied out")
    told = json.loads((out / "factored/report.json").read_text())["ratio"]["linear"]
    if abs(told - 0.4) > 5e-3:
        faults.append(f"{model}: {told} of the linear parameters went, not 0.4")
    return faults, {"saved": round(1 - size / sum(tensor.nbytes for tensor in dense.values()), 4), "off": max(loader, ours)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("coppice", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    out = options.out.resolve()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    coppice = options.coppice.resolve()
    faults, figures = packed(coppice, out, options.device)
    for model, stock, layers in MODELS:
        (out / model).mkdir()
        more, more_figures = factored(coppice, out / model, options.device, model, stock, layers)
        faults += more
        figures |= more_figures
        for name, method in METHODS.items():
            folder = out / model / name
            folder.mkdir()
            more, more_figures = lowered(coppice, folder, options.device, model, stock, method)
            faults += more
            figures |= {f"{model}-{name}": more_figures}
    return reference.verdict("outputs", faults, figures)


if __name__ == "__main__":
    sys.exit(main())
