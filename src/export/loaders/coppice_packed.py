"""Reads weights that Coppice has packed: of each matrix with many zeros, a bit an element and the elements that are not zero.

    python coppice_packed.py FOLDER OUT      writes OUT, a folder that stock Transformers loads
    coppice_packed.load(FOLDER)              {name: torch tensor}, for model.load_state_dict

model.packed.safetensors is a safetensors file. Its metadata has under `coppice_packed` a JSON object of shapes, {"X": [rows, cols]};
the tensor X is stored as `X.mask` (U8: bit i % 8, counted from the lowest, of byte i // 8 belongs to element i of the row-major
matrix) and `X.values` (the elements whose bit is set, in order, in the dtype of X). All other tensors are stored as they are.
Needs NumPy; `load` needs PyTorch.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np

FILE = "model.packed.safetensors"
KEY = "coppice_packed"
# Bytes of an element.
WIDTHS = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2}


def read(folder):
    """The metadata, and an iterator of (name, dtype as safetensors names it, shape, bytes) with every tensor unpacked."""
    path = Path(folder) / FILE
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    metadata = header.pop("__metadata__", {})
    shapes = json.loads(metadata.pop(KEY, "{}"))
    data = np.memmap(path, dtype=np.uint8, mode="r", offset=8 + length) if header else np.zeros(0, np.uint8)

    def stored(name):
        start, end = header[name]["data_offsets"]
        return np.asarray(data[start:end])

    def tensors():
        packed = {f"{name}.{part}" for name in shapes for part in ("mask", "values")}
        for name, shape in shapes.items():
            dtype = header[f"{name}.values"]["dtype"]
            yield name, dtype, shape, unpack(stored(f"{name}.mask"), stored(f"{name}.values"), shape, WIDTHS[dtype])
        for name, tensor in header.items():
            if name not in packed:
                yield name, tensor["dtype"], tensor["shape"], stored(name).tobytes()

    return metadata, tensors()


def unpack(mask, values, shape, width):
    """Bytes of a matrix, of elements of `width` bytes, from the bytes of its mask and of its values."""
    elements = int(np.prod(shape))
    there = np.unpackbits(mask, count=elements, bitorder="little").astype(bool)
    if int(there.sum()) * width != len(values):
        raise ValueError("mask and values do not belong together; download the model again")
    matrix = np.zeros((elements, width), np.uint8)
    matrix[there] = values.reshape(-1, width)
    return matrix.tobytes()


def load(folder):
    """Every tensor, by name."""
    import torch

    dtypes = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64, "U8": torch.uint8, "BOOL": torch.bool}
    _, tensors = read(folder)
    return {name: torch.frombuffer(bytearray(data), dtype=dtypes[dtype]).reshape(shape) for name, dtype, shape, data in tensors}


def write(folder, out):
    """A folder with an ordinary model.safetensors, and everything else as it is."""
    folder, out = Path(folder), Path(out)
    out.mkdir(parents=True)
    for file in folder.iterdir():
        if file.is_file() and file.name not in (FILE, Path(__file__).name):
            shutil.copy(file, out / file.name)
    metadata, tensors = read(folder)
    header, start, parts = {"__metadata__": metadata}, 0, []
    # Wide elements first: then every tensor lies at a multiple of its element.
    for name, dtype, shape, data in sorted(tensors, key=lambda tensor: -WIDTHS.get(tensor[1], 1)):
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, start + len(data)]}
        start += len(data)
        parts.append(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(out / "model.safetensors", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for data in parts:
            file.write(data)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python coppice_packed.py FOLDER OUT")
    write(sys.argv[1], sys.argv[2])
