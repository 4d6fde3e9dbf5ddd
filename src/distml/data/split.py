"""Dealing rows to train, validation and test: cuts of the order that `Dealing` puts them in.

A `SplitPlan` is found once over all rows and kept as JSON. A row's split follows from the row and the plan, so it is
the same whatever the partitioning, and a later table can be dealt by the same cuts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from zlib import crc32

import numpy as np

from distml.config.split import SplitConfig
from distml.data.dealing import LAST, SPLITS, Dealing, Strata
from distml.hashing import mix

UNDECIDED = -1
_SURE = 18.0  # a foreseen cut lies outside its band once in e^18 tables; of many rows a band is six standard errors
_CODES = {split: code for code, split in enumerate(SPLITS)}
_PREDEFINED = {"": (1, 2)}  # cuts of keys 0, 1 and 2


@dataclass(frozen=True, kw_only=True)
class SplitPlan:
    """Cuts of the rows' keys per stratum: below the first test, below the second validation, else train.

    `cuts[""]` serves strata that planning never saw. `folds` are the k - 1 cuts per stratum between k folds of all rows
    that aren't test rows.
    """

    dealing: Dealing
    cuts: Mapping[str, tuple[int, int]]
    folds: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def deal(self, table: Any, rows: np.ndarray) -> np.ndarray:
        """The split of each row as an index into `SPLITS`, int8 [n].

        table: cleaned pyarrow table; rows: uint64 [n], its row hashes.
        """
        return self.assign(self.dealing.keys(table, rows), self.dealing.strata(table))

    def assign(self, keys: np.ndarray, strata: Strata) -> np.ndarray:
        """The split of each row as an index into `SPLITS`, int8 [n], from its key and stratum."""
        cuts = np.array([self.cuts.get(name, self.cuts[""]) for name in strata.labels], np.uint64).reshape(-1, 2)
        test, validation = cuts[strata.codes, 0], cuts[strata.codes, 1]
        return np.where(keys < test, 2, np.where(keys < validation, 1, 0)).astype(np.int8)

    def fold(self, table: Any, rows: np.ndarray) -> np.ndarray:
        """The fold of each row, int8 [n], from 0; by time the earliest rows are fold 0. Test rows are in none: -1."""
        keys, strata = self.dealing.keys(table, rows), self.dealing.strata(table)
        folds = np.full(len(keys), UNDECIDED, np.int8)
        fold_keys = _fold_keys(self.dealing, keys, rows)
        for label, members in strata.members():
            cuts = np.array(self.folds.get(label, self.folds[""]), np.uint64)
            # Turned by the stratum, so that small ones don't all leave the same folds empty.
            found = np.searchsorted(cuts, fold_keys[members], side="right") + crc32(label.encode())
            folds[members] = found % self.num_folds
        folds[self.assign(keys, strata) == _CODES["test"]] = UNDECIDED
        return folds

    @property
    def num_folds(self) -> int:
        """0 where there are none."""
        return len(self.folds[""]) + 1 if self.folds else 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "dealing": self.dealing.to_dict(),
            "cuts": {name: list(cut) for name, cut in self.cuts.items()},
            "folds": {name: list(cuts) for name, cuts in self.folds.items()},
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> SplitPlan:
        return cls(
            dealing=Dealing(**value["dealing"]),
            cuts={name: tuple(cut) for name, cut in value["cuts"].items()},
            folds={name: tuple(cuts) for name, cuts in value["folds"].items()},
        )


def plan_split(
    dealing: Dealing, keys: np.ndarray, strata: Strata, config: SplitConfig, *, has_test_table: bool
) -> SplitPlan:
    """Cuts that give each stratum its share of test and validation rows, exact but for rows of one group or time.

    keys: uint64 [n], of distinct rows. With a test table of its own the source gives no test rows.
    """
    if dealing.kind == "predefined":
        return SplitPlan(dealing=dealing, cuts=_PREDEFINED)
    test_share = 0.0 if has_test_table else config.test
    cuts = {"": _shares(test_share, config.validation)}
    for label, members in strata.members():
        cuts[label] = _cuts(np.sort(keys[members]), test_share, config.validation)
    return SplitPlan(dealing=dealing, cuts=cuts)


def with_folds(plan: SplitPlan, rows: np.ndarray, keys: np.ndarray, strata: Strata, num_folds: int | None) -> SplitPlan:
    """The plan with cuts between so many folds, those that it has if they are as many; None for no folds.

    rows: uint64 [n], distinct row hashes; keys: uint64 [n].
    """
    if plan.num_folds == (num_folds or 0):
        return plan
    return replace(plan, folds={} if num_folds is None else _plan_folds(plan, rows, keys, strata, num_folds))


def foresee(
    dealing: Dealing, keys: np.ndarray, strata: Strata, config: SplitConfig, *, has_test_table: bool
) -> np.ndarray:
    """The splits that rows are sure to get whatever other rows the table has, int8 [n]; `UNDECIDED` for the others.

    Of uniform keys an exact cut lies within some standard errors of its share; so only rows that near to one wait for
    the plan. A plan that deals a row otherwise than foreseen shows in `SplitPlan.assign`.
    """
    if dealing.kind == "predefined":
        return SplitPlan(dealing=dealing, cuts=_PREDEFINED).assign(keys, strata)
    if not dealing.is_uniform or not len(keys):
        return np.full(len(keys), UNDECIDED, np.int8)
    shares = (0.0 if has_test_table else config.test, config.validation)
    bands = np.array([_bands(count, *shares) for count in np.bincount(strata.codes, minlength=len(strata.labels))])
    low, high = bands[:, :, 0].astype(np.uint64), bands[:, :, 1].astype(np.uint64)
    foreseen = np.full(len(keys), UNDECIDED, np.int8)
    codes = strata.codes
    foreseen[keys >= high[codes, 1]] = _CODES["train"]
    foreseen[(keys >= high[codes, 0]) & (keys < low[codes, 1])] = _CODES["validation"]
    foreseen[keys < low[codes, 0]] = _CODES["test"]
    return foreseen


def _bands(count: int, test: float, validation: float) -> list[tuple[float, float]]:
    """The keys between which the test and the validation cut of at least `count` rows lie."""
    bands = []
    count = max(count, 1)
    for share in (test, test + validation):
        # Bernstein's inequality, solved for the deviation, and the rounding of the number of rows.
        tail = _SURE / (3 * count)
        width = tail + np.sqrt(tail**2 + 2 * _SURE * share * (1 - share) / count) + 2 / count if share else 0.0
        bands.append((max(share - width, 0.0) * 2.0**64, min((share + width) * 2.0**64, 2.0**64 * (1 - 2**-53))))
    return bands


def _cuts(members: np.ndarray, test: float, validation: float) -> tuple[int, int]:
    """The test and validation cut of one stratum's sorted keys."""
    test_cut = _cut(members, 0, round(len(members) * test), num_after=2)
    num_test = int(np.searchsorted(members, np.uint64(test_cut)))  # a group or an instant may have brought more
    return test_cut, _cut(members, num_test, round(len(members) * validation), num_after=1)


