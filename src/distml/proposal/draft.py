"""A proposal as the YAML of a run config, with a comment for each thing that was supposed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from distml.config import ModelConfig, SearchConfig, parse_config
from distml.errors import ConfigError
from distml.inspection import Remark
from distml.inspection.remark import counted, shown
from distml.metrics import metric_for
from distml.proposal.commented import comment, render
from distml.proposal.propose import Proposal
from distml.reading.header import IS_NUMBER


def draft(proposal: Proposal, path: str) -> str:
    """The text of a run config that is to be written to a path.

    Raises `ConfigError` where the table's names can't be told from what a config means by them, as `${x}` can't.
    """
    lines = [
        *comment(_introduction(proposal)),
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


def _introduction(proposal: Proposal) -> str:
    rows = (
        f"all of its {proposal.num_rows:,} rows" if proposal.is_whole else f"{proposal.num_rows:,} rows from all over"
    )
    how = "It runs once source.ragged says what becomes of some lines" if proposal.ragged else "It runs as it is"
    return (
        f"A run config for {proposal.data.source.uri}, drafted by `distml init` from {rows}. {how}; what the comments "
        "suppose is yours to check."
    )


def _config(proposal: Proposal) -> dict[str, Any]:
    data = proposal.data.model_dump(mode="json", exclude_defaults=True)
    source = proposal.data.source.model_dump(mode="json")
    data["source"]["missing"] = [text for text in source["missing"] if text]
    if proposal.data.test is not None:
        test = proposal.data.test.model_dump(mode="json")
        data["test"] = {key: item for key, item in test.items() if key == "uri" or item != _inherited(source, key)}
    data["source"] = {key: item for key, item in data["source"].items() if item != []}
    if proposal.ragged:
        data["source"]["ragged"] = proposal.data.source.ragged
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
        why = "the header names none, or one twice" if data.source.header else "the file names none"
        said["data", "source", "columns"] = f"CHECK: made up where {why}; give better names, in this order"
    if data.source.comment:
        said["data", "source", "comment"] = "lines that begin so are left out"
    if data.source.decimal != "." or data.source.thousands:
        said["data", "source", "decimal"] = "CHECK: numbers are read so"
        said["data", "source", "thousands"] = "CHECK: what stands between a number's thousands is left out"
    if proposal.ragged:
        said["data", "source", "ragged"] = (
            f"CHECK: a run ends at lines with another number of values than the others ({proposal.ragged}). drop and "
            "quarantine leave them out, quarantine into a file of their own; pad fills up short ones"
        )
    if proposal.aligned:
        files = "; ".join(f"{name} {reason}" for name, reason in list(proposal.aligned.items())[:8])
        said["data", "source", "schema_changes"] = (
            f"CHECK: files are read as one table of the columns that most have, missing where absent, though {files}"
        )
        said["data", "source", "rename"] = "CHECK: taken for one column under two names"
    if proposal.split is not None:
        said["data", "roles", "split"] = proposal.split.text
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
        said["clean", "replace", name] = f"stands for a missing value, in rows: {counted(texts)}"
    if target.respelt:
        most = max(Counter(target.respelt.values()).values()) + 1
        ways = {2: "two", 3: "three", 4: "four"}.get(most, str(most))
        said["clean", "replace", target.name] = f"one class written in {ways} ways, in this table or the test table"
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
        yield from comment(f"{remark.column}: {remark.text}" if remark.column else remark.text, "# - ", "#   ")
        if remark.change is not None:
            yield f"#     {remark.change}"


def _defaults(proposal: Proposal) -> Iterator[str]:
    metric = metric_for("auto", proposal.target.task).name
    yield "#"
    yield "# Defaults worth a look; `distml render` writes out all of them"
    yield f"# model: {{families: [{', '.join(ModelConfig().families)}]}}"
    yield f"# search: {{num_samples: {SearchConfig().num_samples}, metric: {metric}}}"
    yield f"# gates: {{{metric}: {{threshold: …}}}}"
