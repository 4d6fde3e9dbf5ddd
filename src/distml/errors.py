"""Every error that distml raises for a person to read.

    DistmlError                exit code 1   something failed
    ├── UsageError             exit code 2   what was asked for can't be done as asked
    │   ├── ConfigError                      the run config
    │   ├── DataError                        a table, a column or a row
    │   ├── CodeError                        code of the user's own that isn't allowed, isn't there, or fails
    │   ├── StorageError                     a path or URI that can't be read or written
    │   └── NotFoundError                    no run, model or version of that name
    ├── PackageError                         a model package that is damaged or doesn't reproduce itself
    ├── TrainingError                        a fit that can't go on
    └── ConflictError                        a record changed under a compare-and-swap

Each says four things: the rule, what was received, where, and the remedy. A gate that refuses a version is a verdict,
not an error; the command then ends with exit code 3.
"""

from __future__ import annotations

from typing import Any


class DistmlError(Exception):
    """An error with a rule, what was received, where it was found and a remedy.

    >>> print(DistmlError("a fraction lies between 0 and 1", received=1.5, where="split.test", remedy="use 0.15"))
    a fraction lies between 0 and 1; received 1.5; in split.test. Remedy: use 0.15.
    """

    exit_code = 1

    def __init__(self, rule: str, *, received: Any = None, where: str | None = None, remedy: str | None = None):
        super().__init__(rule)
        self.rule = rule
        self.received = received if received is None or isinstance(received, str) else repr(received)
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        parts = [self.rule.rstrip(".")]
        if self.received is not None:
            parts.append(f"received {self.received}")
        if self.where:
            parts.append(f"in {self.where}")
        text = "; ".join(parts) + "."
        if not self.remedy:
            return text
        return f"{text} Remedy: {self.remedy if self.remedy[-1] in '.?' else self.remedy + '.'}"

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions cross process boundaries; the default reduction would lose the keyword arguments.
        return _rebuild, (type(self), self.rule, self.received, self.where, self.remedy)

    def to_dict(self) -> dict[str, str | None]:
        """The error as a JSON-ready mapping: type, rule, received, where, remedy."""
        return {
            "type": type(self).__name__,
            "rule": self.rule,
            "received": self.received,
            "where": self.where,
            "remedy": self.remedy,
        }


def _rebuild(
    kind: type[DistmlError], rule: str, received: str | None, where: str | None, remedy: str | None
) -> DistmlError:
    return kind(rule, received=received, where=where, remedy=remedy)


class UsageError(DistmlError):
    exit_code = 2


class ConfigError(UsageError):
    """The run config is not one that distml can follow."""


class DataError(UsageError):
    """A table, a column or a row breaks a rule."""


class CodeError(UsageError):
    """Code of the user's own isn't allowed, isn't there, or fails."""


class StorageError(UsageError):
    """A path or URI can't be read or written."""


class NotFoundError(UsageError):
    """No run, model, version or file of that name."""


class PackageError(DistmlError):
    """A model package is damaged, of another format, or doesn't reproduce its golden rows."""


class TrainingError(DistmlError):
    """A fit can't go on: diverged, out of memory, no usable rows."""


class ConflictError(DistmlError):
    """A record was changed by someone else between reading and writing it."""


def did_you_mean(word: str, known: list[str]) -> str | None:
    """The known word nearest to `word`, whatever the case, or None.

    >>> did_you_mean("treshold", ["threshold", "storage"]), did_you_mean("Y", ["x", "y"])
    ('threshold', 'y')
    """
    from difflib import get_close_matches

    by_case = {name.lower(): name for name in reversed(known)}
    near = get_close_matches(word.lower(), by_case, n=1, cutoff=0.6)
    return by_case[near[0]] if near else None


def root_cause(error: BaseException) -> BaseException:
    """The first `DistmlError` behind a library's wrappers, else the error itself.

    Ray carries a task's error as `cause` of one that also derives from its type, and whose text is Ray's frames.
    """
    inner: BaseException | None = error
    while inner is not None:
        cause = getattr(inner, "cause", None)
        if isinstance(cause, BaseException):
            inner = cause
        elif isinstance(inner, DistmlError):
            return inner
        else:
            inner = inner.__cause__
    return error
