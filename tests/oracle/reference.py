"""What the oracles share: reading model folders, plans and sentences, and stock Transformers' answers.

Needs only `pip install torch transformers numpy safetensors`. Nothing is fetched from a network.
"""

import json
import os
import pathlib

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# One thread each: NumPy's and PyTorch's pools wait for one another so busily on a loaded machine that ten times is lost.
for pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(pool, "1")

import numpy as np
import torch
import transformers
from safetensors import safe_open

transformers.utils.logging.disable_progress_bar()

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEMO = ROOT / "www/models/bert-sst2"
DEV = ROOT / "www/data/sst2-dev.tsv"
TOLERANCE = 1e-3  # of logits, in standard deviations of the reference


def read_json(path):
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))


def load_tensors(folder):
    """Every tensor of a safetensors folder (one file or shards), in its own dtype."""
    folder = pathlib.Path(folder)
    index = folder / "model.safetensors.index.json"
    if index.exists():
        names = sorted(set(read_json(index)["weight_map"].values()))
    else:
        names = ["model.safetensors"]
    tensors = {}
    for name in names:
        with safe_open(folder / name, framework="pt") as file:
            for key in file.keys():
                if key in tensors:
                    raise SystemExit(f"{name}: {key} is in two shards")
                tensors[key] = file.get_tensor(key)
    return tensors


def read_plan(path):
    """The layers of a plan.json (a folder that holds one will do): lists of kept heads and kept neurons."""
    path = pathlib.Path(path)
    plan = read_json(path / "plan.json" if path.is_dir() else path)
    if plan.get("version") != 1:
        raise SystemExit(f"{path}: plan version {plan.get('version')} is not 1")
    for number, layer in enumerate(plan["layers"]):
        for unit in ("heads", "neurons"):
            kept = layer[unit]
            if kept != sorted(set(kept)):
                raise SystemExit(f"{path}: layer {number}: kept {unit} are not sorted and distinct")
    return plan["layers"]


def read_sentences(path):
    """The non-blank lines of a text, without labels where all lines are `sentence<TAB>label`."""
    text = pathlib.Path(path).read_text(encoding="utf-8-sig")
    lines = [line for line in text.split("\n") if line.strip()]
    if all("\t" in line for line in lines):
        lines = [line.rsplit("\t", 1)[0] for line in lines]
    return [line.rstrip("\r") for line in lines]


def model_class(folder):
    """The automatic class that a config's architecture asks for."""
    name = (read_json(pathlib.Path(folder) / "config.json").get("architectures") or ["BertModel"])[0]
    if name.endswith("LMHeadModel"):
        return transformers.AutoModelForCausalLM
    for suffix in ("ForSequenceClassification", "ForMaskedLM", "ForCausalLM"):
        if suffix in name:
            return getattr(transformers, f"AutoModel{suffix}")
    return transformers.AutoModel


def load_model(folder, dtype=torch.float32, **options):
    """The model in stock Transformers, ready to infer."""
    model = model_class(folder).from_pretrained(folder, dtype=dtype, local_files_only=True, **options)
    if isinstance(model, tuple):
        return model[0].eval(), model[1]
    return model.eval()


def load_tokenizer(folder):
    return transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)


@torch.no_grad()
def answers(model, tokenizer, sentences, features):
    """Stock outputs, one sentence at a time so that nothing is padded: an array [rows, cols] in f64.

    Logits: a row a sentence (a row a token for language-model heads). Features: the last hidden state, a row a token.
    """
    rows = []
    longest = model.config.max_position_embeddings
    for sentence in sentences:
        ids = tokenizer(sentence, truncation=True, max_length=longest)["input_ids"]
        out = model(input_ids=torch.tensor([ids]), output_hidden_states=features)
        rows.append(out.hidden_states[-1][0] if features else out.logits.reshape(-1, out.logits.shape[-1]))
    return torch.cat(rows).double().numpy()


