"""Augmentation: each step exactly, what it is seeded by, and that it reaches training and nothing else."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distml.batch import FeatureBatch, InputSpec, TensorSpec
from distml.config import AugmentConfig
from distml.metrics import METRICS
from distml.models import FAMILIES, ModelSpec
from distml.storage import Storage
from distml.training import fit
from distml.training.augment import Augmenter, cut_out, flip, mix_rows, rotate, shift, vary_columns
from distml.training.checkpoint import Checkpoint
from distml.training.rows import Rows
from problems import TASKS, problem, settings_of, spec_of

RNG = np.random.default_rng(0)
IMAGES = torch.from_numpy(RNG.integers(1, 256, (6, 3, 8, 5), np.uint8))


def moved(image, down, right):
    """np.roll with zeros where it wraps around."""
    out = np.roll(image, (down, right), (1, 2))
    out[:, :down] = 0 if down > 0 else out[:, :down]
    out[:, out.shape[1] + down :] = 0 if down < 0 else out[:, out.shape[1] + down :]
    out[:, :, :right] = 0 if right > 0 else out[:, :, :right]
    out[:, :, out.shape[2] + right :] = 0 if right < 0 else out[:, :, out.shape[2] + right :]
    return out


@given(by=st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=6, max_size=6))
def test_a_shift_is_a_roll_filled_with_zeros(by):
    out = shift(IMAGES, np.array(by))
    assert out.dtype == torch.uint8
    for image, (down, right), result in zip(IMAGES.numpy(), by, out.numpy(), strict=True):
        np.testing.assert_array_equal(result, moved(image, down, right))


@pytest.mark.parametrize(("which", "axes"), [("horizontal", [(), (2,)]), ("vertical", [(), (1,)]),
                                             ("both", [(), (1,), (2,), (1, 2)]), ("none", [()])])  # fmt: skip
def test_a_flip_mirrors_some_and_leaves_some(which, axes):
    images = IMAGES[:1].repeat(64, 1, 1, 1)
    out = flip(images, which, np.random.default_rng(0)).numpy()
    wanted = {np.flip(IMAGES[0].numpy(), axis).tobytes() for axis in axes}
    assert {image.tobytes() for image in out} == wanted


@pytest.mark.parametrize(("degrees", "turns"), [(0, 0), (90, 1), (180, 2), (-90, -1)])
def test_a_rotation_by_quarters_is_exact(degrees, turns):
    square = IMAGES[:, :, :5]
    out = rotate(square, np.full(6, degrees))
    wanted = np.rot90(square.numpy(), turns, (2, 3)).astype(np.float32)
    np.testing.assert_allclose(out.numpy(), wanted, atol=1e-2)


def test_a_rotation_keeps_proportions():
    image = torch.zeros(1, 1, 31, 61)
    image[:, :, 13:18, 28:33] = 255  # a square in the middle
    out = rotate(image, np.array([45.0]))
    assert out.sum().item() == pytest.approx(image.sum().item(), rel=0.02)
    rows, columns = np.nonzero(out[0, 0].numpy() > 100)
    assert np.ptp(rows) == np.ptp(columns)  # a diamond, as high as wide


@given(row=st.integers(0, 7), column=st.integers(0, 4), side=st.integers(1, 7))
def test_a_cutout_is_a_square_of_the_fill(row, column, side):
    out = cut_out(IMAGES, np.tile([row, column], (6, 1)), side, (1.0, 2.5, 3.0)).numpy()
    wanted = IMAGES.numpy().astype(np.float32)
    top, left = row - side // 2, column - side // 2
    wanted[:, :, max(top, 0) : top + side, max(left, 0) : left + side] = np.array([1, 2.5, 3])[:, None, None]
    np.testing.assert_array_equal(out, wanted)


def rows_of(task, n=200, weight=None, **shape):
    batch = problem(task, n=n, **shape)
    images = RNG.integers(0, 256, (n, 1, 4, 4), np.uint8)
    batch = replace(batch, tensors={"image": images}, weight=weight)
    return Rows.of(batch, ("image",), torch.device("cpu"))


def augmenter(num_classes=3, seed=1, num_numeric=3, **config):
    return Augmenter(
        config=AugmentConfig.model_validate(config), seed=seed, means=torch.zeros(num_numeric),
        fills={"image": (100.0,)}, num_classes=num_classes,
    )  # fmt: skip


EVERYTHING = {
    "image": {"shift": 1, "flip": "both", "rotate_degrees": 20, "cutout": 2, "mixup": 0.4},
    "tabular": {"noise": 0.1, "feature_dropout": 0.2},
}


@pytest.mark.parametrize(("seed", "epoch", "number", "alike"),
                         [(1, 1, 0, True), (2, 1, 0, False), (1, 2, 0, False), (1, 1, 1, False)])  # fmt: skip
def test_draws_come_from_seed_epoch_and_batch(seed, epoch, number, alike):
    rows = rows_of("multiclass")
    first = augmenter(**EVERYTHING)(rows, 1, 0)
    other = augmenter(seed=seed, **EVERYTHING)(rows, epoch, number)
    assert torch.equal(first.numeric, other.numeric) is alike
    assert torch.equal(first.tensors["image"], other.tensors["image"]) is alike


def test_the_rows_themselves_are_not_changed():
    rows = rows_of("multiclass")
    before = rows.map(torch.clone)
    augmenter(**EVERYTHING)(rows, 1, 0)
    assert torch.equal(rows.numeric, before.numeric)
    assert torch.equal(rows.tensors["image"], before.tensors["image"])


def test_noise_has_the_standard_deviation_asked_for():
    rows = rows_of("regression", n=5000)
    config = AugmentConfig.model_validate({"tabular": {"noise": 0.25}}).tabular
    added = vary_columns(rows, config, torch.zeros(3), np.random.default_rng(0)).numeric - rows.numeric
    assert added.std().item() == pytest.approx(0.25, rel=0.02)
    assert added.mean().item() == pytest.approx(0, abs=0.01)


def test_a_dropped_feature_is_the_mean_or_unknown():
    rows = rows_of("regression", n=5000)
    config = AugmentConfig.model_validate({"tabular": {"feature_dropout": 0.3}}).tabular
    means = torch.tensor([7.0, 8.0, 9.0])
    out = vary_columns(rows, config, means, np.random.default_rng(0))
    struck = out.numeric != rows.numeric
    assert torch.equal(out.numeric[struck], means.expand_as(out.numeric)[struck])
    assert struck.float().mean().item() == pytest.approx(0.3, abs=0.02)
    changed = out.categorical != rows.categorical
    assert set(out.categorical[changed].tolist()) == {1}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("task", TASKS)
def test_mixed_rows_are_convex_in_inputs_and_target(task, weighted):
    weight = RNG.integers(0, 3, 200).astype(np.float32) if weighted else None
    rows = rows_of(task, weight=weight)
    num_classes = {"binary": 2, "multiclass": 3, "regression": 0}[task]
    out = mix_rows(rows, 0.4, num_classes, np.random.default_rng(3))
    generator = np.random.default_rng(3)
    shares, partner = generator.beta(0.4, 0.4, 200).astype(np.float32), generator.permutation(200)
    for name in ("numeric", "image"):
        values = (rows.numeric if name == "numeric" else rows.tensors["image"]).numpy().astype(np.float32)
        mixed = (out.numeric if name == "numeric" else out.tensors["image"]).numpy()
        share = shares.reshape(-1, *[1] * (values.ndim - 1))
        np.testing.assert_allclose(mixed, share * values + (1 - share) * values[partner], rtol=1e-5, atol=1e-4)
    codes = rows.categorical.numpy()
    assert ((out.categorical.numpy() == codes) | (out.categorical.numpy() == codes[partner])).all()
    own, other = shares * rows.weight.numpy(), (1 - shares) * rows.weight.numpy()[partner]
    np.testing.assert_allclose(out.weight.numpy(), own + other, rtol=1e-5)
    target = np.eye(num_classes)[rows.target.numpy()] if num_classes else rows.target.numpy()[:, None]
    mixed = (own[:, None] * target + other[:, None] * target[partner])[own + other > 0]
    found = (out.target.numpy().reshape(200, -1) * out.weight.numpy()[:, None])[own + other > 0]
    np.testing.assert_allclose(found, mixed, rtol=1e-4, atol=1e-5)
    if num_classes:
        np.testing.assert_allclose(out.target.sum(dim=1).numpy(), 1, atol=1e-5)


# In the loop


def curve(spec, train, validation, augment, metric="roc_auc", kill_at=None, **settings):
    told = []

    class Killed(Exception):
        pass

    def on_epoch(result):
        told.append((result.train_loss, result.score))
        if result.epoch == kill_at:
            raise Killed

    settings = settings_of(max_epochs=6, seed=4, augment=AugmentConfig.model_validate(augment), **settings)
    with contextlib.suppress(Killed):
        fit(spec, train, validation, METRICS[metric], settings, on_epoch)
    return told


TRAIN, VALIDATION = problem("binary", n=150), problem("binary", n=60, seed=1)
SPEC = spec_of("mlp", "binary", {"width": 16, "dropout": 0.3})


def test_what_varies_nothing_changes_no_bit():
    """Image keys on rows without images run the whole hook."""
    plain = curve(SPEC, TRAIN, VALIDATION, {})
    assert curve(SPEC, TRAIN, VALIDATION, {"image": {"shift": 2, "cutout": 3}}) == plain


@pytest.mark.parametrize("tabular", [{"noise": 0.3}, {"feature_dropout": 0.3}, {"mixup": 0.4}], ids=str)
@pytest.mark.parametrize("task", TASKS)
def test_every_step_reaches_training(task, tabular):
    train, validation, metric = (
        problem(task, n=150),
        problem(task, n=60, seed=1),
        "rmse" if task == "regression" else "log_loss",
    )
    spec = spec_of("linear", task)
    plain, varied = (curve(spec, train, validation, {"tabular": t}, metric) for t in ({}, tabular))
    assert plain[0][0] != varied[0][0]
    assert all(np.isfinite(loss) for loss, _ in varied)


def test_a_killed_fit_goes_on_with_the_same_variations(tmp_path):
    augment = {"tabular": {"noise": 0.3, "feature_dropout": 0.2, "mixup": 0.4}}
    whole = curve(SPEC, TRAIN, VALIDATION, augment)
    checkpoint = Checkpoint(Storage(tmp_path), "fit.pt")
    curve(SPEC, TRAIN, VALIDATION, augment, kill_at=3, checkpoint=checkpoint, checkpoint_interval_s=0)
    assert curve(SPEC, TRAIN, VALIDATION, augment, checkpoint=checkpoint, checkpoint_interval_s=0) == whole


def test_trees_are_grown_from_the_rows_as_they_are():
    spec = spec_of("trees", "binary")
    scores = [
        [score for _, score in curve(spec, TRAIN, VALIDATION, augment)] for augment in ({}, {"tabular": {"noise": 9}})
    ]
    assert scores[0] == scores[1]


def bars(n, places, seed):
    """n images of 10 x 10 with noise and a bright bar about one of some places: upright in class 1, else lying."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 60, (n, 1, 10, 10), np.uint8)
    target = rng.integers(0, 2, n)
    where = np.array(places)[rng.integers(0, len(places), n)]
    for image, (row, column), is_upright in zip(images, where, target, strict=True):
        reach = (slice(row - 2, row + 3), column) if is_upright else (row, slice(column - 2, column + 3))
        image[0][reach] = 255
    return FeatureBatch(
        numeric=np.empty((n, 0), np.float32), categorical=np.empty((n, 0), np.int64), tensors={"x": images},
        target=target,
    )  # fmt: skip


