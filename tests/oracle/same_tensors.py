#!/usr/bin/env python3
"""Compares two model folders tensor by tensor: same names, dtypes, shapes and bytes.

    python same_tensors.py DENSE_DIR EXPORT_DIR
"""

import sys

import reference
import torch


def main():
    dense, export = (reference.load_tensors(folder) for folder in sys.argv[1:])
    faults = [f"{name} is in one of the two only" for name in sorted(dense.keys() ^ export.keys())]
    for name in sorted(dense.keys() & export.keys()):
        a, b = dense[name], export[name]
        # Bytes, not numbers: a NaN must stay the same NaN, and a zero keep its sign.
        if a.dtype != b.dtype or a.shape != b.shape or not torch.equal(a.contiguous().view(torch.uint8), b.contiguous().view(torch.uint8)):
            faults.append(f"{name} differs")
    return reference.verdict("same_tensors", faults, {"tensors": len(dense)})


if __name__ == "__main__":
    sys.exit(main())
