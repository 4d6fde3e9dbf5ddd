from html.parser import HTMLParser

import pytest

from distml.evaluation.page import curve, figure, render

ATTACK = "<script>alert(1)</script>"
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Checks that tags nest, and keeps texts, tags and attributes."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def record(number, state="finished", score=0.9, reason=None, **params):
    return {
        "number": number, "family": "mlp", "params": params or {"lr": 0.001, "width": 64}, "state": state,
        "score": score, "best_epoch": 3, "num_epochs": 5, "seconds": 1.25, "reason": reason, "objectives": {},
    }  # fmt: skip


def search(**changes):
    importance = {"families": {"mlp": {"lr": 0.75, "width": 0.25}, "linear": {}}, "family": 0.4,
                  "notes": ("trees: 3 trials with a score, 12 are needed to tell what mattered",)}  # fmt: skip
    study = {"name": "adult", "file": "/store/study.log", "dashboard": "optuna-dashboard /store/study.log",
             "python": 'optuna.load_study(study_name="adult", ...)'}  # fmt: skip
    return {"costs": (), "pareto": (), "importance": importance, "study": study, **changes}


def report(**changes):
    """What `lifecycle.run` gathers, with everything that a page can show."""
    metrics = {"roc_auc": 0.91234, "log_loss": 0.31, "f1": float("nan")}
    return {
        "run": "adult-20260101-120000-ab12", "name": "adult", "version": 3,
        "verdict": {"promoted": False, "reasons": ["roc_auc 0.7 must be at least 0.8"]},
        "metrics": {"test": metrics, "validation": metrics},
        "baselines": {"dummy": metrics, "linear": metrics},
        "decisions": {"threshold": 0.3, "accuracy": 0.87, "precision": 0.71, "recall": 0.66, "f1": 0.684},
        "ensemble": [
            {"trial": 2, "family": "mlp", "weight": 0.75, "num_epochs": 12, "params": {"lr": 0.001, "embedding": "ple"},
             "notes": ["the batch was halved"]},
            {"trial": 1, "family": "trees", "weight": 0.25, "num_epochs": 9, "params": {}, "notes": []},
        ],
        "calibration": "platt", "chosen_on": "the validation rows",
        "best": {"trial": 2, "family": "mlp", "params": {"lr": 0.001}, "validation_score": 0.9},
        "trials": {"finished": 2, "pruned": 1, "failed": 1, "stopped": 0},
        "seconds": {"prepare": 1.5, "tune": 30.0},
        "package": "/store/trained/ab/package", "report": None, "tracking_run": "f00", "endpoint": None,
        "task": "binary", "target": "income", "seed": 0,
        "num_rows": {"train": 30_000, "validation": 6_000, "test": 16_281},
        "slices": {"sex": [{"value": "Male", "rows": 900, "metrics": metrics}, {"value": "Other", "rows": 3}]},
        "latency_p99_ms": 4.2, "metric": "roc_auc", "sign": 1, "families": ("linear", "mlp", "trees"),
        "records": [
            record(1), record(2, score=0.91), record(3, state="pruned", score=0.6),
            record(4, state="failed", score=None, reason="a training loss is a number", lr=1e30, activation="relu"),
        ],
        "findings": [
            {"rule": "no white space around texts", "column": "sex", "count": 4, "action": "replace",
             "examples": ((0, "' Male'"), (7, "' Female'")), "remedy": None, "table": "source"},
            {"rule": "exact repeats", "column": None, "count": 1, "action": "drop", "examples": (), "remedy": None,
             "table": None},
        ],
        "search": search(),
        "lineage": {"source": "adult.data", "prepared": "0123", "searched": "4567", "package": "89ab"},
        **changes,
    }  # fmt: skip


def test_shows_what_the_run_came_to():
    text = " ".join(Page(render(report())).texts)
    for shown in (
        "adult-20260101-120000-ab12", "Not promoted", "version 3", "roc_auc 0.7 must be at least 0.8", "16,281",
        "0.9123", "dummy", "too few rows", "exact repeats", "30.0 s", "a training loss", "75 %", "explains 40 %",
        "12 are needed", "optuna-dashboard /store/study.log", "optuna.load_study(",
    ):  # fmt: skip
        assert shown in text


