"""The stages `evaluate` and `gate`: the package on the test rows, beside the baselines and the champion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from distml.config import RunConfig
from distml.data import SPLITS, SplitPlan
from distml.errors import CodeError, DataError, PackageError
from distml.evaluation import Comparison, Evaluation, Verdict, evaluate, judge, slice_metrics
from distml.evaluation.report import one_row_latency_ms
from distml.lifecycle.dealing import hashed_columns
from distml.lifecycle.prepared import Prepared
from distml.lifecycle.search import Searched
from distml.lifecycle.stages import folder_of, once
from distml.lifecycle.train import Trained
from distml.metrics import score_all
from distml.models import FAMILIES, load_model
from distml.package import Member, ModelPackage, require_code
from distml.postprocess import Postprocess
from distml.predictor import Predictor
from distml.registry import Registry, Version
from distml.storage import Storage, content_hash
from distml.target import NumericTarget


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """Metrics on the test rows: of the package, of its decisions, of the baselines by name, and by slice."""

    metrics: dict[str, float]
    decisions: dict[str, float]
    baselines: dict[str, dict[str, float]]
    slices: dict[str, list[dict[str, Any]]]
    latency_p99_ms: float


def evaluate_package(config: RunConfig, prepared: Prepared, trained: Trained, storage: Storage) -> Evaluated:
    """Runs the stage, or reads its result."""
    columns = slice_columns(config, prepared)
    key = evaluated_key(config, trained.key, trained.package_id)
    value, _ = once(storage, folder_of("evaluate", key), lambda: _evaluate(prepared, trained, storage, columns))
    return Evaluated(**value)


def evaluated_key(config: RunConfig, trained_key: str, package_id: str) -> str:
    """The content hash of everything that an evaluation depends on."""
    return content_hash(trained_key, package_id, _named_columns(config))


def _named_columns(config: RunConfig) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*config.data.roles.group, *config.evaluate.slices)))


def slice_columns(config: RunConfig, prepared: Prepared) -> tuple[str, ...]:
    """The columns to break metrics down by; `DataError` for one that isn't kept."""
    columns = _named_columns(config)
    for column in columns:
        sliced = [known.name for known in prepared.schema.kept if known.kind != "image"]
        if column not in sliced:
            raise DataError(
                "evaluate.slices names a column that is kept, and holds no images",
                received=column,
                remedy=f"one of {', '.join(sliced)}",
            )
    return columns


def _evaluate(prepared: Prepared, trained: Trained, storage: Storage, columns: tuple[str, ...]) -> dict[str, Any]:
    table, _ = prepared.rows("test")
    with storage.local_folder(trained.package) as folder:
        predictor = Predictor.load(folder)
    own = evaluate(predictor, table)
    baselines = {"dummy": _dummy(prepared, own)}
    for name, key in trained.baselines.items():
        with storage.local_folder(key) as folder:
            member = Member(model=load_model(folder), pipeline=prepared.pipelines[FAMILIES[name].recipe])
        baselines[name] = evaluate(Predictor(_bare_package(predictor.package, member)), table).metrics
    public = tuple(column for column in columns if not prepared.schema[column].private)
    return {
        "metrics": own.metrics,
        "decisions": own.decisions,
        "baselines": baselines,
        "slices": slice_metrics(own, table, public, prepared.target.task),
        "latency_p99_ms": one_row_latency_ms(predictor, table),
    }


def _bare_package(package: ModelPackage, member: Member) -> ModelPackage:
    """One member in a package of its own, so that a baseline predicts along the same path."""
    postprocess = Postprocess(weights=(1.0,), target=package.postprocess.target)
    return ModelPackage(
        name=package.name,
        schema=package.schema,
        members=(member,),
        postprocess=postprocess,
        baseline=package.baseline,
    )


def _dummy(prepared: Prepared, own: Evaluation) -> dict[str, float]:
    """The training rows' class shares, or their mean, whatever the row."""
    n = len(own.target)
    if isinstance(prepared.target, NumericTarget):
        scores: np.ndarray = np.full(n, prepared.target.mean)
    else:
        counts = prepared.baseline.columns[prepared.schema.target.name].categories or {}
        from distml.clean import as_text

        shares = np.array([counts[as_text(label)] for label in prepared.target.labels], float)
        scores = np.tile(shares / shares.sum(), (n, 1))
    return score_all(prepared.target.task, own.target, scores)


