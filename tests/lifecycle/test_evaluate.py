"""Which rows a champion and a challenger are compared on."""

from types import SimpleNamespace

import numpy as np
import pytest

from distml.config import RunConfig
from distml.data import LocalEngine
from distml.lifecycle.evaluate import _unseen
from distml.lifecycle.prepare import prepare
from distml.storage import Storage


def write_rows(path, start, stop):
    lines = [f"{i},{(i * 37) % 101},{'yes' if (i * 7919) % 2 else 'no'}" for i in range(start, stop)]
    path.write_text("\n".join(["a,b,y", *lines]) + "\n")


@pytest.fixture
def prepared(tmp_path):
    """Prepares rows `start` to `stop` of one endless table, with another table of its own for testing if named."""
    storage = Storage(tmp_path / "store")

    def made(start, stop, test=None, seed=0, **data):
        path = tmp_path / f"{start}-{stop}.csv"
        write_rows(path, start, stop)
        tables = {"source": {"uri": str(path)}}
        if test is not None:
            own = tmp_path / f"test-{test[0]}-{test[1]}.csv"
            write_rows(own, *test)
            tables["test"] = {"uri": str(own)}
        config = RunConfig(name="rows", storage=storage.root, seed=seed, data={**tables, "target": "y", **data})
        return prepare(config, storage, LocalEngine())

    return made


def champion_of(prepared):
    lineage = {"prepared": prepared.key, "test_table": prepared.test_key, "split": prepared.plan.to_dict()}
    return SimpleNamespace(lineage=lineage)


def fitted_on(prepared):
    return np.concatenate([prepared.features("dense", split).rows for split in ("train", "validation")])


def unseen_by(champion, challenger):
    table, rows = challenger.rows("test")
    return rows, _unseen(challenger.storage, champion_of(champion), challenger, table, rows)


def test_rows_that_the_champion_was_fitted_on_are_left_out(prepared):
    champion, challenger = prepared(0, 1000), prepared(500, 1500, seed=1)
    rows, unseen = unseen_by(champion, challenger)
    assert unseen.tolist() == [row not in set(fitted_on(champion)) for row in rows]
    assert 0 < unseen.sum() < len(rows)


def test_rows_that_are_new_are_all_used(prepared):
    rows, unseen = unseen_by(prepared(0, 1000), prepared(2000, 3000))
    assert len(rows) == 150
    assert unseen.all()


def test_another_test_table_is_used_but_for_rows_fitted_on(prepared):
    champion, challenger = prepared(0, 1000, test=(5000, 5200)), prepared(2000, 3000, test=(900, 1100))
    rows, unseen = unseen_by(champion, challenger)
    assert (len(rows), unseen.sum()) == (200, 100)


def test_the_same_test_table_is_used_whole(prepared):
    _, unseen = unseen_by(prepared(0, 1000, test=(5000, 5200)), prepared(2000, 3000, test=(5000, 5200)))
    assert unseen.all()


@pytest.mark.parametrize("why", ["no longer in storage", "of other columns"])
def test_without_the_champions_rows_its_split_decides(prepared, why):
    champion = prepared(0, 1000)
    challenger = prepared(500, 1500, **({"exclude": ["b"]} if why == "of other columns" else {}))
    if why == "no longer in storage":
        champion.storage.delete(champion.prefix)
    table, rows = challenger.rows("test")
    _, unseen = unseen_by(champion, challenger)
    assert unseen.tolist() == (champion.plan.deal(table, rows) == 2).tolist()
