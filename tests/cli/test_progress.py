"""The live table on a real terminal, and plain lines where there is none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import command, distml, environment
from distml.cli.output import Lines
from distml.tune import TrialRecord
from terminal import INTERRUPT, Terminal

# One trial fails by itself: its learning rate takes it out of all bounds.
CONFIG = """
name: seen
storage: store
data: {source: {uri: "sklearn:digits"}, target: target, task: multiclass}
model: {families: [linear, mlp]}
search:
  num_samples: 60
  metric: log_loss
  scheduler: none
  points_to_evaluate: [{family: linear, params: {lr: 1.0e+30}}]
  space: {linear: {lr: {log: [1.0e-4, 1.0e+30]}}}
train: {max_epochs: 40, batch_size: 8}
"""


RUN_AND_DONE = ("  running  ", "  finished  ")  # as the table has them


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def terminal(folder: Path) -> Iterator[Terminal]:
    started = Terminal(
        command("run", "config.yaml", "--engine", "local"), cwd=folder, env=environment(), width=100, height=30
    )
    yield started
    started.close()


def test_a_search_is_a_table_with_lines_above_it_and_ctrl_c_takes_it_away(terminal: Terminal, folder: Path) -> None:
    shown = terminal.wait_for(lambda lines: all(any(state in line for line in lines) for state in RUN_AND_DONE))
    table = next(i for i, line in enumerate(shown) if line.split()[:3] == ["trial", "family", "state"])
    above = "".join(shown[:table])  # long lines are broken by the terminal
    assert re.search(r" s  run seen-\S+ in .* s  prepare   .* s  trial 1/60: 1 linear failed, .*000001\.txt\)$", above)
    assert re.match(r" +\d+  (linear|mlp) +running +\d+ ", shown[table + 1])
    assert re.match(r"best log_loss \d.*  trial \d+ (linear|mlp)  [▁▂▃▄▅▆▇█]{24}$", shown[-2])
    assert re.match(r"\d+/60 trials · about \d+ (s|min) left · \d+ s gone · 1 running · 1 failed$", shown[-1])
    terminal.press(INTERRUPT)
    assert terminal.wait() == 130
    assert terminal.is_restored
    assert not any(line.split()[:3] == ["trial", "family", "state"] for line in terminal.lines)
    assert "goes on with it" in terminal.lines[-1]


def test_elsewhere_every_trial_has_its_line_and_nothing_moves_the_cursor(folder: Path) -> None:
    small = ["-s", "search.num_samples=3", "-s", "train.max_epochs=2"]
    done = distml("tune", "config.yaml", "--engine", "local", *small, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stderr + done.stdout
    assert [line.split(":")[0].split()[-1] for line in done.stderr.splitlines() if " s  trial " in line] == [
        "1/3", "2/3", "3/3",
    ]  # fmt: skip


def test_what_a_trial_did_by_itself_is_told_when_the_first_does_it(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = Lines()
    for number in (1, 2):
        record = TrialRecord(number=number, family="mlp", params={}, state="finished", score=0.5, notes=("halved",))
        reporter.trial(record, 0.5, number, 2)
    told = [line.split(" s  ")[1] for line in capsys.readouterr().err.splitlines()]
    assert told == [
        "trial 1: halved",
        "trial 1/2: 1 mlp finished, 0.5 after 0 epochs, best 0.5",
        "trial 2/2: 2 mlp finished, 0.5 after 0 epochs, best 0.5",
    ]
