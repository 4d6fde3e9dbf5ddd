"""The stage `prepare`: from raw tables to split, summarised, encoded rows in storage, in two passes.

Pass 1 reads, cleans, hashes and summarises; the driver finds duplicates and the split's cuts from what it tells.
Features are fitted from the training rows' summary alone. Pass 2 encodes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from distml.batch import FeatureBatch
from distml.clean import Finding, RowCleaner, merge_findings
from distml.clean.tidy import HEAD_ROWS, tidied
from distml.config import RunConfig, SourceConfig
from distml.data.dealing import SPLITS, Dealing, Split
from distml.data.encode import Bins, Dealer, Encode
from distml.data.engine import Engine
from distml.data.identity import Key
from distml.data.ingest import Ingest, Summarise
from distml.data.parts import TableName
from distml.data.split import SplitPlan
from distml.derive import check_rowwise, source_hashes, with_derived
from distml.errors import DataError, DistmlError
from distml.features import FeaturePipeline, Recipe, empty_target_counts, fit_features
from distml.lifecycle import checks
from distml.lifecycle.dealing import dealing_of, inherited_plan
from distml.lifecycle.ingested import Ingested
from distml.lifecycle.prepared import Prepared
from distml.lifecycle.rules import enforce, schema_content, with_schema
from distml.lifecycle.stages import RESULT, folder_of
from distml.models import FAMILIES
from distml.reading.log import ReadLog
from distml.reading.source import fingerprint, list_fragments, read_head, read_layout
from distml.reading.sql import one_state
from distml.schema import Schema, infer_schema
from distml.storage import Storage, content_hash
from distml.summary import ByTarget, ColumnSummary, TableSummary, decile_edges, sample_size_for
from distml.target import Target, fit_target

_FORMAT = 3  # of what this stage writes; part of its key


@dataclass(frozen=True, kw_only=True)
class Look:
    """A table between the passes, for who wants to look at its rows: its tables are on the shelves."""

    config: RunConfig
    schema: Schema
    ingested: Ingested
    plan: SplitPlan
    summaries: Mapping[Split, TableSummary]


def prepare_key(config: RunConfig) -> str:
    """The content hash of everything that preparation depends on."""
    recipes = sorted(wanted_recipes(config))
    sections = [with_schema(config).to_dict()[name] for name in ("data", "clean", "validate", "split", "features")]
    for place in ("engine", "resources"):  # where it is done changes nothing in what comes of it
        del sections[0][place]
    tables = [fingerprint(source) for source in _tables(config).values()] + schema_content(config)
    return content_hash(_FORMAT, config.seed, recipes, sections, tables, source_hashes(config.features))


def wanted_recipes(config: RunConfig) -> tuple[Recipe, ...]:
    """Recipes of the families searched; the baselines need both."""
    return tuple(sorted({FAMILIES[name].recipe for name in (*config.model.families, "linear", "trees")}))


def prepare(
    config: RunConfig, storage: Storage, engine: Engine, look: Callable[[Look], list[Finding]] | None = None
) -> Prepared:
    """Runs the stage, or reads its result when the same inputs were prepared before.

    `look` is called between the passes of a stage that is run, and tells more findings.
    Raises `DataError` for a table that breaks a rule of the config; nothing half-written is left then.
    """
    with one_state(*_tables(config).values()):
        key = prepare_key(config)
        prefix = folder_of("prepare", key)
        known = Prepared.read(storage, prefix)
        if known is not None:
            return known
        try:
            return _prepare(config, storage, engine, key, look)
        except DistmlError:
            storage.delete(prefix)
            raise


def check_source(config: RunConfig) -> RowCleaner:
    """The schema from the source's first rows, and the cleaner that enforces it: what can be said without a pass.

    Raises `DataError` for a table that isn't there, is empty, or lacks a column that the config names.
    """
    for source in _tables(config).values():
        list_fragments(source, ranges=False)
    return _fit_cleaner(config)


def _prepare(
    config: RunConfig, storage: Storage, engine: Engine, key: str, look: Callable[[Look], list[Finding]] | None
) -> Prepared:
    prefix = folder_of("prepare", key)
    config, cleaner = _settled(config, engine)
    dealing = dealing_of(config, cleaner.schema)
    inherited = inherited_plan(config, dealing, cleaner.schema, storage)
    if inherited is not None:
        dealing = inherited.plan.dealing  # its seed too
    cuts = None if inherited is None else inherited.plan
    findings = _findings_of_files(config) + ([] if inherited is None else list(inherited.findings))
    with closing(_ingest(config, storage, engine, prefix, cleaner, dealing, cuts)) as ingested:
        findings += [finding for part in ingested.parts for finding in part.findings]
        findings += checks.findings_of_copies(ingested, config)
        checks.check_folds(ingested, dealing, config)
        plan = ingested.plan(dealing, config.split, has_test_table=config.data.test is not None, inherited=cuts)
        findings += checks.findings_of_twins(ingested, plan)
        summaries = ingested.summaries(plan)
        if look is not None:
            seen = Look(config=config, schema=cleaner.schema, ingested=ingested, plan=plan, summaries=summaries)
            findings += look(seen)
        target, pipelines = _fit(config, cleaner, summaries, findings)
        edges = TableSummary(_kinds(cleaner.schema), edges=_edges(summaries["train"]))
        encode = Encode(
            dealer=Dealer(plan=plan), storage=storage, prefix=prefix, edges=edges,
            encoders={name: partial(_encode, pipeline, target) for name, pipeline in pipelines.items()},
        )  # fmt: skip
        baseline = _with_bins(summaries["train"], edges, ingested.map(encode, ingested.tasks))
    schema = cleaner.schema.with_optional({name for name, column in baseline.columns.items() if column.nulls})
    prepared = Prepared(
        storage=storage, prefix=prefix, key=key, schema=schema, target=target, plan=plan,
        pipelines=pipelines, baseline=baseline, findings=tuple(merge_findings(findings)),
        num_rows={split: summaries[split].count for split in SPLITS},
        test_key=_test_key(ingested), content=ingested.content(plan),
    )  # fmt: skip
    storage.make_durable(prefix)
    storage.write_json(f"{prefix}/{RESULT}", prepared.to_dict())
    return prepared


def _settled(config: RunConfig, engine: Engine) -> tuple[RunConfig, RowCleaner]:
    """The config with columns that `validate` leaves out and bounds that a written schema adds, and its cleaner."""
    cleaner = check_source(config)
    kept = with_schema(enforce(config, cleaner, engine))
    return (config, cleaner) if kept is config else (kept, check_source(kept))


def _fit(
    config: RunConfig, cleaner: RowCleaner, summaries: Mapping[Split, TableSummary], findings: list[Finding]
) -> tuple[Target, dict[str, FeaturePipeline]]:
    """The target's and the features' transforms, from the training rows' summary; what is odd goes to `findings`."""
    training, schema = summaries["train"], cleaner.schema
    checks.check_rows(summaries, config)
    checks.check_weights(summaries, schema)
    target = fit_target(schema, training, config.data, config.features.target)
    pipelines = _fit_pipelines(config, cleaner, training, target, findings)
    findings += checks.missing_findings(training, schema, config)
    findings += checks.findings_of_kinds(training, schema, config)
    checks.refuse_without_features(pipelines, config)
    return target, pipelines