def judge_package(
    config: RunConfig, prepared: Prepared, searched: Searched, trained: Trained, evaluated: Evaluated,
    storage: Storage, registry: Registry,
) -> tuple[Verdict, Version | None]:  # fmt: skip
    """The verdict on the package, and the champion that it was compared with."""
    champion = registry.champion(config.name)
    if champion is not None and champion.package_id == trained.package_id:
        return Verdict(promoted=True, reasons=(f"it is champion {champion.label} already",)), champion
    missing = None if champion is None else _missing_code(storage, champion)
    if missing is not None and champion is not None:
        told = f"champion {champion.label} can't be compared with: {missing}"
        remedy = "`distml promote` makes this version champion all the same"
        return Verdict(promoted=False, reasons=(told, remedy)), champion
    comparison = None if champion is None else _compare(prepared, trained, storage, champion)
    verdict = judge(
        config.gates,
        prepared.target.task,
        searched.metric,
        evaluated.metrics,
        comparison,
        evaluated.latency_p99_ms,
        seed=config.seed,
    )
    return verdict, champion


def _missing_code(storage: Storage, champion: Version) -> str | None:
    """Why a champion can't be loaded here: code of the user's own that isn't what it was fitted with."""
    try:
        require_code(storage, champion.package)
    except (CodeError, PackageError) as error:
        return str(error)
    return None


def _compare(prepared: Prepared, trained: Trained, storage: Storage, champion: Version) -> Comparison:
    table, rows = prepared.rows("test")
    with storage.local_folder(trained.package) as folder:
        challenger = Predictor.load(folder)
    with storage.local_folder(champion.package) as folder:
        reigning = Predictor.load(folder)
    if reigning.package.task != challenger.package.task:
        raise DataError(
            "champion and challenger have the same task",
            received=f"{challenger.package.task}, the champion is for {reigning.package.task}",
            where=f"champion {champion.label}",
            remedy="give a model of another task another name",
        )
    unseen = _unseen(storage, reigning.package, prepared, table, rows)
    table = table.filter(unseen)
    own = evaluate(challenger, table)
    try:
        other = evaluate(reigning, table)
    except DataError as error:
        raise DataError(
            "champion and challenger predict the same table to be compared",
            received=str(error),
            where=f"champion {champion.label}",
            remedy="give a model of another schema another name",
        ) from error
    return Comparison(champion_label=champion.label, target=own.target, champion=other.scores, challenger=own.scores)


def _unseen(storage: Storage, champion: ModelPackage, prepared: Prepared, table: Any, rows: np.ndarray) -> np.ndarray:
    """Which of the challenger's test rows the champion wasn't fitted on, bool [n].

    All of them where both were tested on the same rows. Else those that are none of the rows that the champion was
    prepared with; and where these are no longer in storage, those that its split deals to its test rows, which it
    does by content, for rows that it never saw as well.
    """
    lineage = champion.lineage
    same_test_table = lineage["test_table"] is not None and lineage["test_table"] == prepared.test_key
    if lineage["prepared"] == prepared.key or same_test_table:
        return np.ones(len(rows), bool)
    fitted = _fitted_rows(storage, lineage["prepared"], prepared)
    if fitted is not None:
        return ~np.isin(rows, fitted)
    plan = SplitPlan.from_dict(lineage["split"])
    return plan.deal(table, rows) == SPLITS.index("test")


def _fitted_rows(storage: Storage, key: str, prepared: Prepared) -> np.ndarray | None:
    """Hashes of the rows that another preparation gave for fitting, uint64 [n].

    None where that is no longer in storage, or hashes rows of other columns, so that equal rows aren't called alike.
    """
    other = Prepared.read(storage, folder_of("prepare", key))
    if other is None or hashed_columns(other.schema) != hashed_columns(prepared.schema):
        return None
    recipe = next(iter(other.pipelines))
    found = [other.features(recipe, split).rows for split in ("train", "validation")]
    assert all(rows is not None for rows in found), "features carry the hashes of their rows"
    return np.concatenate([rows for rows in found if rows is not None])
