#!/usr/bin/env python3
"""Independent oracle of scores and repairs: computes from the dense checkpoint, the calibration sequences and plan.json what an
export's tensors must be, and compares.

    python liar.py DENSE_DIR EXPORT_DIR --sequences IDS.json

IDS.json is a list of token id lists (or {"sequences": [...]}): those that the repair was fitted on. EXPORT_DIR holds plan.json,
and recipe.json and report.json where the run wrote them: method options come from the recipe unless given here, and what was
done to a layer from report["layers"][i]["heads" or "neurons"]: its `repair`, and its `damping` (the ridge that was used).

Notation: a consumer (attention output or FFN output matrix) computes y = x W + b with W [inputs, outputs]; K are the kept
inputs, P the pruned ones; t is the dense model, s the model that is pruned so far. Over all N tokens (none is padding), with mu the
mean and C = E[x x^T] - mu mu^T the covariance:

    bias   b' = b + W_P^T mu_P
    mask_tuning   w'_g = (1 + m_g) w_g for the rows of unit g, with (A + lam I) m = r, A = C_KK o W_K W_K^T and r = C_Kd o W_K summed over
           the channels of units, d being what truncation leaves of the target, lam = ridge * mean(diag A); b' as for liar
    liar   Q = (C_KK + lam I)^-1 C_KP,  W' = W_K + Q W_P,  b' = b + W_P^T (mu_P - Q^T mu_K),  lam = ridge * mean(diag C_KK)
    where a consumer can have no bias (Qwen2): uncentred, C = E[x x^T], lam from its diagonal, b' = b, and bias does nothing
    error-aware liar: the same least squares with x_s as input and x_t W + b + (r_t - r_s) as target, r being what the residual
           connection adds to y; damped toward W_K as above; with "target": "output" without r. With "affine": false uncentred, as
           where there can be no bias. With "ridge": "auto" the report says which of the grid was taken. The student's tensors are rounded to the dtype of the file.

All of it in float64: the Gram sums with NumPy, the forward pass with stock Transformers' modules and hooks on the two consumers.
"""

import argparse
import copy
import itertools
import pathlib
import sys

import reference  # before NumPy: it sets the threads

import blocks
import criteria
import numpy as np
import torch

UNITS = ("heads", "neurons")
# What "ridge": "auto" chooses from.
GRID = [1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0]
# Relative error that an f32 implementation may have, in the change that the repair makes to a tensor.
TOLERANCE = 1e-2
# Units whose scores are this near to the cut, relatively, may be decided otherwise.
CLOSE_CALL = 1e-3


class Dense:
    """The dense checkpoint: its tensors as they are in the file (in the one form of blocks.py), and its blocks in float64."""

    def __init__(self, folder):
        tensors = reference.load_tensors(folder)
        family = blocks.FAMILIES[reference.read_json(pathlib.Path(folder) / "config.json")["model_type"]]
        self.family = family(reference.load_model(folder, dtype=torch.float64, attn_implementation=family.attention), tensors)
        self.tensors = self.family.one_form(tensors)
        self.layers = self.family.layers

    def name(self, layer, part):
        return f"{self.family.prefix}{layer}.{part}"

    def producers(self, unit):
        return self.family.producers[unit]

    def consumer(self, unit):
        return self.family.consumer[unit]

    def channels(self, unit, kept, part=None):
        """Consumer inputs of units, or outputs of the producer `part`: a unit is a block of them."""
        width = self.family.size(unit, part)
        return (np.asarray(kept, dtype=int)[:, None] * width + np.arange(width)).ravel()

    def total(self, unit):
        return self.family.units[unit]

    def matrix(self, layer, unit):
        """W [inputs, outputs] and b of a consumer, in f64."""
        name = self.name(layer, self.consumer(unit))
        return self.tensors[name + ".weight"].double().numpy().T, self.tensors[name + ".bias"].double().numpy()

    @torch.no_grad()
    def embed(self, sequences):
        """Embedded sequences, those of one length together: nothing is padded. Each [batch, length, hidden]."""
        batches = []
        for _, group in itertools.groupby(sorted(sequences, key=len), key=len):
            while some := list(itertools.islice(group, 64)):
                batches.append(self.family.embed(torch.tensor(some)))
        return batches