def _findings_of_files(config: RunConfig) -> list[Finding]:
    """What sets the files of a table apart; raises `DataError` where the source doesn't allow it."""
    return [
        replace(finding, table=table)
        for table, source in _tables(config).items()
        for finding in read_layout(list_fragments(source, ranges=False), source).findings
    ]


def _tables(config: RunConfig) -> dict[TableName, SourceConfig]:
    tables: dict[TableName, SourceConfig] = {"source": config.data.source}
    return tables if config.data.test is None else {**tables, "test": config.data.test}


def _fit_cleaner(config: RunConfig) -> RowCleaner:
    """The schema from the first rows, tidied as every row will be, and the cleaner that enforces it."""

    head = read_head(config.data.source, HEAD_ROWS, ReadLog(is_private=bool(config.data.private)))
    rows = tidied(head, config.data.source, config.clean)
    schema = with_derived(infer_schema(rows, config.data, config.features.image), config.features)
    cleaner = RowCleaner.from_config(schema, config.data.source, config.clean)
    if config.features.functions:
        check_rowwise(schema, cleaner.apply(head).table)
    return cleaner


def _ingest(
    config: RunConfig, storage: Storage, engine: Engine, prefix: str, cleaner: RowCleaner, dealing: Dealing,
    inherited: SplitPlan | None,
) -> Ingested:  # fmt: skip
    """Pass 1: over the test table first, so that source rows are known to equal one of its rows as they are read."""
    resources = config.data.resources
    shelves: dict[TableName, Any] = {}
    summarise = Summarise(empty=_empty_summary(config, cleaner.schema))
    test_inputs = None
    try:
        for table, source in reversed(_tables(config).items()):
            ingest = Ingest(
                storage=storage, prefix=prefix, table=table, source=source, dealing=dealing, split=config.split,
                cleaner=replace(cleaner, missing=source.missing), inherited=inherited, summarise=summarise,
                has_test_table=config.data.test is not None, test_inputs=test_inputs,
                drops_repeats=table == "source" and config.clean.duplicates == "drop",
                drops_overlaps=config.validation.overlap == "drop",
                key=_key(config, cleaner.schema) if table == "source" else None,
            )  # fmt: skip
            fragments = list_fragments(source)
            shelf = engine.shelve(ingest.read, ingest.make, fragments, cpu=resources.cpu, gpu=resources.gpu)
            shelves[table] = shelf
            checks.refuse_failures(merge_findings(finding for part in shelf.notes for finding in part.findings))
            if not any(part.num_raw for part in shelf.notes):
                raise DataError("a table has at least one row", received="0 rows", where=source.uri)
            test_inputs = np.concatenate([part.inputs for part in shelf.notes if part.inputs is not None] or [_NONE])
    except BaseException:
        for shelf in shelves.values():
            shelf.close()
        raise
    return Ingested(
        shelves=tuple(shelves[table] for table in _tables(config)), summarise=summarise,
        drops_repeats=config.clean.duplicates == "drop", cpu=resources.cpu, gpu=resources.gpu,
    )  # fmt: skip


