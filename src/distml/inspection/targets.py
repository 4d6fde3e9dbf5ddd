"""What a target column is: classes or a number, which class is the positive one, and labels spelt in two ways."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from distml.arrays import is_text
from distml.clean import as_text
from distml.clean.convert import plain_number
from distml.config.base import Scalar, Task
from distml.errors import DataError, did_you_mean
from distml.schema import Dtype

_EVEN = 0.495  # share of a class that nobody calls the rarer one
MAX_CLASSES = 20  # of whole numbers; more are quantities
_YES = frozenset(("yes", "y", "true", "t", "positive", "pos", "+", "+1", "up", "won", "success"))
_ONE, _NONE = frozenset(("1", "1.0")), frozenset(("0", "0.0", "-1", "-1.0"))
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")  # soft hyphens, joiners, marks of direction
_NO = re.compile(r"(?i)^(?:never|not|non|no|un)[\s_-]*")


@dataclass(frozen=True, kw_only=True)
class Target:
    """A target looked at. `counts`: rows of each class, the most frequent first; none for a number, which has
    `quartiles` instead, from its least value to its largest.

    `respelt`: labels of the source or of a test table, each with what it is to be written as.
    """

    name: str
    task: Task
    counts: Mapping[str, int] = field(default_factory=dict)
    quartiles: tuple[float, ...] = ()
    positive: Scalar | None = None
    why_positive: str = ""
    respelt: Mapping[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()  # a test table's labels that the rows looked at don't have
    num_missing: int = 0

    @property
    def num_others(self) -> int:
        """Rows of the second most frequent class: what can be told from the first, it is told by these."""
        return list(self.counts.values())[1]

    def encode(self, values: Any) -> np.ndarray:
        """A cleaned pyarrow array without nulls as codes in the order of `counts`, int64 [n], or as float64 [n]."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.task == "regression":
            return pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False)
        codes = pc.index_in(values, value_set=pa.array(list(self.counts), pa.string()))
        return codes.cast(pa.int64()).to_numpy(zero_copy_only=False)

    def as_positive(self, codes: np.ndarray) -> np.ndarray:
        """Of codes of two classes, int64 [n], which are the positive one's: 1 and 0, float64 [n]."""
        assert self.positive is not None, "two classes have a positive one"
        return (codes == list(self.counts).index(as_text(self.positive))).astype(float)


def look_at_target(name: str, values: Any, dtype: Dtype, in_test: Any | None, *, is_whole: bool) -> Target:
    """The target from its tidied values, and a test table's where there is one.

    Raises `DataError` as `find_task` does, and for a test table with classes that the whole source doesn't have.
    """
    counts = _counts(values, dtype)
    respelt = same_spelling(counts) if dtype == "string" else {}
    task = find_task(_written(values, respelt), dtype, name)
    num_missing = int(values.null_count)
    if task == "regression":
        numbers = np.asarray(values.drop_null().cast("double"))
        quartiles = tuple(np.quantile(numbers[np.isfinite(numbers)], np.linspace(0, 1, 5)).tolist())
        return Target(name=name, task=task, quartiles=quartiles, num_missing=num_missing)
    counts = _merged(counts, respelt)
    unknown: tuple[str, ...] = ()
    if in_test is not None:
        labels = _counts(in_test, dtype)
        respelt = {**respelt, **respelt_as(labels, counts)} if dtype == "string" else respelt
        unknown = tuple(label for label in labels if respelt.get(label, label) not in counts)
        _refuse_unknown(unknown, counts, name, is_whole=is_whole)
    positive, why = positive_class(counts) if task == "binary" else (None, "")
    return Target(
        name=name, task=task, counts=counts, respelt=respelt, unknown=unknown, why_positive=why,
        positive=None if positive is None else as_scalar(positive, dtype), num_missing=num_missing,
    )  # fmt: skip


def _counts(values: Any, dtype: Dtype) -> dict[str, int]:
    """Rows of each value as cleaning writes a category, the most frequent first."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    found: Counter[str] = Counter()
    for item in pc.value_counts(values.drop_null()).to_pylist():
        value = item["values"]
        text = as_text(value) if isinstance(value, (bool, int, float, str)) else str(value)
        if dtype in ("integer", "number"):
            text = plain_number(text)
        found[text.lower() if dtype == "boolean" else text] += item["counts"]
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def _written(values: Any, respelt: Mapping[str, str]) -> Any:
    """Texts with labels respelt."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if not respelt or not is_text(values.type):
        return values
    place = pc.index_in(values, value_set=pa.array(list(respelt), values.type))
    return pc.coalesce(pa.array(list(respelt.values()), values.type).take(place), values)


def _merged(counts: Mapping[str, int], respelt: Mapping[str, str]) -> dict[str, int]:
    merged: Counter[str] = Counter()
    for label, count in counts.items():
        merged[respelt.get(label, label)] += count
    return dict(merged.most_common())


def _refuse_unknown(unknown: tuple[str, ...], counts: Mapping[str, int], name: str, *, is_whole: bool) -> None:
    if unknown and (is_whole or len(unknown) == len(counts)):
        raise DataError(
            "a test table's classes are those of the source",
            received=", ".join(map(repr, unknown[:8])),
            where=f"column {name}",
            remedy=f"the source has {', '.join(map(repr, list(counts)[:8]))}; leave --test out, or correct its labels",
        )


