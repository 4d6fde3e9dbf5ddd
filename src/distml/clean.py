"""Row-wise cleaning: the first step of every path that a raw table takes, in preparation and in serving.

`RowCleaner.apply` turns a raw table into one that has the schema's types, and counts everything it did. It looks at
one row at a time: what needs the whole table (duplicates, splits) is in `distml.data`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from distml.config.sections import CleanConfig, RuleConfig, Scalar, SourceConfig
from distml.errors import DataError
from distml.schema import Column, Role, Schema

MAX_EXAMPLES = 5
Taken = Literal["null", "clip", "drop", "quarantine", "fail", "replace", "ignore", "keep", "warn"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that was found in a table: what rule it breaks, how often, and what was done.

    `examples` are (row, value) pairs, rows counted from 0 within the table or from where the reader says.
    """

    rule: str
    column: str | None
    count: int
    action: Taken
    examples: tuple[tuple[int, str], ...] = ()
    remedy: str | None = None
    table: Literal["source", "test"] | None = None

    def placed(self, table: Literal["source", "test"], offset: int) -> Finding:
        """The same finding as one of a whole table, of which its block begins at row `offset`."""
        moved = tuple((row + offset, value) for row, value in self.examples)
        return dataclasses.replace(self, examples=moved, table=table)


