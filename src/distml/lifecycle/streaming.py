"""Whether networks hold their training rows or read them from storage in each epoch: chosen by size, and said."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from distml.batch import FeatureBatch, InputSpec
from distml.cluster.capacity import Capacity
from distml.config import RunConfig
from distml.data.dealing import Split
from distml.errors import ConfigError
from distml.lifecycle.prepared import Prepared
from distml.models import FAMILIES
from distml.sizes import size
from distml.training.shards import Shards

GROUP_BYTES = 128 << 20  # of rows that are shuffled among each other; a fit holds two such groups and a file
_SHARE = 2  # of the object store, that features may fill: Ray needs the rest
_LOCAL_SHARE = 4  # of this machine's memory


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How fits come by their rows. streamed: the recipes that networks read from storage; lines: what was chosen."""

    prepared: Prepared
    streamed: frozenset[str] = frozenset()
    lines: tuple[str, ...] = ()

    def rows(self, recipe: str, *splits: Split) -> FeatureBatch | Shards:
        """The rows of some splits together, held or as shards."""
        if recipe not in self.streamed:
            return FeatureBatch.concat([self.prepared.features(recipe, split) for split in splits])
        keys = [key for split in splits for key in self.prepared.shards(recipe, split)]
        num_rows = sum(self.prepared.num_rows[split] for split in splits)
        at_once = max(1, GROUP_BYTES // row_bytes(inputs_of(self.prepared, recipe)))
        return Shards(storage=self.prepared.storage, keys=tuple(keys), num_rows=num_rows, rows_at_once=at_once)


def reading_of(config: RunConfig, prepared: Prepared, *, is_local: bool) -> Reading:
    """What `train.stream` comes to for a table. is_local: trials run in this process, not on a cluster."""
    # Of all networks: where only trees are searched, the baseline `linear` is fitted all the same.
    recipes = {family.recipe for family in FAMILIES.values() if family.kind == "network"} & set(prepared.pipelines)
    if config.train.stream == "never" or not recipes:
        return Reading(prepared=prepared)
    limit = _limit_bytes(is_local=is_local) if config.train.stream == "auto" else 0
    num_bytes = {name: prepared.num_rows["train"] * row_bytes(inputs_of(prepared, name)) for name in recipes}
    large = {name for name, count in num_bytes.items() if count > limit}
    if not large:
        return Reading(prepared=prepared)
    told = f"{size(sum(num_bytes[name] for name in large))} of training rows" + (
        "" if config.train.stream == "always" else f", more than the {size(limit)} that are held"
    )
    needs_all = _needs_all(config)
    if needs_all is not None:
        return Reading(prepared=prepared, lines=(f"{told}, held all the same: {needs_all[1]}",))
    line = f"networks read their rows from storage in each epoch: {told}"
    return Reading(prepared=prepared, streamed=frozenset(large), lines=(line,))


def held_bytes(config: RunConfig, sizes: Mapping[str, int], capacity: Capacity) -> int:
    """What a run would hold on such nodes of features that take so much by recipe."""
    if config.train.stream == "never" or _needs_all(config) is not None:
        return sum(sizes.values())
    limit = _share_of(capacity) if config.train.stream == "auto" else 0
    networks = {family.recipe for family in FAMILIES.values() if family.kind == "network"}
    return sum(count for recipe, count in sizes.items() if recipe not in networks or count <= limit)


def check_streaming(config: RunConfig) -> None:
    """Raises `ConfigError` where rows are always to be read from storage, and something needs them all."""
    needs_all = _needs_all(config) if config.train.stream == "always" else None
    if needs_all is not None:
        key, why = needs_all
        raise ConfigError(
            "rows that are read from storage in each epoch are never all there", received=why, where="train.stream",
            remedy=f"leave {key} out, or set train.stream: auto",
        )  # fmt: skip


def _needs_all(config: RunConfig) -> tuple[str, str] | None:
    """The key of the config that needs all rows at once, and why."""
    reasons = {
        "split.folds": (config.split.folds, "folds are dealt from rows that are held"),
        "model.train_fn": (config.model.train_fn, "model.train_fn is handed all rows"),
        "search.workers_per_trial": (config.search.workers_per_trial > 1, "workers share rows that are held"),
    }
    return next(((key, why) for key, (is_asked, why) in reasons.items() if is_asked), None)


def inputs_of(prepared: Prepared, recipe: str) -> InputSpec:
    return prepared.pipelines[recipe].input_spec(prepared.target.num_outputs)


def row_bytes(inputs: InputSpec) -> int:
    """What a row takes in memory: 4 bytes a number, 8 a code, 1 a pixel, and 20 for target, weight and hash."""
    return 4 * inputs.num_numeric + 8 * len(inputs.cardinalities) + inputs.num_pixels + 20


def _limit_bytes(*, is_local: bool) -> int:
    if is_local:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _LOCAL_SHARE
    from distml.cluster import nodes

    return _share_of(nodes.cluster())


def _share_of(capacity: Capacity) -> int:
    """What features may take of the smallest object store among nodes that trials run on."""
    return min((node.object_store for node in capacity.nodes if node.cpu and node.object_store), default=0) // _SHARE