@torch.no_grad()
def run_layer(dense, layer, hidden):
    """Runs a block: (its outputs, {unit: [(x, r), ...]}), x being what enters the unit's consumer, r what the residual adds."""
    caught = {unit: ([], []) for unit in UNITS}
    handles = []
    for unit, into in caught.items():
        residual, place = dense.family.residual[unit]
        for module, place, into in ((dense.consumer(unit), 0, into[0]), (residual, place, into[1])):

            def hook(_, args, kwargs, place=place, into=into):
                into.append([*args, *kwargs.values()][place].flatten(0, -2).numpy())

            handles.append(blocks.submodule(layer, module).register_forward_pre_hook(hook, with_kwargs=True))
    outputs = [dense.family.run(layer, h) for h in hidden]
    for handle in handles:
        handle.remove()
    return outputs, {unit: list(zip(*both)) for unit, both in caught.items()}


def narrow(dense, layer, number, plan, tensors):
    """A copy of a dense block with the kept units and the given tensors (names without the layer's prefix)."""
    layer = copy.deepcopy(layer)
    dense.family.narrow(layer, len(plan[number]["heads"]), tensors)
    return layer


class Moments:
    """Sums over tokens of student input x and of the defect d = target - (x W_K + b)."""

    def __init__(self, affine=True):
        self.affine = affine
        self.tokens, self.x, self.d, self.xx, self.xd = 0, 0.0, 0.0, 0.0, 0.0

    def add(self, x, d):
        self.tokens += len(x)
        self.x, self.d = self.x + x.sum(0), self.d + d.sum(0)
        self.xx, self.xd = self.xx + x.T @ x, self.xd + x.T @ d

    def repair(self, repair, ridge, W, size):
        """(change of W_K, change of b); W is W_K, a unit has `size` of its rows"""
        mean_x, mean_d = self.x / self.tokens, self.d / self.tokens
        if not self.affine:
            mean_x, mean_d = 0.0 * mean_x, 0.0 * mean_d
        if repair == "none":
            return 0.0, 0.0
        if repair == "bias":
            return 0.0, mean_d
        cov = self.xx / self.tokens - np.outer(mean_x, mean_x)
        cross = self.xd / self.tokens - np.outer(mean_x, mean_d)
        if repair == "mask_tuning":
            units = len(W) // size
            by_unit = lambda matrix: matrix.reshape(units, size, -1).sum(1)
            A = by_unit(by_unit(cov * (W @ W.T)).T)
            lam = ridge * np.diag(A).mean()
            factors = np.linalg.solve(A + lam * np.eye(units), by_unit(cross * W).sum(1))
            change = np.repeat(factors, size)[:, None] * W
        else:
            lam = ridge * np.diag(cov).mean()
            change = np.linalg.solve(cov + lam * np.eye(len(cov)), cross)
        return change, mean_d - change.T @ mean_x


def moments(dense, number, unit, kept, teacher, student, options):
    """Over all tokens; `student` is None for statistics of the dense model alone."""
    W, b = dense.matrix(number, unit)
    K = dense.channels(unit, kept)
    sums = Moments(dense.family.affine and options["affine"])
    drift = 0.0 if options["target"] == "output" else 1.0
    for i, (x_t, r_t) in enumerate(teacher):
        x_s, r_s = (x_t[:, K], r_t) if student is None else student[i]
        sums.add(x_s, x_t @ W + drift * (r_t - r_s) - x_s @ W[K])
    return sums


