"""However a table is cut into files and blocks, and wherever the work is done, preparation comes to the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from distml.data import SPLITS, LocalEngine, ingest, split
from distml.data.encode import Dealer
from distml.lifecycle.prepare import Look
from partitions import WAYS, Told, assert_same, assert_same_summary, dirty_table, tell, with_overlap

CLEAN = {
    "replace": {"town": {"ULM": "Ulm", "TRIER": "Trier"}},
    "rules": {"count": {"min": 0, "on_violation": "quarantine"}, "amount": {"max": 95, "on_violation": "clip"}},
}
FEATURES = {
    "derived": {"each": "amount / count", "where": "cross(town, count > 2)"},
    "categorical": {"encode": "target"},
    "columns": {"town": {"encode": "embed"}},
}
TABLE = dirty_table()
TEST = with_overlap(dirty_table(300, seed=9), TABLE)
CASES: dict[str, tuple[dict[str, pa.Table], dict[str, Any]]] = {
    "stratified": (
        {"source": TABLE},
        {"clean": CLEAN, "features": FEATURES, "split": {"folds": 3}, "data": {"roles": {"weight": "weight"}}},
    ),
    "with a test table": (
        {"source": TABLE, "test": TEST},
        {"clean": CLEAN, "data": {"exclude": "note", "roles": {"id": "household"}}},
    ),
    "overlaps and copies are kept": (
        {"source": TABLE, "test": TEST},
        {"clean": {"duplicates": "keep"}, "validate": {"overlap": "warn"}, "data": {"exclude": "note"}},
    ),
    "random, a number": (
        {"source": TABLE},
        {"data": {"target": "amount"}, "features": {"categorical": {"encode": "target"}}, "split": {"folds": 2}},
    ),
    "by group": ({"source": TABLE}, {"split": {"kind": "group", "column": "household", "folds": 3}}),
    "by time": ({"source": TABLE}, {"split": {"kind": "time", "folds": 4}, "data": {"roles": {"time": "day"}}}),
    "by a number as time": ({"source": TABLE}, {"split": {"kind": "time", "column": "count"}}),
    "by a column": (
        {"source": TABLE},
        {
            "split": {"values": {"train": "Ulm", "validation": "Trier", "test": "Hof", "missing": "train"}, "folds": 3},
            "data": {"roles": {"split": "town"}},
            "clean": {
                "replace": {"town": {name.upper(): name for name in ("Ulm", "Trier", "Hof", "Jena")}},
                "rules": {"town": {"allowed": ["Ulm", "Trier", "Hof"], "on_violation": "drop"}},
            },
        },
    ),
    "many classes": ({"source": dirty_table(1200, seed=4, num_classes=200)}, {"split": {"folds": 3}}),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A case's preparation of one file by one thread."""
    known: dict[str, Told] = {}

    def told(case: str) -> Told:
        if case not in known:
            folder = tmp_path_factory.mktemp("whole")
            known[case] = tell(folder, WAYS["one file"], *CASES[case], LocalEngine(num_threads=1))
        return known[case]

    return told


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("way", list(WAYS)[1:])
def test_how_a_table_is_cut_does_not_matter(whole, tmp_path, case, way):
    assert_same(tell(tmp_path, WAYS[way], *CASES[case]), whole(case))


@pytest.mark.parametrize("case", CASES)
def test_tables_may_lie_in_files_and_be_made_by_many_threads(whole, tmp_path, case):
    engine = LocalEngine(max_shelved_bytes=1, num_threads=4)
    assert_same(tell(tmp_path, WAYS["another order"], *CASES[case], engine), whole(case))


@pytest.mark.ray
@pytest.mark.parametrize("case", ["stratified", "with a test table", "by time"])
def test_on_a_cluster_it_is_the_same(whole, tmp_path, ray_session, case):
    from distml.data.on_ray import RayEngine

    assert_same(tell(tmp_path, WAYS["seven files"], *CASES[case], RayEngine()), whole(case))


