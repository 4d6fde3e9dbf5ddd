"""`hyperband`: Hyperband's brackets (Li et al. 2018), each with the rungs of asynchronous successive halving.

Bracket s of s_max begins with grace * reduction ** (s_max - s) epochs in which no trial is given up, and has
n_s = ceil((s_max + 1) / (s + 1) * reduction ** s) trials of a round: many that are cut early and a few that hardly are,
for curves that cross late. A round of Hyperband is longer than most searches, so trials are not dealt bracket after
bracket but by turns, each bracket in proportion to its n_s.
"""

from __future__ import annotations

import math

from distml.metrics import Metric
from distml.training import EpochResult
from distml.tune.schedulers.halving import Halving, rungs


class Hyperband:
    """Implements `Scheduler`. A trial is compared with those of its own bracket."""

    def __init__(self, metric: Metric, *, max_epochs: int, lag: int, grace: int = 4, reduction: int = 3) -> None:
        highest = len(rungs(max_epochs, grace, reduction))  # s_max: as many rungs as fit
        self._brackets = [
            Halving(metric, max_epochs=max_epochs, lag=lag, grace=grace * reduction**skipped, reduction=reduction)
            for skipped in range(highest + 1)
        ]
        self._shares = [
            math.ceil((highest + 1) / (s + 1) * reduction**s) for s in range(highest, -1, -1)
        ]  # of the brackets in their order
        self._dealt: list[int] = []  # the bracket of each trial, by number from 1

    def bracket(self, number: int) -> int:
        """Which bracket a trial is in, from 0 for the one that cuts earliest."""
        while len(self._dealt) < number:
            owed = [
                share * (len(self._dealt) + 1) / sum(self._shares) - self._dealt.count(bracket)
                for bracket, share in enumerate(self._shares)
            ]
            self._dealt.append(owed.index(max(owed)))
        return self._dealt[number - 1]

    def note(self, number: int, result: EpochResult) -> None:
        self._brackets[self.bracket(number)].note(number, result)

    def bars(self, number: int) -> dict[int, float]:
        return self._brackets[self.bracket(number)].bars(number)
