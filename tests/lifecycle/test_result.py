"""What a run shows of itself: one line in a notebook, and in the log the rows that it passed over."""

from pathlib import Path

import distml
from distml.config import parse_config
from distml.lifecycle.reporter import Silent
from distml.lifecycle.run import Resources, run


class Told(Silent):
    def __init__(self) -> None:
        self.notes: dict[str, str] = {}

    def done(self, name: str, note: str) -> None:
        self.notes[name] = note


def config_of(folder: Path, content: str) -> str:
    (folder / "t.csv").write_text(content)
    source = f"{{uri: {folder / 't.csv'}, ragged: quarantine}}"
    return f"name: demo\nstorage: {folder / 'store'}\ndata: {{source: {source}, target: y}}\n"


ROWS = "x,y\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(40))


def test_the_log_tells_rows_that_were_left_out_and_by_which_rule(tmp_path):
    told = Told()
    run(parse_config(config_of(tmp_path, ROWS + "1,2,3\n50,\n")), Resources(reporter=told), until="prepare")
    left_out = "left out: 1 (every line has 2 values), 1 (y: a row to learn from has a target)"
    assert told.notes["prepare"].startswith("28 train, 6 validation, 6 test rows; " + left_out)


def test_the_log_tells_nothing_where_nothing_was_left_out(tmp_path):
    told = Told()
    run(parse_config(config_of(tmp_path, ROWS)), Resources(reporter=told), until="prepare")
    assert told.notes["prepare"].startswith("28 train, 6 validation, 6 test rows (")


def test_a_result_is_one_line_in_a_notebook(tmp_path):
    (tmp_path / "config.yaml").write_text(config_of(tmp_path, ROWS))
    result = distml.run(tmp_path / "config.yaml", until="prepare", engine="local")
    assert repr(result).startswith(f"RunResult(run={result.run!r}, version=None")
    assert len(repr(result)) < 1_000