def read_answers(path):
    """What the command wrote: {"rows": n, "cols": c, "logits": [...]}, as an array [n, c]."""
    data = read_json(path)
    values = np.asarray([np.nan if v is None else v for v in np.asarray(data["logits"], dtype=object).ravel()], dtype=np.float64)
    if values.size != data["rows"] * data["cols"]:
        raise SystemExit(f"{path}: {values.size} numbers for {data['rows']} rows of {data['cols']}")
    return values.reshape(data["rows"], data["cols"])


def write_answers(path, array):
    data = {"rows": array.shape[0], "cols": array.shape[1], "logits": array.ravel().tolist()}
    pathlib.Path(path).write_text(json.dumps(data), encoding="utf-8")


def compare(ours, stock, predictions, tolerance=TOLERANCE):
    """(faults, figures): largest difference over the standard deviation of the stock answers, and the predictions."""
    if ours.shape != stock.shape:
        return [f"shape {ours.shape} is not {stock.shape}"], {}
    faults = []
    if not np.isfinite(ours).all():
        faults.append(f"{int((~np.isfinite(ours)).sum())} numbers are not finite")
    distance = float(np.abs(ours - stock).max() / stock.std())
    if not distance <= tolerance:
        faults.append(f"the largest difference is {distance:.3g} standard deviations, more than {tolerance:g}")
    figures = {"rows": ours.shape[0], "cols": ours.shape[1], "distance": distance}
    if predictions:
        changed = np.flatnonzero(ours.argmax(1) != stock.argmax(1))
        figures["changed_predictions"] = int(changed.size)
        if changed.size:
            faults.append(f"{changed.size} predictions differ, the first in row {changed[0]}")
    return faults, figures


def check_answers(model, tokenizer, path, sentences, expected_rows=None, tolerance=TOLERANCE):
    """Compares a file of the command with a model. The rows that are there decide how many sentences are compared."""
    ours = read_answers(path)
    if ours.shape[0] == 0:
        return [f"{path} has no rows"], {}
    headless = not hasattr(model, "classifier") and model.get_output_embeddings() is None
    labels = None if headless else getattr(model.config, "num_labels", None)
    features = headless or (ours.shape[1] == model.config.hidden_size and ours.shape[1] != labels)
    by_sentence = not features and hasattr(model, "classifier")
    if by_sentence:
        if ours.shape[0] > len(sentences):
            return [f"{ours.shape[0]} rows for {len(sentences)} sentences"], {}
        stock = answers(model, tokenizer, sentences[: ours.shape[0]], features)
    else:
        lengths = [len(tokenizer(s, truncation=True, max_length=model.config.max_position_embeddings)["input_ids"]) for s in sentences]
        ends = np.cumsum(lengths)
        if ours.shape[0] not in ends:
            return [f"{ours.shape[0]} rows do not end at a sentence of these (the tokens so far would be {ends[:3].tolist()} ...)"], {}
        stock = answers(model, tokenizer, sentences[: int(np.flatnonzero(ends == ours.shape[0])[0]) + 1], features)
    faults, figures = compare(ours, stock, predictions=by_sentence, tolerance=tolerance)
    if expected_rows is not None and ours.shape[0] != expected_rows:
        faults.append(f"{ours.shape[0]} rows, {expected_rows} were expected")
    return faults, figures


def verdict(name, faults, figures=None):
    """Prints one line and gives the exit status."""
    if figures:
        print(f"{name}: " + ", ".join(f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}" for key, value in figures.items()))
    for fault in faults:
        print(f"{name}: FAULT: {fault}")
    if not faults:
        print(f"{name}: good")
    return 1 if faults else 0


class SelfTest:
    """Collects whether checks pass where they must and fail where they must."""

    def __init__(self, name):
        self.name, self.wrong = name, []

    def expect(self, what, faults, good, naming=""):
        """The check `what` must find nothing (`good`), or a fault that says `naming`."""
        right = not faults if good else any(naming in fault for fault in faults)
        print(f"{self.name}: {'ok  ' if right else 'WRONG'} {what}: {faults[0] if faults else 'no fault'}")
        if not right:
            self.wrong.append(what)

    def finish(self):
        print(f"{self.name}: self-test {'failed: ' + ', '.join(self.wrong) if self.wrong else 'passed'}")
        return 1 if self.wrong else 0