def merge_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Findings of many blocks as one list: counts added, the first examples kept."""
    merged: dict[tuple[str | None, ...], Finding] = {}
    for finding in findings:
        key = (finding.rule, finding.column, finding.action, finding.table)
        before = merged.get(key)
        if before is None:
            merged[key] = finding
            continue
        examples = tuple(sorted(before.examples + finding.examples)[:MAX_EXAMPLES])
        merged[key] = dataclasses.replace(finding, count=before.count + finding.count, examples=examples)
    return list(merged.values())


@dataclass(frozen=True)
class Cleaned:
    """A cleaned table of the rows to keep, which rows those are (bool [n] over the input), and what was found."""

    table: Any
    kept: np.ndarray
    findings: tuple[Finding, ...]
    quarantined: dict[int, str] = field(default_factory=dict)  # row -> the rule that it breaks

    def raise_failures(self, where: str) -> None:
        """Raises `DataError` for the first finding whose action is `fail`."""
        for finding in self.findings:
            if finding.action == "fail":
                row, value = finding.examples[0]
                raise DataError(
                    f"{finding.rule} ({finding.count} rows)" if finding.count > 1 else finding.rule,
                    received=value,
                    where=f"{where}, row {row}, column {finding.column}",
                    remedy=finding.remedy,
                )


@dataclass(frozen=True, kw_only=True)
class RowCleaner:
    """What cleaning does to a row: fixed by config and schema, kept as JSON in every package."""

    schema: Schema
    missing: tuple[str, ...] = ("",)
    strip: bool = True
    replace: dict[str, dict[Scalar, Scalar | None]] = field(default_factory=dict)
    rules: dict[str, RuleConfig] = field(default_factory=dict)

    @classmethod
    def from_config(cls, schema: Schema, source: SourceConfig, clean: CleanConfig) -> RowCleaner:
        places: dict[str, Iterable[str]] = {"clean.replace": clean.replace, "clean.rules": clean.rules}
        for place, names in places.items():
            for name in names:
                if name not in schema:
                    known = ", ".join(column.name for column in schema.columns)
                    raise DataError(f"{place} names a column of the table", received=name, remedy=f"columns: {known}")
        for name, rule in clean.rules.items():
            _check_rule(schema[name], rule)
        for name, pairs in clean.replace.items():
            _check_replacements(schema[name], pairs, source, clean)
        return cls(schema=schema, missing=source.missing, strip=clean.strip, replace=clean.replace, rules=clean.rules)

    def apply(self, table: Any, roles: tuple[Role, ...] = ("feature", "target", "id", "time", "weight")) -> Cleaned:
        """Cleans the columns of the given roles.

        Columns outside the schema are left out and counted; a feature that is absent raises `DataError`. Values that
        no repair makes valid are findings with the action `fail` and their rows are not kept.
        """
        findings: list[Finding] = []
        kept = np.ones(table.num_rows, bool)
        quarantined: dict[int, str] = {}
        columns: dict[str, Any] = {}
        wanted = [column for column in self.schema.columns if column.role in roles]
        self._check_columns(table, wanted, findings)
        for column in wanted:
            values = _whole(table.column(column.name))
            columns[column.name] = self._clean_column(column, values, kept, findings, quarantined)
        import pyarrow as pa

        cleaned = pa.table(columns) if columns else table.select([])
        if not kept.all():
            cleaned = cleaned.filter(pa.array(kept))
        return Cleaned(cleaned, kept, tuple(findings), quarantined)

    def _check_columns(self, table: Any, wanted: list[Column], findings: list[Finding]) -> None:
        present = set(table.column_names)
        absent = [column.name for column in wanted if column.name not in present]
        if absent:
            raise DataError(
                "every column that the schema names is there",
                received=f"no column {', '.join(absent)}",
                remedy="add it; a value that is not known is null",
            )
        for name in table.column_names:
            if name not in self.schema:
                findings.append(
                    Finding(rule="only columns of the schema", column=name, count=table.num_rows, action="ignore")
                )

    def _clean_column(
        self,
        column: Column,
        values: Any,
        kept: np.ndarray,
        findings: list[Finding],
        quarantined: dict[int, str],
    ) -> Any:
        def found(rule: str, mask: Any, action: Taken, shown: Any, remedy: str | None = None) -> np.ndarray:
            mask = as_mask(mask)
            if action == "quarantine":
                quarantined.update({int(row): f"{column.name}: {rule}" for row in np.flatnonzero(mask)})
            return _found(findings, column, rule, mask, action, shown, remedy)

        pairs = self.replace.get(column.name, {})
        values = received = self._tidied(values, pairs, found)
        values, wrong = _cast(column, values)
        if wrong is not None:
            remedy = f"correct it, add it to data.source.missing, or declare data.kinds.{column.name}: categorical"
            kept &= ~found(f"a {column.kind} column holds {_WANTED[column.kind]}", wrong, "fail", received, remedy)
        if values is not received:
            values = _replace(values, pairs, found)  # 99 is also meant where the table says 99.0
        if column.kind == "numeric":
            values = _null_non_finite(values, found)
        rule = self.rules.get(column.name)
        return _enforce(rule, values, kept, found) if rule else values

    def _tidied(self, values: Any, pairs: dict[Scalar, Scalar | None], found: _Found) -> Any:
        """Values stripped, missing tokens nulled, `pairs` replaced, their type as it was but for codes and views."""
        import pyarrow as pa

        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if pa.types.is_string_view(values.type):
            values = values.cast(pa.string())
        if _is_text(values.type):
            values = self._tidy_texts(values, found)
        return _replace(values, pairs, found)

    def _tidy_texts(self, values: Any, found: _Found) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.strip:
            stripped = pc.utf8_trim_whitespace(values)
            found("no white space around texts", pc.not_equal(stripped, values), "replace", values)
            values = stripped
        tokens = pa.array(self.missing, values.type)
        missing = pc.is_in(values, value_set=tokens)
        if pc.any(missing).as_py():
            for token in self.missing:
                found(f"missing token {token!r}", pc.equal(values, token), "null", values)
            values = pc.if_else(missing, pa.scalar(None, values.type), values)
        return values

    def tidy(self, name: str, column: Any) -> Any:
        """One raw column as a schema is inferred from it: stripped, missing tokens nulled, values replaced."""
        import pyarrow as pa

        values = _whole(column)
        tidied = self._tidied(values, self.replace.get(name, {}), _ignore)
        # Codes stay codes: who wrote a column of categories meant one, whatever its values look like.
        return tidied.dictionary_encode() if pa.types.is_dictionary(values.type) else tidied

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": self.schema.to_dict(),
            "missing": list(self.missing),
            "strip": self.strip,
            # Pairs, because JSON's keys are texts only and a replaced value may be a number.
            "replace": {name: list(map(list, pairs.items())) for name, pairs in self.replace.items()},
            "rules": {name: rule.model_dump(mode="json") for name, rule in self.rules.items()},
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> RowCleaner:
        return cls(
            schema=Schema.from_dict(value["schema"]),
            missing=tuple(value["missing"]),
            strip=value["strip"],
            replace={name: dict(pairs) for name, pairs in value["replace"].items()},
            rules={name: RuleConfig(**rule) for name, rule in value["rules"].items()},
        )


class _Found(Protocol):
    """Notes a finding where a mask is true, and returns the mask as bool [n]."""

    def __call__(self, rule: str, mask: Any, action: Taken, shown: Any, remedy: str | None = None) -> np.ndarray: ...


def _ignore(rule: str, mask: Any, action: Taken, shown: Any, remedy: str | None = None) -> np.ndarray:
    return as_mask(mask)


_WANTED = {"numeric": "numbers", "datetime": "ISO dates", "boolean": "truth values", "categorical": "texts"}


def _found(
    findings: list[Finding],
    column: Column,
    rule: str,
    mask: np.ndarray,
    action: Taken,
    shown: Any,
    remedy: str | None,
) -> np.ndarray:
    rows = np.flatnonzero(mask)
    if len(rows):
        examples = tuple((int(row), _shown(shown[int(row)].as_py(), column)) for row in rows[:MAX_EXAMPLES])
        findings.append(
            Finding(
                rule=rule,
                column=column.name,
                count=len(rows),
                action=action,
                examples=examples,
                remedy=remedy,
            )
        )
    return mask


def as_mask(mask: Any) -> np.ndarray:
    """A pyarrow boolean array as bool [n]; null counts as false."""
    import pyarrow.compute as pc

    if isinstance(mask, np.ndarray):
        return mask
    return pc.fill_null(mask, False).to_numpy(zero_copy_only=False)


def _shown(value: Any, column: Column) -> str:
    if column.private:
        return "(private)"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _whole(column: Any) -> Any:
    """A chunked array as one array."""
    import pyarrow as pa

    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def as_text(value: Scalar) -> str:
    """A scalar as a categorical value is written: true, 3, 2.5, text.

    >>> as_text(True), as_text(3.0), as_text("a")
    ('true', '3', 'a')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _check_rule(column: Column, rule: RuleConfig) -> None:
    where = f"clean.rules.{column.name}"
    if column.kind not in ("numeric", "datetime") and (rule.min is not None or rule.max is not None):
        raise DataError(
            "min and max are for numbers",
            received=f"column {column.name} is {column.kind}",
            where=where,
            remedy="use `allowed`, or declare the column numeric in data.kinds",
        )
    if column.kind == "datetime" and rule.allowed is not None:
        raise DataError(
            "allowed is for numbers and categories", received=f"column {column.name} is datetime", where=where,
            remedy="use `min` and `max`, in seconds since 1970",
        )  # fmt: skip
    if column.kind == "numeric":
        for value in rule.allowed or ():
            if not _is_number(value):
                raise DataError("the allowed values of a numeric column are numbers", received=value, where=where)