def test_the_tables_are_as_dirty_as_they_are_meant_to_be(whole):
    """What the comparisons above would not notice if it weren't there."""
    findings = whole("with a test table").num_findings
    actions = {(rule, action, table) for rule, _, action, table in findings}
    assert {
        ("no exact duplicate rows", "drop", None),
        ("no exact duplicate rows in the test table", "keep", None),
        ("no source row equals a test row", "drop", None),
        ("a row to learn from has a target", "drop", "source"),
        ("at least 0", "quarantine", "source"),
        ("at most 95", "clip", "source"),
    } <= actions
    assert ("a row has a time", "day", "warn", "source") in whole("by time").num_findings
    assert ("a row belongs to a group", "household", "warn", "source") in whole("by group").num_findings
    folds = whole("stratified").prepared.features("trees", "train").fold
    assert set(folds.tolist()) == {0, 1, 2}
    assert len(whole("many classes").prepared.target.labels) > 150
    assert whole("stratified").summaries["train"].by_target, "target encoding is fitted out of fold"


# What the first pass can't foresee


@pytest.mark.parametrize("case", CASES)
def test_summaries_are_of_the_rows_that_the_splits_got(tmp_path, case):
    dealt: list[dict] = []

    def look(seen: Look) -> list:
        dealer = Dealer(plan=seen.plan)
        dealt.extend(seen.ingested.map(dealer.deal, seen.ingested.tasks))
        return []

    told = tell(tmp_path, WAYS["row groups"], *CASES[case], look=look)
    for name in SPLITS:
        tables, rows = zip(*(part[name] for part in dealt if name in part), strict=True)
        assert len(np.concatenate(rows)) == told.prepared.num_rows[name]
        summary = told.summaries[name]
        direct = summary.fresh()
        direct.update(pa.concat_tables(tables).unify_dictionaries(), np.concatenate(rows))
        assert_same_summary(direct, summary)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("few_rows", [0, 10**9])
def test_rows_whose_split_is_not_sure_are_told_or_summarised_again(whole, tmp_path, monkeypatch, case, few_rows):
    monkeypatch.setattr(ingest, "_FEW_ROWS", few_rows)
    monkeypatch.setattr(ingest, "_MAX_WAITING", 0.0)
    assert_same(tell(tmp_path, WAYS["seven files"], *CASES[case]), whole(case))


@pytest.mark.parametrize("case", ["stratified", "with a test table", "random, a number", "many classes"])
@pytest.mark.parametrize("way", ["one file", "row groups"])
def test_what_was_foreseen_wrongly_is_summarised_again(whole, tmp_path, monkeypatch, case, way):
    """Parts are sure of cuts at a quarter and a half."""
    monkeypatch.setattr(split, "_bands", lambda *_: [(2.0**62, 2.0**62), (2.0**63, 2.0**63)])
    wrong: list[bool] = []

    def look(seen: Look) -> list:
        for part in seen.ingested.source:
            if part.foreseen is not None:
                sure = part.foreseen != split.UNDECIDED
                wrong.append(bool((part.foreseen != seen.plan.assign(part.keys, part.strata))[sure].any()))
        return []

    assert_same(tell(tmp_path, WAYS[way], *CASES[case], look=look), whole(case))
    assert any(wrong)


def test_rows_that_are_all_one_are_foreseen_wrongly(tmp_path):
    """A part of copies, which are kept, seems to have a thousand rows to tell its cuts from and has one key."""
    copies = TABLE.filter(pa.compute.equal(TABLE.column("label"), "label 1")).slice(0, 1).take(np.zeros(1500, int))
    tables = {"source": pa.concat_tables([TABLE, copies])}
    sections = {"clean": {"duplicates": "keep"}}
    assert_same(
        tell(tmp_path / "a", WAYS["seven files"], tables, sections),
        tell(tmp_path / "b", WAYS["one file"], tables, sections),
    )


def test_copies_of_another_file_are_taken_out_again(whole, tmp_path):
    """A file that stands twice: its second part is summarised before anybody knows."""
    twice = {"source": pa.concat_tables([TABLE, TABLE])}
    told = tell(tmp_path, WAYS["seven files"], twice, CASES["stratified"][1])
    once = whole("stratified")
    assert told.prepared.num_rows == once.prepared.num_rows
    for name in SPLITS:
        assert_same_summary(told.summaries[name], once.summaries[name])