def resolve_column(name: str, columns: tuple[str, ...], where: str, *, is_named: bool) -> str:
    """The column that a user means by its name or, counted from 1, its place.

    Raises `DataError` for a name that no column has.

    >>> resolve_column("2", ("a", "b"), "t.csv", is_named=True)
    'b'
    """
    if name in columns:
        return name
    if name.isdecimal() and 1 <= int(name) <= len(columns):
        return columns[int(name) - 1]
    near = did_you_mean(name, list(columns)) or next((c for c in columns if c.lower() == name.lower()), None)
    known = ", ".join(columns[:40])
    if not is_named:
        known += "; the file names none: count from 1, or name them all with --columns"
    raise DataError(
        "a target is a column of the table",
        received=name,
        where=where,
        remedy=f"did you mean {near!r}?" if near else f"its columns: {known}",
    )


def find_task(values: Any, dtype: Dtype, column: str) -> Task:
    """The task that a target's tidied pyarrow values pose.

    Raises `DataError` for a target without values, of one value, of dates, or of texts that hardly repeat.
    """
    import pyarrow.compute as pc

    present = values.drop_null()
    if dtype == "boolean" and is_text(present.type):
        present = pc.utf8_lower(present)
    distinct = pc.count_distinct(present).as_py()
    where = f"column {column}"
    if not len(present):
        raise DataError("a target has values", received="all missing", where=where)
    if distinct == 1:
        raise DataError("a target takes at least two values", received=repr(present[0].as_py()), where=where)
    if dtype == "datetime":
        raise DataError("a target is a class or a number", received="dates", where=where)
    if dtype in ("integer", "number"):
        numbers = pc.cast(present, "double").to_numpy()
        distinct = len(np.unique(numbers))
        is_whole = bool((numbers == np.round(numbers)).all())
        if distinct == 2:
            return "binary"
        return "multiclass" if is_whole and distinct <= min(MAX_CLASSES, len(numbers) // 5) else "regression"
    if distinct > max(2, len(present) // 2):
        raise DataError(
            "a class target repeats its classes",
            received=f"{distinct:,} distinct texts in {len(present):,} rows, such as {present[0].as_py()!r}",
            where=where,
            remedy="name another column as the target; a number is written with digits and a decimal point",
        )
    return "binary" if distinct == 2 else "multiclass"


def positive_class(counts: Mapping[str, int]) -> tuple[str, str]:
    """The class of two that scores are about, and why.

    >>> positive_class({"<=50K": 100, ">50K": 30})
    ('>50K', 'the higher of two ranges')
    >>> positive_class({"spam": 60, "not spam": 40})
    ('spam', 'what the other class denies')
    """
    labels = sorted(counts)
    for label, other in (labels, labels[::-1]):
        says_yes = label.lower() in _YES and other.lower() not in _YES
        if says_yes or (label in _ONE and other in _NONE):
            return label, "the label says so"
        if label.startswith(">") and other.startswith("<"):
            return label, "the higher of two ranges"
        bare = _NO.sub("", other)
        if bare != other and bare.lower() == label.lower():
            return label, "what the other class denies"
    rarer = min(labels, key=lambda label: (counts[label], label))
    share = counts[rarer] / max(1, sum(counts.values()))
    even = "as frequent as the other, which stands here if scores are about it"
    return rarer, "the rarer class" if share < _EVEN else even


def same_spelling(counts: Mapping[str, int]) -> dict[str, str]:
    """Labels that differ from a more frequent one only by case, white space, a dot at the end or by characters that
    look alike, each with that one.

    >>> same_spelling({"Yes": 90, "yes": 3, "no": 50, "no.": 1})
    {'yes': 'Yes', 'no.': 'no'}
    """
    usual: dict[str, str] = {}
    for label in sorted(counts, key=lambda label: (-counts[label], label)):
        usual.setdefault(_plain(label), label)
    return {label: usual[_plain(label)] for label in counts if usual[_plain(label)] != label}


def respelt_as(labels: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Another table's labels as the source writes them, where they differ only by case or a dot at the end."""
    by_plain = {_plain(label): label for label in known}
    wanted = {label: by_plain[_plain(label)] for label in labels if _plain(label) in by_plain}
    return {label: label_known for label, label_known in wanted.items() if label != label_known}


def _plain(label: str) -> str:
    label = unicodedata.normalize("NFKC", _INVISIBLE.sub("", label))  # é may be one character, or e and an accent
    # Single letters may differ by case alone, as chess pieces do.
    return " ".join(label.split()).rstrip(".").casefold() if len(label.strip()) > 1 else label.strip()


def as_scalar(text: str, dtype: Dtype) -> Scalar:
    """A label as YAML has it.

    >>> as_scalar("1", "integer"), as_scalar("1.0", "number"), as_scalar("true", "boolean")
    (1, '1.0', True)
    """
    if dtype == "integer" and text == str(int(text)):
        return int(text)
    return text == "true" if dtype == "boolean" else text
