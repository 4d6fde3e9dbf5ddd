"""A proposal as the YAML of a run config, with a comment for each thing that was supposed."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from distml.config import ModelConfig, SearchConfig, parse_config
from distml.errors import ConfigError
from distml.inspection import Remark
from distml.inspection.remark import counted, shown
from distml.metrics import metric_for
from distml.proposal.propose import Proposal
from distml.reading.header import IS_NUMBER

WIDTH = 110
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./+-]*")
_WORDS = frozenset(("y", "n", "yes", "no", "true", "false", "on", "off", "null", "none"))

Comments = Mapping[tuple[str, ...], str]


def draft(proposal: Proposal, path: str) -> str:
    """The text of a run config that is to be written to a path.

    Raises `ConfigError` where the table's names can't be told from what a config means by them, as `${x}` can't.
    """
    lines = [
        *_comment(_introduction(proposal)),
        f"#   distml validate {path}",
        f"#   distml run {path}",
        "",
        *render(_config(proposal), _comments(proposal)),
        "",
        *_remarks(proposal),
        *_defaults(proposal),
    ]
    text = "\n".join(lines) + "\n"
    written = parse_config(text, environ={}, where=path)
    if (written.data, written.clean) != (proposal.data, proposal.clean):
        raise ConfigError(
            "a config says a table's names as they are",
            received="names or labels that YAML or ${…} would change",
            where=path,
            remedy="rename them in the table, or with --columns",
        )
    return text


# What is said


def _introduction(proposal: Proposal) -> str:
    rows = (
        f"all of its {proposal.num_rows:,} rows" if proposal.is_whole else f"{proposal.num_rows:,} rows from all over"
    )
    return (
        f"A run config for {proposal.data.source.uri}, drafted by `distml init` from {rows}. It runs as it is; what "
        "the comments suppose is yours to check."
    )


def _config(proposal: Proposal) -> dict[str, Any]:
    data = proposal.data.model_dump(mode="json", exclude_defaults=True)
    source = proposal.data.source.model_dump(mode="json")
    data["source"]["missing"] = [text for text in source["missing"] if text]
    if proposal.data.test is not None:
        test = proposal.data.test.model_dump(mode="json")
        data["test"] = {key: item for key, item in test.items() if key == "uri" or item != _inherited(source, key)}
    data["source"] = {key: item for key, item in data["source"].items() if item != []}
    clean = proposal.clean.model_dump(exclude_defaults=True)
    order = ("source", "test", "target", "task", "positive", "roles", "kinds", "exclude")
    sections: dict[str, Any] = {"name": proposal.name, "data": {key: data[key] for key in order if key in data}}
    return sections | ({"clean": clean} if clean else {})


def _inherited(source: Mapping[str, Any], key: str) -> Any:
    """What a test table has where it says nothing: its source's settings, but for the format."""
    return "auto" if key == "format" else source[key]


def _comments(proposal: Proposal) -> dict[tuple[str, ...], str]:
    data, target, columns = proposal.data, proposal.target, proposal.columns
    said: dict[tuple[str, ...], str] = {("data", "target"): _told_target(proposal)}
    if not data.source.header:
        said["data", "source", "header"] = "the first line holds values"
    if not proposal.is_named and data.source.columns:
        said["data", "source", "columns"] = "CHECK: made up where the file names none; give better names, in this order"
    if data.source.comment:
        said["data", "source", "comment"] = "lines that begin so are left out"
    if data.source.decimal != "." or data.source.thousands:
        said["data", "source", "decimal"] = "CHECK: numbers are read so"
        said["data", "source", "thousands"] = "CHECK: what stands between a number's thousands is left out"
    tokens = proposal.tokens.missing.values()
    said["data", "source", "missing"] = "; ".join(counted(rows) for rows in tokens)
    if proposal.left_out:
        files = "; ".join(f"{name} {reason}" for name, reason in list(proposal.left_out.items())[:8])
        said["data", "source", "uri"] = f"left out: {files}"
    if target.task == "multiclass" and all(map(IS_NUMBER.fullmatch, target.counts)):
        said["data", "task"] = "CHECK: of whole numbers; regression, where the distance between them counts"
    if target.why_positive:
        said["data", "positive"] = target.why_positive
    said |= {("data", "roles", "id", str(r.column)): r.text for r in columns.ids}
    if columns.time is not None:
        said["data", "roles", "time"] = f"{columns.time.text}; kept, but no feature"
    said |= {("data", "kinds", str(r.column)): r.text for r in proposal.kinds}
    if data.exclude:
        said["data", "exclude"] = "to keep a column, take it off this list"
    said |= {("data", "exclude", str(r.column)): r.text for r in (*proposal.leaks.certain, *columns.useless)}
    for name, texts in proposal.tokens.replaced.items():
        said["clean", "replace", name] = f"stands for a missing value: {counted(texts)} rows"
    if target.respelt:
        said["clean", "replace", target.name] = "one class written in two ways, in this table or the test table"
    if proposal.clean.duplicates == "keep":
        said["clean", "duplicates"] = "most rows repeat another: separate cases, not copies of one"
    return said


