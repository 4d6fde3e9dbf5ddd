"""How many threads this process predicts with: one number, which torch, ONNX Runtime, LightGBM and pyarrow all keep.

A replica that reserved two CPUs of sixteen must not start sixteen threads in each of four libraries: they would wait
for each other, and for the replicas beside it. Which libraries are loaded follows from the model; none is loaded here.
"""

from __future__ import annotations

import os
import sys

_chosen: int | None = None


def set_threads(n: int) -> None:
    """From now on each library computes with at most n threads in this process.

    Before a package is loaded: sessions of ONNX Runtime keep the number that they were made with.
    """
    import pyarrow as pa

    global _chosen
    assert n >= 1, f"{n} threads"
    _chosen = n
    pa.set_cpu_count(n)
    settle_torch()


def num_threads() -> int:
    """The number that was chosen; else OMP_NUM_THREADS, which Ray sets for its workers; else 0, as a library likes."""
    if _chosen is not None:
        return _chosen
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdecimal() else 0


def settle_torch() -> None:
    """Holds torch to the number that was chosen, if it is loaded; who loads it later calls this again."""
    torch = sys.modules.get("torch")
    if torch is not None and _chosen is not None:
        torch.set_num_threads(_chosen)
