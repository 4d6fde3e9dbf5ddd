"""What several processes fit together is what one would have fitted."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from distml.metrics import METRICS
from distml.storage import Storage
from distml.training import fit
from distml.training.checkpoint import Checkpoint
from distml.training.group import Group
from distml.training.shared_norm import SharedBatchNorm, share_batch_norms
from problems import problem, settings_of, spec_of
from sharing import dropped, fit_shared, layers, normalised, rows, together, until_4, weighted

AUC = METRICS["roc_auc"]
CLOSE = 1e-5


def spec(**params):
    return spec_of("mlp", "binary", {"dropout": 0.0, "width": 16, **params})


@pytest.mark.parametrize(("size", "num_rows"), [(1, 5), (2, 7), (3, 2), (4, 64)])
def test_shares_are_all_rows_once_and_as_even_as_can_be(size, num_rows):
    groups = [Group.__new__(Group) for _ in range(size)]
    for rank, group in enumerate(groups):
        group.rank, group.size = rank, size
    rows = [list(range(num_rows))[group.share(num_rows)] for group in groups]
    assert [row for share in rows for row in share] == list(range(num_rows))
    assert max(map(len, rows)) - min(map(len, rows)) <= 1


@pytest.mark.parametrize(
    ("size", "batch_size", "num_rows"),
    [
        (2, 32, 160),
        (3, 50, 151),  # shares of 16 and 17 rows, and a last step of one row, which two workers have none of
    ],
)
def test_a_shared_fit_is_the_fit_of_one(size, batch_size, num_rows):
    train, validation = weighted(num_rows), problem("binary", n=80, noise=1.5, seed=1)
    settings = settings_of(max_epochs=4, batch_size=batch_size, seed=3)
    alone = []
    one = fit(spec(), train, validation, AUC, settings, alone.append)
    (all_of_them, epochs, predicted), *others = together(fit_shared, size, spec(), train, validation, AUC, settings)
    assert others == [None] * (size - 1)
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3, 4]
    assert [epoch.train_loss for epoch in epochs] == pytest.approx([epoch.train_loss for epoch in alone], abs=CLOSE)
    assert [epoch.score for epoch in epochs] == pytest.approx([epoch.score for epoch in alone], abs=1e-3)
    assert all_of_them.best_epoch == one.best_epoch
    assert all_of_them.outputs == pytest.approx(one.outputs, abs=CLOSE)
    assert predicted == pytest.approx(one.fitted.predict(train), abs=CLOSE)


def test_a_fit_goes_on_from_a_state_that_one_or_several_wrote(tmp_path):
    train, validation = weighted(160), problem("binary", n=80, noise=1.5, seed=1)
    settings = settings_of(max_epochs=6, checkpoint_interval_s=0, seed=3)
    whole = []
    fit(spec(), train, validation, AUC, settings, whole.append)
    begun = replace(settings, checkpoint=Checkpoint(Storage(tmp_path), "fit.pt"))
    for result in (
        fit(spec(), train, validation, AUC, begun, lambda epoch: epoch.epoch < 2),
        together(fit_shared, 2, spec(), train, validation, AUC, begun, until_4)[0][0],
    ):
        assert result.is_cut_short
    _, epochs, _ = together(fit_shared, 2, spec(), train, validation, AUC, begun)[0]
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3, 4, 5, 6]
    assert [epoch.train_loss for epoch in epochs] == pytest.approx([epoch.train_loss for epoch in whole], abs=CLOSE)


def test_workers_drop_units_of_their_own():
    masks = together(dropped, 2, spec(dropout=0.5))
    assert masks[0].shape == masks[1].shape
    assert not torch.equal(*masks)


def test_batches_are_normalised_over_all_workers():
    module = layers()
    wanted = [module(rows()) for _ in range(2)][1]
    (wanted * torch.arange(6).reshape(2, 3, 1)).square().sum().backward()
    parts = together(normalised, 3)
    assert torch.allclose(torch.cat([part["made"] for part in parts]), wanted, atol=CLOSE)
    for part in parts:
        for name, value in module.state_dict().items():
            assert torch.allclose(part["state"][name], value, atol=CLOSE), name
        for name, weight in module.named_parameters():
            assert torch.allclose(part["gradients"][name], weight.grad, rtol=1e-3, atol=1e-3), name


def test_a_shared_normalisation_predicts_as_the_layer_that_it_replaces():
    group = Group.__new__(Group)
    module, shared = layers().eval(), share_batch_norms(layers(), group).eval()
    assert torch.equal(module(rows()), shared(rows()))
    assert module.state_dict().keys() == shared.state_dict().keys()
    assert [type(layer) for layer in shared if isinstance(layer, SharedBatchNorm)] == [SharedBatchNorm] * 2