def _told_target(proposal: Proposal) -> str:
    target = proposal.target
    if target.quartiles:
        low, quarter, middle, three, high = (f"{value:,.6g}" for value in target.quartiles)
        return f"{low} to {high}, median {middle}, half of the rows from {quarter} to {three}"
    total = sum(target.counts.values())
    shares = [
        f"{label if IS_NUMBER.fullmatch(label) else shown(label)} {count / total:.1%}"
        for label, count in list(target.counts.items())[:6]
    ]
    return ", ".join(shares) + (f" and {len(target.counts) - 6} more classes" if len(target.counts) > 6 else "")


def _remarks(proposal: Proposal) -> Iterator[str]:
    likely = [Remark(r.column, f"CHECK {r.text}", r.change) for r in proposal.leaks.likely]
    if likely or proposal.remarks:
        yield "# What else was seen; nothing was done about it"
    for remark in (*likely, *proposal.remarks):
        yield from _comment(f"{remark.column}: {remark.text}" if remark.column else remark.text, "# - ", "#   ")
        if remark.change is not None:
            yield f"#     {remark.change}"


def _defaults(proposal: Proposal) -> Iterator[str]:
    metric = metric_for("auto", proposal.target.task).name
    yield "#"
    yield "# Defaults worth a look; `distml render` writes out all of them"
    yield f"# model: {{families: [{', '.join(ModelConfig().families)}]}}"
    yield f"# search: {{num_samples: {SearchConfig().num_samples}, metric: {metric}}}"
    yield f"# gates: {{{metric}: {{threshold: …}}}}"


# How it is written


def render(value: Mapping[str, Any], comments: Comments, path: tuple[str, ...] = ()) -> list[str]:
    """Lines of YAML for nested mappings; `comments` by path, where the last part may be an item of a list.

    >>> print("\\n".join(render({"a": {"b": ["x", "no"]}, "c": 1}, {("a", "b", "no"): "why", ("c",): "because"})))
    a:
      b:
        - x
        - "no"  # why
    c: 1  # because
    """
    lines: list[str] = []
    indent = "  " * len(path)
    for key, item in value.items():
        here = (*path, str(key))
        head, note = f"{indent}{scalar(key)}:", comments.get(here)
        has_notes = any(other[: len(here)] == here and other != here for other in comments)
        if isinstance(item, Mapping) and (has_notes or len(path) < 2):
            lines += [*_noted(head, note, indent), *render(item, comments, here)]
        elif isinstance(item, list) and has_notes:
            lines += _noted(head, note, indent)
            for part in item:
                lines += _noted(f"{indent}  - {scalar(part)}", comments.get((*here, str(part))), f"{indent}  ")
        else:
            lines += _noted(f"{head} {flow(item)}", note, indent)
    return lines


def _noted(line: str, note: str | None, indent: str) -> list[str]:
    """A line with its comment behind it, or above where it is long; a long line of values is broken."""
    if not note:
        return _broken(line, indent)
    if len(line) + len(note) + 4 <= WIDTH:
        return [f"{line}  # {note}"]
    return [*_comment(note, f"{indent}# ", f"{indent}# "), *_broken(line, indent)]


def _broken(line: str, indent: str) -> list[str]:
    if len(line) <= WIDTH or not line.endswith(("]", "}")):
        return [line]
    # Only between values: a break within quotes would be part of the text.
    parts = re.findall(r'(?:[^,"]|"(?:\\.|[^"\\])*")+,?', line)
    lines, current = [], ""
    for part in parts:
        if current and len(current) + len(part) > WIDTH:
            lines.append(current.rstrip())
            current = f"{indent}    {part.lstrip()}"
        else:
            current += part
    return [*lines, current]


def _comment(text: str, first: str = "# ", rest: str = "# ") -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def flow(value: Any) -> str:
    """A value on one line.

    >>> flow({"?": None, "x": [1, "a b", True]})
    '{"?": null, x: [1, "a b", true]}'
    """
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{scalar(key)}: {flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(flow, value))}]"
    return scalar(value)


def scalar(value: Any) -> str:
    """A scalar, in quotes where YAML would take a text for something else.

    >>> scalar("age"), scalar("yes"), scalar("1e5"), scalar(None), scalar(True), scalar(">50K")
    ('age', '"yes"', '"1e5"', 'null', 'true', '">50K"')
    """
    if not isinstance(value, str):
        text = json.dumps(value)
        return text if "." in text else text.replace("e-", ".0e-").replace("e+", ".0e+")  # 1e-05 is a text in YAML 1.1
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    quoted = json.dumps(value, ensure_ascii=False)  # whose escapes are YAML's too, but those of rare characters
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in quoted)