def _cut(members: np.ndarray, taken: int, wanted: int, *, num_after: int) -> int:
    """The least key that is not among the `wanted` ones after the first `taken`; of equal keys all or none are.

    Whichever is nearer, but some are there where some are wanted, and if it can be, as many different keys follow as
    there are splits, or folds, after this one.
    """
    count = taken + wanted
    if count <= 0:
        return 0
    end = _nearest(members, taken, count) if count < len(members) else len(members)
    last = _start_of_last(members, num_after)
    if end > last > taken:
        end = last
    return int(members[end]) if end < len(members) else int(LAST)


def _nearest(members: np.ndarray, taken: int, count: int) -> int:
    """The place between two keys that is nearest to `count`, and after `taken`."""
    first, after = (int(np.searchsorted(members, members[count], side)) for side in ("left", "right"))
    return first if first == count or (first > taken and count - first <= after - count) else after


def _start_of_last(members: np.ndarray, num_keys: int) -> int:
    """Where the last so many different keys of sorted ones begin."""
    start = len(members)
    for _ in range(num_keys):
        if start:
            start = int(np.searchsorted(members, members[start - 1], "left"))
    return start


def _shares(test: float, validation: float) -> tuple[int, int]:
    return int(test * 2.0**64), min(int((test + validation) * 2.0**64), int(LAST))


def _fold_keys(dealing: Dealing, keys: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The order that folds are cut of: time forwards; else shuffled anew, so that folds don't follow the splits."""
    if dealing.kind == "time":
        return LAST - keys
    return mix(mix(rows if dealing.kind == "predefined" else keys))


def _plan_folds(
    plan: SplitPlan, rows: np.ndarray, keys: np.ndarray, strata: Strata, num_folds: int
) -> dict[str, tuple[int, ...]]:
    fitted = np.flatnonzero(plan.assign(keys, strata) != _CODES["test"])
    fold_keys = _fold_keys(plan.dealing, keys, rows)[fitted]
    cuts = {"": tuple(int(2.0**64 * i / num_folds) for i in range(1, num_folds))}
    for label, members in strata.take(fitted).members():
        cuts[label] = _fold_cuts(np.sort(fold_keys[members]), num_folds)
    return cuts


def _fold_cuts(members: np.ndarray, num_folds: int) -> tuple[int, ...]:
    """Each fold gets its share of what those before it have left: a group that fills two folds empties none."""
    cuts: list[int] = []
    taken = 0
    for folds_left in range(num_folds, 1, -1):
        cuts.append(_cut(members, taken, round((len(members) - taken) / folds_left), num_after=folds_left - 1))
        taken = int(np.searchsorted(members, np.uint64(cuts[-1])))
    return tuple(cuts)
