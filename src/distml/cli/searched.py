"""A run's search as text: its best trial, what runs, trials and families, and what its result tells besides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distml.cli.output import table
from distml.wording import duration, numbered

_MOST_TRIALS = 20


def search_text(search: Mapping[str, Any], width: int | None) -> str:
    """What `search_of` found, for people; no line but those to be copied is wider than `width`."""
    parts = [
        _standing(search),
        _trials(search),
        _families(search),
        _failures(search),
        _importance(search),
        _front(search),
    ]
    lines = "\n\n".join(part for part in parts if part).split("\n")
    told = "\n".join(line if width is None or len(line) <= width else f"{line[: width - 1]}…" for line in lines)
    return told + _study(search)


def _standing(search: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{count} {state}" for state, count in search["counts"].items())
    left = "" if search["left_s"] is None else f"; the budget leaves {duration(search['left_s'])}"
    best = next((trial for trial in search["trials"] if trial["number"] == search["best"]), None)
    lines = [f"trials: {counts}, of {search['num_samples']} in {duration(search['elapsed_s'])}{left}"]
    if best is not None:
        score = f"{search['metric']} {best['score']:.6g} after {numbered(best['best_epoch'], 'epoch')}"
        lines.append(f"best: trial {best['number']} {best['family']}, {score}; {brief(best['params'])}")
    return "\n".join(lines)


def _trials(search: Mapping[str, Any]) -> str:
    """What runs, then the trials that ended, the best first: as many as one looks through."""
    sign = 1 if search["direction"] == "minimize" else -1

    def place(trial: Mapping[str, Any]) -> tuple[bool, float]:
        has_ended, score = trial["state"] not in ("running", "cut off"), trial["score"]
        return has_ended, float("inf") if score is None else sign * score

    rows = sorted(search["trials"], key=place)
    cells = [
        [
            str(trial["number"]), trial["family"], trial["state"], str(trial["num_epochs"]), score_text(trial["score"]),
            duration(trial["seconds"]), brief(trial["params"]),
        ]
        for trial in rows[:_MOST_TRIALS]
    ]  # fmt: skip
    more = len(rows) - len(cells)
    head = ["trial", "family", "state", "epochs", search["metric"], "time", "parameters"]
    told = table(head, cells, texts=("family", "state", "parameters"))
    return told + (f"\n… and {numbered(more, 'more trial')}: --json gives them all" if more else "")


def _families(search: Mapping[str, Any]) -> str:
    rows = [
        [
            one["family"], str(sum(one["counts"].values())), str(one["counts"].get("pruned", 0)),
            str(one["counts"].get("failed", 0)), score_text(one["score"]), duration(one["seconds"]),
        ]
        for one in search["families"]
    ]  # fmt: skip
    return table(["family", "trials", "pruned", "failed", search["metric"], "time"], rows) if len(rows) > 1 else ""


def _failures(search: Mapping[str, Any]) -> str:
    """Why trials failed, and what others did by themselves, that once for all of them."""
    lines = [f"trial {trial['number']}: {trial['reason']}" for trial in search["trials"] if trial["reason"]]
    noted: dict[str, list[int]] = {}
    for trial in search["trials"]:
        for note in trial["notes"]:
            noted.setdefault(note, []).append(trial["number"])
    for note, numbers in noted.items():
        others = f" and {numbered(len(numbers) - 1, 'other')}" if numbers[1:] else ""
        lines.append(f"trial {numbers[0]}{others}: {note}")
    return "\n".join(lines)


def _importance(search: Mapping[str, Any]) -> str:
    """What the scores hung on, by family the largest part first."""
    known = search.get("importance") or {}
    lines = [
        f"{family} hung on {', '.join(f'{name} {part:.0%}' for name, part in parts.items())}"
        for family, parts in (known.get("families") or {}).items()
        if parts
    ]
    if known.get("family") is not None:
        lines.insert(0, f"of the scores' variance the family explains {known['family']:.0%}")
    lines += known.get("notes", ())
    return "\n".join(lines)


def _front(search: Mapping[str, Any]) -> str:
    """The trials that no other beats in every objective."""
    by_number = {trial["number"]: trial for trial in search["trials"]}
    chosen = [by_number[number] for number in search.get("pareto") or () if number in by_number]
    if not chosen:
        return ""
    names = [name for name in chosen[0]["objectives"] if name != "score"]
    rows = [
        [
            str(one["number"]),
            one["family"],
            score_text(one["score"]),
            *(f"{one['objectives'][name]:.4g}" for name in names),
        ]
        for one in chosen
    ]
    return "no other trial beats these in every objective:\n" + table(
        ["trial", "family", search["metric"], *names], rows, texts=["family"]
    )


def _study(search: Mapping[str, Any]) -> str:
    """What opens the search in Optuna's own tools, to be copied."""
    study = search.get("study")
    if not study:
        return ""
    where = f" (copy {study['file']} here first)" if "://" in study["file"] else ""
    return f"\n\nas an Optuna study{where}:\n  {study['dashboard']}\n  {study['python']}"


def brief(params: Mapping[str, Any]) -> str:
    """A trial's parameters in a line.

    >>> brief({"lr": 0.00123456, "width": 128})
    'lr 0.001235, width 128'
    """
    told = {name: f"{value:.4g}" if isinstance(value, float) else str(value) for name, value in params.items()}
    return ", ".join(f"{name} {value}" for name, value in told.items())


def score_text(score: float | None) -> str:
    """
    >>> score_text(0.912345), score_text(42_480.25), score_text(None)
    ('0.91234', '42480', '–')
    """
    return "–" if score is None else f"{score:.5g}"
