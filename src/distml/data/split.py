"""Dealing rows to train, validation and test by the hash of their content.

A `SplitPlan` is a few cuts per stratum, found once over all rows and kept as JSON. A row's split follows from its own
hash and the plan, so it is the same whatever the partitioning, and a later table can be dealt by the same cuts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from distml.config.split import SplitConfig
from distml.hashing import mix

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class SplitPlan:
    """Cuts of the mixed hash per stratum: below the first test, below the second validation, else train.

    `cuts[""]` serves strata that planning never saw.
    """

    seed: int
    cuts: Mapping[str, tuple[int, int]]

    def assign(self, rows: np.ndarray, strata: np.ndarray) -> np.ndarray:
        """The split of each row as an index into `SPLITS`, int8 [n]; rows: uint64 [n], strata: texts [n]."""
        order = _order(rows, self.seed)
        known, codes = np.unique(strata, return_inverse=True)
        cuts = np.array([self.cuts.get(str(name), self.cuts[""]) for name in known], np.uint64).reshape(-1, 2)
        test, validation = cuts[codes, 0], cuts[codes, 1]
        return np.where(order < test, 2, np.where(order < validation, 1, 0)).astype(np.int8)

    def to_dict(self) -> dict[str, Any]:
        return {"seed": self.seed, "cuts": {name: list(cut) for name, cut in self.cuts.items()}}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> SplitPlan:
        return cls(seed=value["seed"], cuts={name: tuple(cut) for name, cut in value["cuts"].items()})


def plan_split(
    rows: np.ndarray, strata: np.ndarray, config: SplitConfig, seed: int, *, has_test_table: bool
) -> SplitPlan:
    """Cuts that give each stratum its exact share of test and validation rows, rounded.

    rows: uint64 [n] distinct hashes; strata: texts [n], all alike for a random split. With a test table of its own
    the source gives no test rows.
    """
    test_share = 0.0 if has_test_table else config.test
    order = _order(rows, seed)
    cuts = {"": _cuts_by_share(test_share, config.validation)}
    for name in np.unique(strata):
        members = np.sort(order[strata == name])
        num_test = round(len(members) * test_share)
        num_validation = round(len(members) * config.validation)
        cuts[str(name)] = (_cut(members, num_test), _cut(members, num_test + num_validation))
    return SplitPlan(seed=seed, cuts=cuts)


def _order(rows: np.ndarray, seed: int) -> np.ndarray:
    return mix(rows ^ mix(np.array([seed], np.uint64))[0])


def _cut(members: np.ndarray, count: int) -> int:
    """The least hash that is not among the first `count`."""
    return int(members[count]) if count < len(members) else 2**64 - 1


def _cuts_by_share(test: float, validation: float) -> tuple[int, int]:
    return int(test * 2.0**64), min(int((test + validation) * 2.0**64), 2**64 - 1)
