import pickle

import pytest
import torch

from distml.storage import Storage
from distml.training.checkpoint import Checkpoint


@pytest.fixture
def checkpoint(tmp_path):
    return Checkpoint(Storage(tmp_path), "trials/000001.pt")


def test_there_is_none_at_first(checkpoint):
    assert checkpoint.load() is None
    checkpoint.delete()


def test_a_checkpoint_reads_as_it_was_written(checkpoint):
    checkpoint.save({"module": {"w": torch.arange(3.0)}, "epochs": [{"epoch": 4}], "best_score": float("nan")})
    state = checkpoint.load()
    assert torch.equal(state["module"]["w"], torch.tensor([0.0, 1.0, 2.0]))
    assert state["epochs"] == [{"epoch": 4}]
    assert state["best_score"] != state["best_score"]


def test_writing_replaces_and_leaves_nothing_else(checkpoint, tmp_path):
    for epoch in (1, 2):
        checkpoint.save({"epoch": epoch})
    assert checkpoint.load() == {"epoch": 2}
    assert list((tmp_path / "trials").iterdir()) == [tmp_path / "trials" / "000001.pt"]


def test_a_failed_write_leaves_the_last_whole_one(checkpoint):
    checkpoint.save({"epoch": 1})
    with pytest.raises((AttributeError, pickle.PicklingError)):
        checkpoint.save({"epoch": 2, "bad": lambda: None})
    assert checkpoint.load() == {"epoch": 1}


def test_a_deleted_one_is_gone(checkpoint):
    checkpoint.save({"epoch": 1})
    checkpoint.delete()
    assert checkpoint.load() is None


class Executes:
    def __reduce__(self):
        return print, ("executed",)


def test_code_is_refused(checkpoint, tmp_path, capsys):
    (tmp_path / "trials").mkdir()
    torch.save({"epoch": Executes()}, tmp_path / "trials" / "000001.pt")
    with pytest.raises(pickle.UnpicklingError):
        checkpoint.load()
    assert capsys.readouterr().out == ""