def test_is_well_formed_and_asks_for_nothing_else():
    html = render(report())
    page = Page(html)
    assert html.startswith("<!doctype html>")
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name in ("src", "href", "srcset", "action") or name[:2] == "on"]
    assert "http:" not in html
    assert "https:" not in html
    assert "@import" not in html
    assert "url(" not in html


def test_the_front_of_several_objectives_is_a_picture_and_a_table():
    records = [{**record(i, score=score), "objectives": {"size_mb": size}}
               for i, score, size in ((1, 0.9, 2.0), (2, 0.8, 1.0), (3, 0.7, 3.0))]  # fmt: skip
    page = Page(render(report(records=records, search=search(costs=("size_mb",), pareto=(1, 2)))))
    assert page.tags.count("svg") == 2
    assert sum(name == "stroke" and value == "var(--ink)" for name, value in page.attributes) == 2
    rows = " ".join(" ".join(page.texts).split())
    assert "trial on the front family roc_auc size_mb 1 mlp 0.9 2 2 mlp 0.8 1 " in rows


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ATTACK},
        {"target": ATTACK},
        {"verdict": {"promoted": False, "reasons": [ATTACK]}},
        {"baselines": {ATTACK: {"roc_auc": 0.5, "log_loss": 0.7, "f1": 0.1}}},
        {"slices": {ATTACK: [{"value": ATTACK, "rows": 3}]}},
        {"records": [record(1, reason=ATTACK, activation=ATTACK)]},
        {"findings": [{"rule": ATTACK, "column": ATTACK, "count": 1, "action": "drop", "examples": ((0, ATTACK),),
                       "remedy": None, "table": "source"}]},
        {"lineage": {"source": ATTACK}},
    ],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_what_comes_from_data_is_escaped(changes):
    html = render(report(**changes))
    page = Page(html)
    assert "script" not in page.tags
    assert any(ATTACK in text for text in page.texts)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": None, "verdict": {"promoted": True, "reasons": []}},
        {"slices": {}, "findings": [], "baselines": {}},
        {"records": [record(1, state="failed", score=None, reason="no")]},
        {"records": [record(1)]},
    ],
    ids=["no version", "nothing found", "no score", "one score"],
)
def test_what_is_not_there_is_left_out(changes):
    Page(render(report(**changes)))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"), (float("nan"), "–"), (0, "0"), (3, "3"), (12345, "12,345"), (0.0, "0"), (0.92708123, "0.9271"),
        (-0.5, "-0.5"), (1e-7, "1e-07"), (1234.5, "1,234.5"), (9999.96, "10,000.0"), (44017.3, "44,017"),
        (-44017.3, "-44,017"), (float("inf"), "inf"),
    ],
)  # fmt: skip
def test_figures(value, shown):
    assert figure(value) == shown


def heights(scores, sign=1):
    picture = curve([record(i, score=score) for i, score in enumerate(scores)], sign)
    return [point["y"] for point in picture["points"]], picture


@pytest.mark.parametrize("sign", [1, -1])
def test_better_scores_are_higher(sign):
    ys, picture = heights([sign * score for score in (0.5, 0.7, 0.6)], sign)
    assert ys[1] < ys[2] < ys[0]
    assert [pair.split(",")[1] for pair in picture["line"].split()] == [f"{y:.1f}" for y in (ys[0], ys[1], ys[1])]


def test_points_lie_within_the_picture():
    ys, picture = heights([0.9, 0.91, 0.92, 0.905, -1e6, 0.5, None])
    assert len(ys) == 6
    assert all(20 <= point["x"] <= 620 and 20 <= point["y"] <= 160 for point in picture["points"])
    assert ys[0] != ys[1]  # one bad trial doesn't flatten the rest


def test_equal_scores_are_level():
    ys, _ = heights([0.5, 0.5, 0.5])
    assert len(set(ys)) == 1


def test_the_package_is_told_by_its_members_and_decisions():
    text = " ".join(" ".join(Page(render(report())).texts).split())
    assert "this version (a blend)" in text
    assert "0.75 2 mlp 12 lr=0.001 embedding=ple the batch was halved" in text
    assert "called positive from a probability of 0.3, after calibration by platt. Of" in text
    alone = render(report(ensemble=report()["ensemble"][:1], decisions={}, calibration=None))
    assert "this version (mlp)" in alone and "called positive" not in alone
