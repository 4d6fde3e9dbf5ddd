"""Row-wise cleaning: the first step of every path that a raw table takes, in preparation and in serving.

`RowCleaner.apply` turns a raw table into one that has the schema's types, and counts everything it did. It looks at
one row at a time: what needs the whole table (duplicates, splits) is in `distml.data`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from distml.arrays import is_text, whole
from distml.clean.cleaned import Broken, Cleaned, Notes, ignored
from distml.clean.convert import cast
from distml.clean.findings import Finding
from distml.clean.pixels import OnImage, clean_images
from distml.clean.rules import Found, check_replacements, check_rule, enforce, null_non_finite, replace_values
from distml.clean.words import Words
from distml.config.base import Scalar
from distml.config.clean import CleanConfig, RuleConfig
from distml.config.source import SourceConfig
from distml.derive import derive
from distml.errors import DataError
from distml.schema import Column, Role, Schema

EVERY_COLUMN = "every column that the schema names is there"
ALL_ROLES: tuple[Role, ...] = ("feature", "target", "id", "time", "weight", "split")


@dataclass(frozen=True, kw_only=True)
class RowCleaner:
    """What cleaning does to a row: fixed by config and schema, kept as JSON in every package."""

    schema: Schema
    missing: tuple[str, ...] = ("",)
    strip: bool = True
    images: OnImage = "fail"
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
            check_rule(schema[name], rule)
        for name, pairs in clean.replace.items():
            check_replacements(schema[name], pairs, source, clean)
        return cls(
            schema=schema, missing=source.missing, strip=clean.strip, images=clean.images, replace=clean.replace,
            rules=clean.rules,
        )  # fmt: skip

    def apply(self, table: Any, roles: tuple[Role, ...] = ALL_ROLES, *, coded: bool = False) -> Cleaned:
        """Cleans the columns of the given roles.

        Columns outside the schema are left out and counted; a feature that is absent raises `DataError`. Values that
        no repair makes valid are findings with the action `fail` and their rows are not kept. With `coded` columns
        of texts are cleaned word by word and come as dictionaries: the same values, sooner where many rows repeat
        few words.
        """
        findings: list[Finding] = []
        kept = np.ones(table.num_rows, bool)
        broken: list[Broken] = []
        columns: dict[str, Any] = {}
        wanted = self.schema.read_for(*roles)
        self._check_columns(table, wanted, findings)
        for column in wanted:
            values = whole(table.column(column.name))
            columns[column.name] = self._clean_column(column, values, kept, Notes(column, findings, broken), coded)
        for column in (column for column in self.schema.derived if column.role in roles):
            notes = Notes(column, findings, broken)
            values = derive(column, self.schema, columns, table.num_rows, notes)
            columns[column.name] = self._clean_column(column, values, kept, notes, coded)
        import pyarrow as pa

        cleaned = pa.table(columns) if columns else table.select([])
        if not kept.all():
            cleaned = cleaned.filter(pa.array(kept))
        return Cleaned(cleaned, kept, tuple(findings), tuple(broken))

    def _check_columns(self, table: Any, wanted: Iterable[Column], findings: list[Finding]) -> None:
        present = set(table.column_names)
        absent = [column.name for column in wanted if column.name not in present]
        if absent:
            raise DataError(
                EVERY_COLUMN,
                received=f"no column {', '.join(absent)}",
                remedy="add it; a value that is not known is null",
            )
        for name in table.column_names:
            if name not in self.schema:
                findings.append(
                    Finding(rule="only columns of the schema", column=name, count=table.num_rows, action="ignore")
                )
            elif self.schema[name].derived is not None and table.num_rows:
                rule = "a derived column is made, not read"
                findings.append(Finding(rule=rule, column=name, count=table.num_rows, action="ignore"))

    def _clean_column(self, column: Column, values: Any, kept: np.ndarray, found: Found, coded: bool) -> Any:
        import pyarrow as pa

        if not coded or column.arrow_type != pa.string():
            return self._clean_values(column, values, kept, found)
        if not is_text(values.type.value_type if pa.types.is_dictionary(values.type) else values.type):
            return self._clean_values(column, values, kept, found).dictionary_encode()
        words = Words.of(values)
        kept_words = np.ones(len(words.dictionary), bool)
        cleaned = self._clean_values(column, words.dictionary, kept_words, words.noting(found))
        if not kept_words.all():
            kept &= words.rows(kept_words, missing=True)
        return words.written(cleaned)

    def _clean_values(self, column: Column, values: Any, kept: np.ndarray, found: Found) -> Any:
        if column.kind == "image":
            return clean_images(column, values, self.images, kept, found)
        pairs = self.replace.get(column.name, {})
        values = received = self._tidied(values, pairs, found)
        values, wrong = cast(column, values)
        if wrong is not None:
            remedy = f"correct it, add it to data.source.missing, or declare data.kinds.{column.name}: categorical"
            kept &= ~found(f"a {column.kind} column holds {_WANTED[column.kind]}", wrong, "fail", received, remedy)
        if values is not received:
            values = replace_values(values, pairs, found)  # 99 is also meant where the table says 99.0
        if column.kind == "numeric":
            values = null_non_finite(values, found)
        rule = self.rules.get(column.name)
        return enforce(rule, values, kept, found) if rule else values

    def _tidied(self, values: Any, pairs: dict[Scalar, Scalar | None], found: Found) -> Any:
        """Values stripped, missing tokens nulled, `pairs` replaced, their type as it was but for codes and views."""
        import pyarrow as pa

        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if pa.types.is_string_view(values.type):
            values = values.cast(pa.string())
        if is_text(values.type):
            values = self._tidy_texts(values, found)
        return replace_values(values, pairs, found)

    def _tidy_texts(self, values: Any, found: Found) -> Any:
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

        values = whole(column)
        tidied = self._tidied(values, self.replace.get(name, {}), ignored)
        # Codes stay codes: who wrote a column of categories meant one, whatever its values look like.
        return tidied.dictionary_encode() if pa.types.is_dictionary(values.type) else tidied

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": self.schema.to_dict(),
            "missing": list(self.missing),
            "strip": self.strip,
            "images": self.images,
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
            images=value.get("images", "fail"),
            replace={name: dict(pairs) for name, pairs in value["replace"].items()},
            rules={name: RuleConfig(**rule) for name, rule in value["rules"].items()},
        )


_WANTED = {
    "numeric": "numbers", "datetime": "ISO dates", "boolean": "truth values", "categorical": "texts", "text": "texts"
}  # fmt: skip