def site(dense, number, unit, teacher):
    """A consumer of the dense model with its inputs, as criteria have it."""
    producers = tuple(dense.tensors[dense.name(number, part) + ".weight"].double().numpy() for part in dense.producers(unit))
    return criteria.Site(
        dense.matrix(number, unit)[0],
        dense.family.size(unit),
        np.concatenate([x for x, _ in teacher]),
        producers,
        affine=dense.family.affine,
        number=2 * number + UNITS.index(unit),
    )


def scores(dense, number, unit, criterion, teacher):
    """One score a unit, from the dense model."""
    if criterion not in criteria.SCORES:
        raise SystemExit(f"no oracle for the criterion {criterion}")
    return criteria.SCORES[criterion](site(dense, number, unit, teacher))


def check_choice(dense, number, unit, kept, criterion, teacher):
    """The plan keeps the units with the highest scores, but for close calls. Ties go to the lower index."""
    total = dense.total(unit)
    if not kept or kept[-1] >= total:
        return [f"layer {number}: {len(kept)} kept {unit}, the highest {kept[-1:]}, of {total}"]
    if criterion is None or len(kept) == total:
        return []
    score = scores(dense, number, unit, criterion, teacher)
    order = np.lexsort((np.arange(total), -score))
    cut = score[order[len(kept) - 1]]
    wrong = set(order[: len(kept)].tolist()) ^ set(kept)
    far = sorted(j for j in wrong if abs(score[j] - cut) > CLOSE_CALL * abs(cut))
    return [f"layer {number}: {unit} {far[:6]} are chosen otherwise than by {criterion}"] if far else []


def rounding(values, dtype):
    """Norm that rounding to a dtype adds, generously: the errors are uniform in half a unit in the last place."""
    values = torch.as_tensor(values)
    digits = {torch.float16: 10, torch.bfloat16: 7, torch.float32: 23}[dtype]
    smallest = {torch.float16: -14, torch.bfloat16: -126, torch.float32: -126}[dtype]
    exponent = torch.frexp(values.abs()).exponent - 1
    ulp = torch.exp2(exponent.clamp(min=smallest).double() - digits)
    return float((ulp**2).sum().sqrt()) * 0.35


def near(name, ours, expected, truncated, tolerance):
    """Compares a repaired tensor; the measure is the change that the repair makes."""
    difference = float(np.linalg.norm(ours.double().numpy() - expected))
    change = float(np.linalg.norm(expected - truncated))
    if difference <= tolerance * change + rounding(expected, ours.dtype):
        return []
    return [f"{name}: off by {difference:.3g} where the repair changes {change:.3g} (relative {difference / max(change, 1e-300):.3g})"]


def unpad(dense, unit, part, tensor, kept):
    """(tensor at the kept units, fault): of a padded export the zeros are checked and taken away."""
    axis = 1 if part == dense.consumer(unit) and tensor.ndim == 2 else 0
    if part == dense.consumer(unit) and tensor.ndim == 1:
        return tensor, None
    K = dense.channels(unit, kept, part)
    full = dense.total(unit) * dense.family.size(unit, part)
    if tensor.shape[axis] == len(K):
        return tensor, None
    if tensor.shape[axis] != full:
        return None, f"has shape {list(tensor.shape)}, where {len(K)} of {full} are kept"
    P = np.setdiff1d(np.arange(full), K)
    if axis == 1 and tensor[:, P].any():
        return None, "is padded, but reads pruned units"
    return tensor.index_select(axis, torch.as_tensor(K)), None