def _check_replacements(
    column: Column, pairs: dict[Scalar, Scalar | None], source: SourceConfig, clean: CleanConfig
) -> None:
    """Refuses replacements that a second cleaning would change again: cleaned rows are served, and cleaned, too."""
    where = f"clean.replace.{column.name}"
    replaced = {as_text(old): new for old, new in pairs.items()}
    for old, new in pairs.items():
        if new is None:
            continue
        text = as_text(new)
        if column.kind == "numeric" and not _is_number(new):
            raise DataError(
                "a value of a numeric column is replaced by a number or null", received=f"{old!r}: {new!r}",
                where=where, remedy=f"declare data.kinds.{column.name}: categorical",
            )  # fmt: skip
        if (clean.strip and text != text.strip()) or text in source.missing or replaced.get(text, new) != new:
            raise DataError(
                "a replaced value stays as it is when it is cleaned again", received=f"{old!r}: {new!r}",
                where=where, remedy="write null for a missing value, and the last value of a chain for each before it",
            )  # fmt: skip


def _is_number(value: Scalar) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _replace(values: Any, pairs: dict[Scalar, Scalar | None], found: _Found) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    original = values
    for old, new in pairs.items():
        try:
            before = pa.scalar(as_text(old)).cast(values.type)
            after = pa.scalar(None if new is None else as_text(new), pa.string()).cast(values.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue  # a text among numbers, say: no value can be equal to it
        mask = pc.equal(original, before)
        found(f"{old!r} is written {new!r}", mask, "replace", original)
        values = pc.if_else(pc.fill_null(mask, False), after, values)
    return values


def _cast(column: Column, values: Any) -> tuple[Any, np.ndarray | None]:
    """Values as the column's type, and a mask of those that can't be (None when all can)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind, wanted = values.type, column.arrow_type
    try:
        if wanted == pa.string():
            texts = _as_texts(values)
            is_truth = column.kind == "boolean" or column.dtype == "boolean"
            return _as_truths(column, texts) if is_truth else (texts, None)
        if _is_text(kind):
            return pc.cast(values, wanted), None
        if column.kind == "numeric" or pa.types.is_temporal(kind) or pa.types.is_null(kind):
            if pa.types.is_timestamp(kind) and kind.tz:
                values = pc.cast(values, pa.timestamp("us", tz="UTC"), safe=False)
            return pc.cast(values, wanted, safe=False), None
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        if _is_text(kind):
            return _cast_leniently(column, values)
    return pa.nulls(len(values), wanted), as_mask(values.is_valid())  # of a type that means nothing here


def _as_texts(values: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_decimal(values.type):
        values = pc.cast(values, pa.float64())
    if pa.types.is_floating(values.type):
        # By `as_text`, so that a category is written alike whether it came as 3, as 3.0 or in a request.
        coded = values.dictionary_encode()
        numbers = [float(str(number)) for number in coded.dictionary.to_numpy()]  # 0.1 is 0.1 also in 32 bits
        texts = [None if np.isnan(number) else as_text(number) for number in numbers]
        return pa.array(texts, pa.string()).take(coded.indices)
    return pc.cast(values, pa.string())


def _as_truths(column: Column, texts: Any) -> tuple[Any, np.ndarray | None]:
    """True, TRUE and 1 as "true". Other texts are wrong in a boolean column, and stay in a categorical one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    place = pc.index_in(pc.utf8_lower(texts), value_set=pa.array(["false", "true", "0", "1"]))
    truths = pa.array(["false", "true", "false", "true"]).take(place)
    if column.kind != "boolean":
        return pc.coalesce(truths, texts), None
    wrong = as_mask(pc.and_(texts.is_valid(), truths.is_null()))
    return truths, wrong if wrong.any() else None


def _cast_leniently(column: Column, values: Any) -> tuple[Any, np.ndarray]:
    import pandas as pd
    import pyarrow as pa

    raw = pd.Series(values.to_numpy(zero_copy_only=False), dtype=object)
    if column.kind == "numeric":
        parsed = pd.to_numeric(raw, errors="coerce").to_numpy(float, na_value=np.nan)
        wrong = np.isnan(parsed) & ~raw.astype(str).str.fullmatch("[-+]?nan", case=False).to_numpy()
        cast = pa.array(parsed, pa.float64(), from_pandas=True)
    else:
        stamps = pd.to_datetime(raw, errors="coerce", utc=True, format="ISO8601").dt.tz_localize(None)
        cast = pa.array(stamps, pa.timestamp("us"), from_pandas=True, safe=False)
        wrong = stamps.isna().to_numpy()
    return cast, wrong & as_mask(values.is_valid())


def _null_non_finite(values: Any, found: _Found) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    finite = pc.is_finite(values)
    if pc.all(finite, min_count=0).as_py():
        return values
    found("numbers are finite", pc.is_inf(values), "null", values)
    return pc.if_else(finite, values, pa.scalar(None, values.type))


def _enforce(rule: RuleConfig, values: Any, kept: np.ndarray, found: _Found) -> Any:
    """Applies one column's rule; rows that are not to be kept are struck from `kept` in place."""
    import pyarrow as pa
    import pyarrow.compute as pc

    assert rule.on_violation is not None
    low, high = (_bound(bound, values.type) for bound in (rule.min, rule.max))
    broken = np.zeros(len(values), bool)
    if low is not None:
        broken |= found(f"at least {as_text(low.as_py())}", pc.less(values, low), rule.on_violation, values)
    if high is not None:
        broken |= found(f"at most {as_text(high.as_py())}", pc.greater(values, high), rule.on_violation, values)
    if rule.allowed is not None:
        is_text = pa.types.is_string(values.type)
        allowed = pa.array([as_text(v) if is_text else float(v) for v in rule.allowed], values.type)
        outside = pc.and_(pc.is_valid(values), pc.invert(pc.is_in(values, value_set=allowed)))
        broken |= found(f"one of {list(rule.allowed)}", outside, rule.on_violation, values)
    if rule.on_violation == "null":
        return pc.if_else(pa.array(broken), pa.scalar(None, values.type), values)
    if rule.on_violation == "clip":
        values = values if low is None else pc.max_element_wise(values, low, skip_nulls=False)
        return values if high is None else pc.min_element_wise(values, high, skip_nulls=False)
    kept &= ~broken
    return values


def _bound(bound: float | None, kind: Any) -> Any:
    """A rule's bound as a scalar of the column's type; for dates it is seconds since 1970."""
    import pyarrow as pa

    if bound is None:
        return None
    return pa.scalar(int(bound * 1e6), kind) if pa.types.is_timestamp(kind) else pa.scalar(bound, kind)
