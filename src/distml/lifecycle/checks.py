"""What must hold of a table that has been read and split before anything is fitted on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from distml.clean import Finding
from distml.config import RunConfig
from distml.data.dealing import Dealing, Split
from distml.data.duplicates import num_repeats
from distml.data.split import SplitPlan
from distml.errors import DataError
from distml.features import FeaturePipeline
from distml.inspection.tokens import numbers_mask
from distml.lifecycle.ingested import Ingested
from distml.schema import Schema
from distml.summary import TableSummary

_CHANCE_TWINS = 0.01  # of the held-out rows


def raise_finding(finding: Finding, path: str) -> None:
    row, value = finding.examples[0]
    more = f" ({finding.count} rows break this)" if finding.count > 1 else ""
    raise DataError(
        f"{finding.rule}{more}",
        received=value,
        where=f"{path}, row {row}, column {finding.column}",
        remedy=finding.remedy or f"correct the table, or set clean.rules.{finding.column}.on_violation",
    )


def refuse_failures(findings: Iterable[Finding]) -> None:
    """Raises `DataError` for the first finding whose action is `fail`."""
    for finding in findings:
        if finding.action == "fail":
            raise_finding(finding, finding.file or "the table")


def findings_of_copies(ingested: Ingested, config: RunConfig) -> list[Finding]:
    """Rows that stand twice, in the source, in the test table, in both."""
    findings = []
    count = num_repeats(ingested.source, dropped_in_parts=ingested.drops_repeats)
    action = config.clean.duplicates
    if count and action == "fail":
        raise DataError(
            "no row stands in the table twice",
            received=f"{count} exact duplicates",
            where=config.data.source.uri,
            remedy="remove them, or set clean.duplicates: drop",
        )
    if count:
        findings.append(Finding(rule="no exact duplicate rows", column=None, count=count, action=action))
    findings += _findings_of_names(ingested, config)
    if count and action == "keep" and config.features.encodes_by_target:
        # They lie in one fold with their target, so out of fold is what the rows of other targets say.
        rule = "a row that is encoded by the target stands in the table once"
        remedy = "set clean.duplicates: drop"
        findings.append(Finding(rule=rule, column=None, count=count, action="warn", remedy=remedy))
    in_test = num_repeats([part for part in ingested.parts if part.table == "test"], dropped_in_parts=False)
    if in_test:
        rule = "no exact duplicate rows in the test table"
        findings.append(Finding(rule=rule, column=None, count=in_test, action="keep"))
    overlapping = sum(part.num_overlapping for part in ingested.source)
    return [*findings, overlap_finding(overlapping, config)] if overlapping else findings


def findings_of_twins(ingested: Ingested, plan: SplitPlan) -> list[Finding]:
    """Held-out rows that a training row gives away, where there are more than chance brings about."""
    count, num_held_out = ingested.num_twins(plan)
    if count <= _CHANCE_TWINS * num_held_out:
        return []
    rule = "no validation or test row has the features and target of a training row"
    remedy = (
        "name what makes rows alike in clean.duplicates_by, or keep them together: split: {kind: group, column: ...}"
    )
    return [Finding(rule=rule, column=None, count=count, action="warn", remedy=remedy, table="source")]


def check_folds(ingested: Ingested, dealing: Dealing, config: RunConfig) -> None:
    """Raises `DataError` where there are fewer groups or instants to deal than folds."""
    wanted = config.split.folds
    if wanted is None or dealing.kind not in ("group", "time"):
        return
    found = len(np.unique(np.concatenate([part.keys for part in ingested.source])))
    if found < wanted:
        raise DataError(
            "each fold has rows of its own",
            received=f"{found} distinct values for {wanted} folds",
            where=f"column {dealing.column}",
            remedy="ask for fewer in split.folds",
        )


def _findings_of_names(ingested: Ingested, config: RunConfig) -> list[Finding]:
    """Rows that have the name of another, where columns name them."""
    count = sum(len(positions) for positions in ingested.same_names.values())
    columns = ", ".join(config.clean.duplicates_by)
    if count and config.clean.duplicates == "fail":
        raise DataError(
            f"{columns}: no two rows have the same",
            received=f"{count} rows more than there are values",
            where=config.data.source.uri,
            remedy="remove them, or set clean.duplicates: drop",
        )
    rule = f"no two rows have the same {columns}"
    return [Finding(rule=rule, column=None, count=count, action=config.clean.duplicates)] if count else []


def overlap_finding(count: int, config: RunConfig) -> Finding:
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


def check_rows(summaries: Mapping[Split, TableSummary], config: RunConfig) -> None:
    fewest: dict[Split, int] = {"train": 2, "validation": 1, "test": 1}
    for split, least in fewest.items():
        count = summaries[split].count
        if count < least:
            raise DataError(
                f"at least {least} {split} rows are left after cleaning and splitting",
                received=str(count),
                where=config.data.source.uri,
                remedy="bring more rows, or check data.target's missing values, clean.rules and split",
            )


def check_weights(summaries: Mapping[Split, TableSummary], schema: Schema) -> None:
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


def missing_findings(training: TableSummary, schema: Schema, config: RunConfig) -> list[Finding]:
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


def findings_of_kinds(training: TableSummary, schema: Schema, config: RunConfig) -> list[Finding]:
    """Features of numbers that are read as categories, because the first rows have no value of them."""
    import pyarrow as pa

    findings = []
    for column in schema.features:
        known = training.columns[column.name]
        if column.kind != "categorical" or column.dtype != "string" or column.name in config.data.kinds:
            continue
        if len(known.categories or ()) > 2 and numbers_mask(pa.array(list(known.categories or ()))).all():
            rule, remedy = "numbers are read as numbers", f"data: {{kinds: {{{column.name}: numeric}}}}"
            findings.append(Finding(rule=rule, column=column.name, count=known.present, action="warn", remedy=remedy))
    return findings


def refuse_without_features(pipelines: Mapping[str, FeaturePipeline], config: RunConfig) -> None:
    for pipeline in pipelines.values():
        if not pipeline.numeric and not pipeline.categorical and not pipeline.tensors:
            raise DataError(
                "a table has at least one feature that varies",
                received="none is left after exclusions",
                where=config.data.source.uri,
                remedy="check data.exclude and data.roles",
            )
