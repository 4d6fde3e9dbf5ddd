"""torch.compile: the same fit, and the same fit where it fails."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from distml.metrics import METRICS
from distml.training import fit
from problems import problem, settings_of, spec_of

AUC = METRICS["roc_auc"]
SPEC = spec_of("mlp", "binary", {"width": 8, "num_blocks": 1, "dropout": 0.0})
TRAIN, VALIDATION = problem("binary", n=100), problem("binary", n=60, seed=1)  # batches of 32, and one of 4


def scores(**settings):
    told = []
    result = fit(
        SPEC, TRAIN, VALIDATION, AUC, settings_of(max_epochs=3, batch_size=32, **settings),
        lambda epoch: told.append((epoch.train_loss, epoch.score)),
    )  # fmt: skip
    return result, told


@pytest.fixture
def compiled_by(monkeypatch):
    """Dynamo as it is, with a backend that takes no minute."""
    torch._dynamo.reset()
    compile_ = torch.compile

    def choose(backend):
        monkeypatch.setattr(torch, "compile", partial(compile_, backend=backend))

    yield choose
    torch._dynamo.reset()


def test_a_compiled_fit_is_the_same_whatever_the_size_of_its_last_batch(compiled_by):
    graphs = []

    def backend(graph, inputs):
        graphs.append([tuple(value.shape) for value in inputs if isinstance(value, torch.Tensor)])
        return graph.forward

    compiled_by(backend)
    result, told = scores(compile=True)
    assert told == scores()[1]
    assert 1 <= len(graphs) <= 2, "one for the first batches, one for any size"
    assert result.notes == ()


def test_where_compiling_fails_the_fit_says_so_and_goes_on(compiled_by):
    def backend(graph, inputs):
        raise RuntimeError("no compiler is there")

    compiled_by(backend)
    result, told = scores(compile=True)
    assert told == scores()[1]
    (note,) = result.notes
    assert note.startswith("train.compile: goes on uncompiled, as torch.compile failed: BackendCompilerFailed: ")
    assert "no compiler is there" in note


def test_a_mistake_in_a_network_is_no_failure_of_compiling(compiled_by):
    compiled_by("eager")
    broken = spec_of("mlp", "binary", {"width": 8}, cardinalities=(2,))  # of rows whose codes go to four
    with pytest.raises(IndexError, match="out of range"):
        fit(broken, TRAIN, None, AUC, settings_of(max_epochs=1, compile=True))


@pytest.mark.slow
def test_inductor_compiles_it():
    result, told = scores(compile=True)
    assert [loss for loss, _ in told] == pytest.approx([loss for loss, _ in scores()[1]], rel=1e-4)
    assert result.notes == ()
