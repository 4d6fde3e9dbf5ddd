"""Commands that look at what was done: runs, show, report."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from distml.cli.options import DEFAULT_STORAGE, Json, Run, StorageOption
from distml.cli.output import begin, model_of, moment, result, room, table
from distml.cli.searched import brief, search_text


def register(app: typer.Typer) -> None:
    app.command()(runs)
    app.command()(show)
    app.command()(report)


def runs(
    name: Annotated[str | None, typer.Option("--name", help="runs of one model only", metavar="NAME")] = None,
    storage: StorageOption = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """All runs, newest last."""
    begin(json)
    from distml.lifecycle.liveness import run_state
    from distml.lifecycle.runs import list_runs
    from distml.storage import Storage

    home = Storage(storage)
    document = [_brief({**record, "state": run_state(record)}) for record in list_runs(home, name)]
    rows = [
        [entry["run"], entry["state"], moment(entry["started_at"]), _took(entry["seconds"]), _came_to(entry)]
        for entry in document
    ]
    head = ["run", "state", "started", "seconds", "came to"]
    nothing = f"no runs in {home.root}" + (f" of {name}" if name else "")
    result(document, table(head, rows) if rows else nothing)


def _brief(record: dict[str, Any]) -> dict[str, Any]:
    outcome = record.get("result") or {}
    kept = {key: record.get(key) for key in ("run", "name", "state", "started_at", "seconds")}
    verdict = outcome.get("verdict")
    return {**kept, "version": outcome.get("version"), "promoted": verdict["promoted"] if verdict else None}


def _came_to(entry: dict[str, Any]) -> str:
    if entry["version"] is not None:
        return f"{entry['name']}/{entry['version']} {'promoted' if entry['promoted'] else 'refused'}"
    from distml.lifecycle.stages import STAGES

    done = [stage for stage in STAGES if stage in entry["seconds"]]
    return done[-1] if done else "–"


def show(run: Run, storage: StorageOption = DEFAULT_STORAGE, json: Json = False) -> None:
    """One run: its stages, trials, metrics and verdict, or why it failed; --json gives its whole record."""
    begin(json)
    from distml.lifecycle.compare import made_before
    from distml.lifecycle.liveness import run_state
    from distml.lifecycle.runs import list_runs, read_run
    from distml.lifecycle.searches import search_of
    from distml.storage import Storage

    home = Storage(storage)
    record = read_run(home, run)
    record["state"] = run_state(record)
    reused = made_before(record, list_runs(home, record["name"]))
    found = search_of(home, record, is_running=record["state"] == "running")
    searched = "" if found is None else search_text(found, room())
    parts = [_head(record), _stages(record, reused), searched, _outcome(record, found), _end(record)]
    document = record if found is None else {**record, "search": found}
    result(document, "\n\n".join(part for part in [*parts, _places(record, home.uri)] if part))


def _head(record: dict[str, Any]) -> str:
    config = record["config"]
    data = config["data"]
    process = f", process {record['pid']} on {record['host']}" if record.get("pid") else ""
    resumed = "".join(f", resumed {moment(at)}" for at in record.get("resumed_at", ()))
    return "\n".join(
        [
            f"run {record['run']}: {record['state']}",
            f"started {moment(record['started_at'])}{resumed}{process}",
            f"{data['target']} of {data['source']['uri']}, seed {config['seed']}, "
            f"families {', '.join(config['model']['families'])}",
        ]
    )


def _stages(record: dict[str, Any], reused: dict[str, str]) -> str:
    from distml.lifecycle.stages import STAGES

    rows = []
    for stage in [stage for stage in STAGES if stage in record["stages"]]:
        cached = f"cached, as in {reused[stage]}" if stage in reused else ""
        rows.append([stage, f"{record['seconds'][stage]:.1f}", record["stages"][stage], cached])
    return table(["stage", "seconds", "key", ""], rows) if rows else "no stage was finished"


def _outcome(record: dict[str, Any], found: dict[str, Any] | None) -> str:
    """What a run came to: trials where the search's own folder is gone, metrics beside the baselines, the verdict."""
    outcome = record.get("result")
    if not outcome:
        return ""
    parts = []
    if outcome["trials"] and found is None:
        counts = ", ".join(f"{count} {state}" for state, count in outcome["trials"].items() if count)
        best = outcome["best"]
        score = f"validation score {best['validation_score']:.6g}"
        parts.append(
            f"trials: {counts}\nbest: trial {best['trial']} {best['family']}, {score}; {brief(best['params'])}"
        )
    if outcome["metrics"]["test"]:
        parts.append(_metrics(outcome))
    if outcome["verdict"]:
        said = "promoted" if outcome["verdict"]["promoted"] else "not promoted"
        reasons = "\n".join(f"  {reason}" for reason in outcome["verdict"]["reasons"])
        parts.append(f"{outcome['name']}/{outcome['version']} {said}:\n{reasons}")
    return "\n\n".join(parts)


def _metrics(outcome: dict[str, Any]) -> str:
    from distml.evaluation.page import figure

    metrics = outcome["metrics"]
    rows = {"test": metrics["test"], "validation": metrics["validation"]}
    rows |= {f"  {name}, test": scores for name, scores in outcome["baselines"].items()}
    names = list(metrics["test"])
    cells = [[label, *(figure(scores.get(name)) for name in names)] for label, scores in rows.items()]
    return table([model_of(outcome), *names], cells)


def _end(record: dict[str, Any]) -> str:
    """Why a run that didn't finish ended, and what to do."""
    from distml.errors import DistmlError

    if record["state"] in ("finished", "running"):
        return ""
    error = dict(record.get("error") or {})
    kind = error.pop("type", "")
    lines = []
    if error:
        lines.append(f"{kind}: {DistmlError(**error)}")
    elif kind:
        lines.append(f"{kind}, which distml didn't expect")
    elif record["state"] == "lost":
        lines.append("its process is gone and could not say why: killed, or out of memory")
    again = "the run's command, given again," if record.get("lost_password") else f"`distml resume {record['run']}`"
    return "\n".join([*lines, f"{again} goes on from what is finished"])


def _places(record: dict[str, Any], uri: Any) -> str:
    outcome = record.get("result") or {}
    places = {"report": outcome.get("report"), "package": outcome.get("package")}
    places["record"] = uri(f"runs/{record['run']}/run.json")
    return "\n".join(f"{name}: {place}" for name, place in places.items() if place)


def _took(seconds: dict[str, float]) -> str:
    return f"{sum(seconds.values()):.1f}"


def report(run: Run, storage: StorageOption = DEFAULT_STORAGE, json: Json = False) -> None:
    """The path of a run's HTML report."""
    begin(json)
    from distml.errors import NotFoundError
    from distml.lifecycle.runs import read_run
    from distml.storage import Storage

    home = Storage(storage)
    read_run(home, run)
    key = f"runs/{run}/report.html"
    if not home.exists(key):
        raise NotFoundError("a run has a report once it was evaluated", received=run)
    result({"run": run, "report": home.uri(key)}, home.uri(key))
