import pickle

import pytest
import torch

from distml.training.checkpoint import load_checkpoint, save_checkpoint


def test_a_checkpoint_reads_as_it_was_written(tmp_path):
    path = tmp_path / "new" / "fit.pt"
    save_checkpoint(path, {"module": {"w": torch.arange(3.0)}, "epoch": 4, "best_score": float("nan")})
    state = load_checkpoint(path)
    assert torch.equal(state["module"]["w"], torch.tensor([0.0, 1.0, 2.0]))
    assert state["epoch"] == 4
    assert state["best_score"] != state["best_score"]


def test_writing_replaces_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "fit.pt"
    for epoch in (1, 2):
        save_checkpoint(path, {"epoch": epoch})
    assert load_checkpoint(path) == {"epoch": 2}
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_last_whole_one(tmp_path):
    path = tmp_path / "fit.pt"
    save_checkpoint(path, {"epoch": 1})
    with pytest.raises((AttributeError, pickle.PicklingError)):
        save_checkpoint(path, {"epoch": 2, "bad": lambda: None})
    assert load_checkpoint(path) == {"epoch": 1}


class Executes:
    def __reduce__(self):
        return print, ("executed",)


def test_code_is_refused(tmp_path, capsys):
    path = tmp_path / "fit.pt"
    torch.save({"epoch": Executes()}, path)
    with pytest.raises(pickle.UnpicklingError):
        load_checkpoint(path)
    assert capsys.readouterr().out == ""