def check_export(dense, export, plan, sequences, options, report=None):
    """(faults, figures). `export` maps names to tensors, in the one form."""
    faults, worst = [], 0.0
    teacher_h = dense.embed(sequences)
    student_h = teacher_h
    repaired, touched = 0, set()
    if len(plan) != len(dense.layers):
        return [f"the plan has {len(plan)} layers, the model {len(dense.layers)}"], {}
    for number, layer in enumerate(dense.layers):
        kept_tensors = {}
        for unit in UNITS:  # exactness first: producers are only sliced
            kept = plan[number][unit]
            for part in (*dense.producers(unit), dense.consumer(unit)):
                for kind in (".weight", ".bias"):
                    name = dense.name(number, part) + kind
                    touched.add(name)
                    if name not in export:
                        return [*faults, f"{name} is missing"], {}
                    tensor, fault = unpad(dense, unit, part, export[name], kept)
                    if fault:
                        return [*faults, f"{name} {fault}"], {}
                    kept_tensors[part + kind] = tensor
                    if part != dense.consumer(unit):
                        source = dense.tensors[name][torch.as_tensor(dense.channels(unit, kept, part))]
                        if tensor.dtype == source.dtype and not torch.equal(tensor, source) or not torch.equal(tensor, source.to(tensor.dtype)):
                            faults.append(f"{name} is not the kept rows of the dense tensor")
        teacher_h, teacher = run_layer(dense, layer, teacher_h)
        student = {}
        if options["error_aware"]:
            # The student's layer as exported. The neurons' inputs come behind its heads' consumer, which is checked before them.
            student_h, student = run_layer(dense, narrow(dense, layer, number, plan, kept_tensors), student_h)
        for unit in UNITS:
            kept = plan[number][unit]
            faults += check_choice(dense, number, unit, kept, options["criterion"], teacher[unit])
            part = dense.consumer(unit)
            W, b = dense.matrix(number, unit)
            K = dense.channels(unit, kept)
            said = ((report or {}).get("layers") or [{}] * len(plan))[number].get(unit) or {}
            repair = "none" if len(kept) == dense.total(unit) else said.get("repair") or options["repair"]
            ridge = options["ridge"]
            if repair in ("liar", "mask_tuning") and said.get("damping"):
                # Where the factorisation fails, the program damps ten times more; nothing else may change the ridge.
                start = GRID[0] if ridge == "auto" else ridge
                if not any(abs(said["damping"] / (start * 10**k) - 1) < 1e-3 for k in range(len(GRID) if ridge == "auto" else 4)):
                    faults.append(f"layer {number}: the damping for {unit} is {said['damping']:.4g}, the ridge is {ridge}")
                ridge = said["damping"]
            sums = moments(dense, number, unit, kept, teacher[unit], student.get(unit), options)
            change, shift = sums.repair(repair, ridge, W[K], len(K) // max(len(kept), 1))
            repaired += repair != "none"
            name = dense.name(number, part)
            weight, bias = kept_tensors[part + ".weight"].T, kept_tensors[part + ".bias"]
            for label, ours, expected, truncated in ((name + ".weight", weight, W[K] + change, W[K]), (name + ".bias", bias, b + shift, b)):
                if repair == "none" or (repair == "bias" and label.endswith("weight")):
                    if not torch.equal(ours, torch.as_tensor(truncated).to(ours.dtype)):
                        faults.append(f"{label} should be a slice of the dense tensor (repair {repair})")
                    continue
                faults += near(label, ours, expected, truncated, options["tolerance"])
                size = np.linalg.norm(expected - truncated)
                worst = max(worst, float(np.linalg.norm(ours.double().numpy() - expected) / max(size, 1e-300)))
    for name, tensor in dense.tensors.items():
        if name not in touched and (name not in export or not torch.equal(export[name].to(tensor.dtype), tensor)):
            faults.append(f"{name} should have passed through untouched")
    faults += [f"{name} is not in the dense model" for name in export if name not in dense.tensors]
    return faults, {"tokens": sum(map(len, sequences)), "repaired": repaired, "worst_relative": worst}


def make_export(dense, plan, sequences, options, repairs=None):
    """The export as this oracle would write it, each tensor in the dense dtype."""
    export = dict(dense.tensors)
    teacher_h = student_h = dense.embed(sequences)
    for number, layer in enumerate(dense.layers):
        current = {}
        for unit in UNITS:
            for part in dense.producers(unit):
                K = torch.as_tensor(dense.channels(unit, plan[number][unit], part))
                for kind in (".weight", ".bias"):
                    current[part + kind] = dense.tensors[dense.name(number, part) + kind][K]
            part = dense.consumer(unit)
            name = dense.name(number, part)
            K = torch.as_tensor(dense.channels(unit, plan[number][unit]))
            current[part + ".weight"] = dense.tensors[name + ".weight"][:, K]
            current[part + ".bias"] = dense.tensors[name + ".bias"]
        teacher_h, teacher = run_layer(dense, layer, teacher_h)
        for unit in UNITS:
            kept, part = plan[number][unit], dense.consumer(unit)
            if len(kept) == dense.total(unit):
                continue
            W, b = dense.matrix(number, unit)
            student = run_layer(dense, narrow(dense, layer, number, plan, current), student_h)[1][unit] if options["error_aware"] else None
            repair = (repairs or {}).get((number, unit), options["repair"])
            sums = moments(dense, number, unit, kept, teacher[unit], student, options)
            channels = dense.channels(unit, kept)
            change, shift = sums.repair(repair, options["ridge"], W[channels], len(channels) // len(kept))
            dtype = dense.tensors[dense.name(number, part) + ".weight"].dtype
            current[part + ".weight"] = torch.as_tensor(W[dense.channels(unit, kept)] + change).T.contiguous().to(dtype)
            current[part + ".bias"] = torch.as_tensor(b + shift).to(dtype)
        export |= {dense.name(number, part): tensor for part, tensor in current.items()}
        student_h, _ = run_layer(dense, narrow(dense, layer, number, plan, current), student_h)
    return export


def options_of(arguments, recipe):
    method = (recipe or {}).get("method", {})
    return {
        "repair": arguments.repair or method.get("reconstruction", "liar"),
        "error_aware": method.get("error_aware", False) if arguments.error_aware is None else arguments.error_aware,
        "ridge": arguments.ridge if arguments.ridge is not None else method.get("ridge", 1e-2),
        "affine": method.get("affine", True),
        "target": method.get("target", "residual"),
        "criterion": {"none": None}.get(arguments.criterion, arguments.criterion) if arguments.criterion else method.get("criterion"),
        "tolerance": arguments.tolerance,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dense", nargs="?")
    parser.add_argument("export", nargs="?")
    parser.add_argument("--sequences", help="JSON with the token ids of the calibration sequences")
    parser.add_argument("--plan", help="plan.json (default: the export's)")
    parser.add_argument("--repair", choices=["none", "bias", "mask_tuning", "liar"])
    parser.add_argument("--error-aware", action=argparse.BooleanOptionalAction)
    parser.add_argument("--ridge", type=float)
    parser.add_argument("--criterion", choices=[*criteria.SCORES, "none"], help="check the plan's choice against it")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE)
    parser.add_argument("--self-test", action="store_true", help="check that broken exports are found")
    arguments = parser.parse_args()
    if arguments.self_test:
        import liar_self_test

        return liar_self_test.run()
    if not arguments.export or not arguments.sequences:
        parser.error("DENSE_DIR, EXPORT_DIR and --sequences are needed")
    export = pathlib.Path(arguments.export)
    given = {name: reference.read_json(export / name) if (export / name).exists() else None for name in ("recipe.json", "report.json")}
    sequences = reference.read_json(arguments.sequences)
    sequences = sequences["sequences"] if isinstance(sequences, dict) else sequences
    dense = Dense(arguments.dense)
    faults, figures = check_export(
        dense,
        dense.family.one_form(reference.load_tensors(export)),
        reference.read_plan(arguments.plan or export),
        sequences,
        options_of(arguments, given["recipe.json"]),
        given["report.json"],
    )
    return reference.verdict("liar", faults, figures)


if __name__ == "__main__":
    sys.exit(main())
