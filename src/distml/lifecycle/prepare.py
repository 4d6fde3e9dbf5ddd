"""The stage `prepare`: from raw tables to split, summarised, encoded rows in storage.

Pass 1 reads, cleans and hashes; the driver then finds duplicates, overlaps and the split's cuts from the hashes
alone. Pass 2 summarises each split; features are fitted from the training split's summary. Pass 3 encodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial, reduce
from typing import Any

import numpy as np

from distml.batch import FeatureBatch
from distml.clean import Finding, RowCleaner, merge_findings
from distml.config import RunConfig, SourceConfig
from distml.data.duplicates import num_copies_in_test, overlaps, repeats
from distml.data.engine import Engine
from distml.data.passes import (
    Dealer,
    Encode,
    Ingest,
    Ingested,
    Part,
    PartTask,
    Summarise,
    TableName,
)
from distml.data.source import fingerprint, list_fragments, read_head
from distml.data.split import SPLITS, Split, plan_split
from distml.data.sql import held
from distml.derive import check_rowwise, source_hashes, with_derived
from distml.errors import DataError, DistmlError
from distml.features import FeaturePipeline, Recipe, fit_features
from distml.lifecycle.prepared import Prepared
from distml.models import FAMILIES
from distml.schema import Schema, infer_schema
from distml.storage import Storage, content_hash
from distml.summary import ColumnSummary, TableSummary, decile_edges, sample_size_for
from distml.target import Target, fit_target

HEAD_ROWS = 50_000
_FORMAT = 1  # of what this stage writes; part of its key


def prepare_key(config: RunConfig) -> str:
    """The content hash of everything that preparation depends on."""
    recipes = sorted(wanted_recipes(config))
    sections = [config.to_dict()[name] for name in ("data", "clean", "validate", "split", "features")]
    tables = [fingerprint(source) for source in _tables(config).values()]
    return content_hash(_FORMAT, config.seed, recipes, sections, tables, source_hashes(config.features))


def wanted_recipes(config: RunConfig) -> tuple[Recipe, ...]:
    """Recipes of the families searched; the baselines need both."""
    return tuple(sorted({FAMILIES[name].recipe for name in (*config.model.families, "linear", "trees")}))


def prepare(config: RunConfig, storage: Storage, engine: Engine) -> Prepared:
    """Runs the stage, or reads its result when the same inputs were prepared before.

    Raises `DataError` for a table that breaks a rule of the config; nothing half-written is left then.
    """
    with held(*_tables(config).values()):
        key = prepare_key(config)
        prefix = f"prepared/{key}"
        if storage.exists(f"{prefix}/result.json"):
            return Prepared.from_dict(storage, prefix, storage.read_json(f"{prefix}/result.json"))
        try:
            return _prepare(config, storage, engine, key, prefix)
        except DistmlError:
            storage.delete(prefix)
            raise


def check_source(config: RunConfig) -> RowCleaner:
    """The schema from the source's first rows, and the cleaner that enforces it: what can be said without a pass.

    Raises `DataError` for a table that isn't there, is empty, or lacks a column that the config names.
    """
    for source in _tables(config).values():
        list_fragments(source)
    return _fit_cleaner(config)


def _prepare(config: RunConfig, storage: Storage, engine: Engine, key: str, prefix: str) -> Prepared:
    cleaner = check_source(config)
    ingested = _ingest(config, storage, engine, prefix, cleaner)
    parts = [part for found in ingested for part in found.parts]
    findings = [finding for found in ingested for finding in found.findings]
    tasks, dropped = _drop_rows(parts, config)
    findings += dropped
    kept_rows, strata = _source_rows(tasks)
    plan = plan_split(kept_rows, strata, config.split, config.seed, has_test_table=config.data.test is not None)
    dealer = Dealer(storage=storage, plan=plan)
    kinds = {column.name: column.kind for column in cleaner.schema.kept}
    empty = TableSummary(kinds, sample_size=sample_size_for(len(kinds)))
    summaries = _merged(engine.map(Summarise(dealer=dealer, empty=empty), tasks), empty)
    training = summaries["train"]
    _check_rows(summaries, config)
    _check_weights(summaries, cleaner.schema)
    target = fit_target(cleaner.schema, training, config.data)
    pipelines: dict[str, FeaturePipeline] = {}
    for recipe in wanted_recipes(config):
        fitted = fit_features(recipe, cleaner, training, config.features)
        pipelines[recipe] = fitted.pipeline
        findings += [finding for finding in fitted.findings if finding not in findings]
    findings += _missing_findings(training, cleaner.schema, config)
    _refuse_without_features(pipelines, config)
    encode = Encode(
        dealer=dealer, storage=storage, prefix=prefix, encoders=_encoders(pipelines, target),
        empty=TableSummary(kinds, edges=_edges(training)),
    )  # fmt: skip
    baseline = reduce(lambda a, b: a.merge(b), engine.map(encode, tasks), encode.empty)
    prepared = Prepared(
        storage=storage, prefix=prefix, key=key, schema=cleaner.schema, target=target, plan=plan,
        pipelines=pipelines, baseline=baseline, findings=tuple(merge_findings(findings)),
        num_rows={split: summaries[split].count for split in SPLITS},
        test_key=_test_key(parts),
    )  # fmt: skip
    # Written last: a stage without its result was never finished, and is done again.
    storage.write_json(f"{prefix}/result.json", prepared.to_dict())
    return prepared


def _tables(config: RunConfig) -> dict[TableName, SourceConfig]:
    tables: dict[TableName, SourceConfig] = {"source": config.data.source}
    return tables if config.data.test is None else {**tables, "test": config.data.test}


def _fit_cleaner(config: RunConfig) -> RowCleaner:
    """The schema from the first rows, tidied as every row will be, and the cleaner that enforces it."""
    import pyarrow as pa

    head = read_head(config.data.source, HEAD_ROWS)
    tidier = RowCleaner(
        schema=Schema(()),
        missing=config.data.source.missing,
        strip=config.clean.strip,
        replace=config.clean.replace,
    )
    names = head.column_names
    tidied = pa.table([tidier.tidy(*named) for named in zip(names, head.columns, strict=True)], names)
    schema = with_derived(infer_schema(tidied, config.data), config.features)
    cleaner = RowCleaner.from_config(schema, config.data.source, config.clean)
    if config.features.functions:
        check_rowwise(schema, cleaner.apply(head).table)
    return cleaner


def _ingest(config: RunConfig, storage: Storage, engine: Engine, prefix: str, cleaner: RowCleaner) -> list[Ingested]:
    stratify = _is_stratified(config, cleaner.schema)
    ingested: list[Ingested] = []
    for table, source in _tables(config).items():
        ingest = Ingest(
            storage=storage, prefix=prefix, table=table, source=source, stratify=stratify,
            cleaner=replace(cleaner, missing=source.missing),
        )  # fmt: skip
        fragments = list_fragments(source)
        found = engine.map(ingest, fragments)
        for fragment, result in zip(fragments, found, strict=True):
            if result.error is not None:
                raise result.error
            for finding in result.findings:
                if finding.action == "fail":
                    _raise_finding(finding, fragment.path)
        if not any(result.num_rows for result in found):
            raise DataError("a table has at least one row", received="0 rows", where=source.uri)
        ingested += found
    return ingested


def _is_stratified(config: RunConfig, schema: Schema) -> bool:
    if config.split.kind == "stratified" and schema.target.kind == "numeric":
        raise DataError(
            "a stratified split needs a target of classes",
            received=f"{schema.target.name} is numeric",
            where="split.kind",
            remedy="set split.kind: random",
        )
    return config.split.kind != "random" and schema.target.kind != "numeric"


def _raise_finding(finding: Finding, path: str) -> None:
    row, value = finding.examples[0]
    more = f" ({finding.count} rows break this)" if finding.count > 1 else ""
    raise DataError(
        f"{finding.rule}{more}",
        received=value,
        where=f"{path}, row {row}, column {finding.column}",
        remedy=finding.remedy or f"correct the table, or set clean.rules.{finding.column}.on_violation",
    )


def _drop_rows(parts: Sequence[Part], config: RunConfig) -> tuple[list[PartTask], list[Finding]]:
    """Which rows of each part are left out: later copies of a row, and source rows that the test table has."""
    findings: list[Finding] = []
    tasks: list[PartTask] = []
    repeated = repeats([part for part in parts if part.table == "source"])
    count = sum(len(positions) for positions in repeated.values())
    if count:
        if config.clean.duplicates == "fail":
            raise DataError(
                "no row stands in the table twice",
                received=f"{count} exact duplicates",
                where=config.data.source.uri,
                remedy="remove them, or set clean.duplicates: drop",
            )
        action = config.clean.duplicates
        findings.append(Finding(rule="no exact duplicate rows", column=None, count=count, action=action))
    in_test = num_copies_in_test(parts)
    if in_test:
        findings.append(
            Finding(rule="no exact duplicate rows in the test table", column=None, count=in_test, action="keep")
        )
    overlap = overlaps(parts)
    num_overlaps = sum(len(positions) for positions in overlap.values())
    if num_overlaps:
        findings.append(_overlap_finding(num_overlaps, config))
    for part in parts:
        dropped = none = np.empty(0, np.int64)
        if config.clean.duplicates == "drop":
            dropped = repeated.get(part.key, none)
        if config.validation.overlap == "drop":
            dropped = np.union1d(dropped, overlap.get(part.key, none))
        tasks.append(PartTask(part=part, dropped=dropped))
    return tasks, findings


def _overlap_finding(count: int, config: RunConfig) -> Finding:
    assert config.data.test is not None
    if config.validation.overlap == "fail":
        raise DataError(
            "training and test tables share no rows",
            received=f"{count} rows of the source have the same features and target as a test row",
            where=config.data.test.uri,
            remedy="remove them, or set validate.overlap: drop",
        )
    action = config.validation.overlap
    return Finding(rule="no source row equals a test row", column=None, count=count, action=action)


def _test_key(parts: Sequence[Part]) -> str | None:
    rows = [part.rows for part in parts if part.table == "test"]
    return content_hash(np.sort(np.concatenate(rows)).tobytes()) if rows else None


def _source_rows(tasks: Sequence[PartTask]) -> tuple[np.ndarray, np.ndarray]:
    kept = [(np.delete(t.part.rows, t.dropped), np.delete(t.part.strata, t.dropped)) for t in tasks
            if t.part.table == "source"]  # fmt: skip
    return np.concatenate([rows for rows, _ in kept]), np.concatenate([strata for _, strata in kept])


def _merged(found: Sequence[dict[Split, TableSummary]], empty: TableSummary) -> dict[Split, TableSummary]:
    return {
        split: reduce(lambda a, b: a.merge(b), [item[split] for item in found if split in item], empty.fresh())
        for split in SPLITS
    }


def _check_rows(summaries: dict[Split, TableSummary], config: RunConfig) -> None:
    for split, least in {"train": 2, "validation": 1, "test": 1}.items():
        count = summaries[split].count  # type: ignore[index]
        if count < least:
            raise DataError(
                f"at least {least} {split} rows are left after cleaning and splitting",
                received=str(count),
                where=config.data.source.uri,
                remedy="bring more rows, or check data.target's missing values, clean.rules and split",
            )


def _check_weights(summaries: dict[Split, TableSummary], schema: Schema) -> None:
    for column in schema.of_role("weight"):
        for summary in summaries.values():
            known = summary.columns[column.name]
            if known.nulls or (known.min is not None and known.min < 0):
                raise DataError(
                    "a row's weight is a number of at least 0",
                    received=f"{known.nulls} missing" if known.nulls else known.min,
                    where=f"column {column.name}",
                    remedy=f"correct it, or set clean.rules.{column.name} to drop such rows",
                )


def _missing_findings(training: TableSummary, schema: Schema, config: RunConfig) -> list[Finding]:
    findings = []
    for column in schema.features:
        known = training.columns[column.name]
        share = known.nulls / known.count
        if share > config.validation.max_missing:
            if config.validation.missing == "fail":
                raise DataError(
                    f"at most {config.validation.max_missing:.0%} of a feature's values are missing",
                    received=f"{share:.1%}",
                    where=f"column {column.name}",
                    remedy="exclude it, or raise validate.max_missing",
                )
            rule = f"at most {config.validation.max_missing:.0%} of a feature's values are missing"
            findings.append(Finding(rule=rule, column=column.name, count=known.nulls, action="warn"))
    return findings


def _refuse_without_features(pipelines: dict[str, FeaturePipeline], config: RunConfig) -> None:
    for pipeline in pipelines.values():
        if not pipeline.numeric and not pipeline.categorical:
            raise DataError(
                "a table has at least one feature that varies",
                received="none is left after exclusions",
                where=config.data.source.uri,
                remedy="check data.exclude and data.roles",
            )


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


def _encoders(pipelines: dict[str, FeaturePipeline], target: Target) -> dict[str, Any]:
    return {name: partial(_encode, pipeline, target) for name, pipeline in pipelines.items()}


def _encode(pipeline: FeaturePipeline, target: Target, cleaned: Any, rows: np.ndarray) -> FeatureBatch:
    return pipeline.encode(cleaned, target=target, weight=True, rows=rows)
