"""When a replica's cyclic garbage is collected: beside its requests, and not among what stays.

By itself Python collects when so many objects have come, which requests bring about, and goes over all that a process
holds: with Ray and what predicts that is some hundred thousand objects, and every request under way waits for it.
"""

from __future__ import annotations

import gc

_ROUNDS = 60  # of collecting what is young, for one of everything


class Garbage:
    """From its making on, garbage is collected when `collect` is called, and what was there before stays."""

    def __init__(self) -> None:
        gc.collect()
        gc.freeze()
        gc.disable()
        self._num_collected = 0

    def collect(self) -> None:
        """To be called about once a second: soon after requests' rows were let go, little is young."""
        self._num_collected += 1
        gc.collect(2 if self._num_collected % _ROUNDS == 0 else 1)