_NONE = np.empty(0, np.uint64)


def _key(config: RunConfig, schema: Schema) -> Key | None:
    """What names a row, if columns do. Raises `DataError` for one that isn't kept."""
    for name in config.clean.duplicates_by:
        if name not in schema or schema[name].role == "excluded":
            raise DataError(
                "clean.duplicates_by names columns of the table that aren't excluded", received=name,
                remedy=f"columns: {', '.join(column.name for column in schema.kept)}",
            )  # fmt: skip
    columns = config.clean.duplicates_by
    return Key(columns=columns, time=config.data.roles.time) if columns else None


def _kinds(schema: Schema) -> dict[str, Any]:
    return {column.name: column.kind for column in schema.kept}


def _empty_summary(config: RunConfig, schema: Schema) -> TableSummary:
    counts = empty_target_counts(schema, config.features)
    by_target = ByTarget(target=schema.target.name, seed=config.seed, counts=counts)
    kinds = _kinds(schema)
    return TableSummary(kinds, sample_size=sample_size_for(len(kinds)), by_target=by_target)


def _fit_pipelines(
    config: RunConfig, cleaner: RowCleaner, training: TableSummary, target: Target, findings: list[Finding]
) -> dict[str, FeaturePipeline]:
    pipelines: dict[str, FeaturePipeline] = {}
    for recipe in wanted_recipes(config):
        fitted = fit_features(recipe, cleaner, training, config.features, target=target, seed=config.seed)
        pipelines[recipe] = fitted.pipeline
        findings += [finding for finding in fitted.findings if finding not in findings]
    return pipelines


def _with_bins(training: TableSummary, edges: TableSummary, counted: list[Bins]) -> TableSummary:
    """The drift baseline: the training rows' summary, with counts over the bins that its deciles gave."""
    baseline = edges.plain()
    for name, column in training.columns.items():
        binned = edges.columns[name]
        bins = binned.bins
        for some in counted:
            bins = bins if bins is None or name not in some else bins + some[name]
        baseline.columns[name] = replace(column, edges=binned.edges, bins=bins)
    return baseline


def _test_key(ingested: Ingested) -> str | None:
    rows = [part.rows for part in ingested.parts if part.table == "test"]
    return content_hash(np.sort(np.concatenate(rows)).tobytes()) if rows else None


def _edges(training: TableSummary) -> dict[str, np.ndarray]:
    """Decile edges of number columns: the bins of the drift baseline."""
    edges = {}
    for name, column in training.columns.items():
        if column.is_number and column.present:
            found = decile_edges(_stretched(training.quantiles(name, np.linspace(0, 1, 11)), column))
            if found is not None:
                edges[name] = found
    return edges


def _stretched(quantiles: np.ndarray, column: ColumnSummary) -> np.ndarray:
    """Outermost edges at the true extremes, which the sample may have missed."""
    quantiles[0], quantiles[-1] = column.min, column.max
    return quantiles


def _encode(
    pipeline: FeaturePipeline, target: Target, cleaned: Any, rows: np.ndarray, *, is_training: bool
) -> FeatureBatch:
    return pipeline.encode(cleaned, target=target, weight=True, rows=rows, is_training=is_training)