def test_a_network_learns_from_shifts_what_its_rows_do_not_show():
    """Training images have their bar in the middle; where it is elsewhere only shifted ones teach it."""
    train, middle = bars(300, [(5, 5)], 0), bars(200, [(5, 5)], 1)
    elsewhere = bars(200, [(3, 3), (7, 7), (3, 7), (7, 3)], 2)
    tensor = TensorSpec(shape=(1, 10, 10), mean=(35.0,), std=(40.0,))
    spec = ModelSpec(
        family="mlp", params=FAMILIES["mlp"].complete({"width": 64, "num_blocks": 1}), task="binary",
        input=InputSpec(num_numeric=0, cardinalities=(), num_outputs=2, tensors={"x": tensor}),
    )  # fmt: skip
    metric, settings = METRICS["roc_auc"], settings_of(max_epochs=40, seed=1)
    plain = fit(spec, train, None, metric, settings).model
    varied = fit(
        spec, train, None, metric, replace(settings, augment=AugmentConfig.model_validate({"image": {"shift": 3}}))
    ).model
    assert metric(middle.target, plain.predict(middle)) > 0.99
    assert metric(elsewhere.target, plain.predict(elsewhere)) < 0.8
    assert metric(elsewhere.target, varied.predict(elsewhere)) > 0.95
