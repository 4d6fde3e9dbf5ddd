"""Augmentation: a mini-batch of training rows, varied. Only the training loop calls it, never validation or serving.

Every draw comes from (seed, epoch, number of the batch) alone, so a fit that goes on from a checkpoint sees the rows
that it would have seen. Draws are made on the CPU, the same ones whatever the device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn import functional

from distml.config.augment import AugmentConfig, Flip, ImageAugmentConfig, TabularAugmentConfig
from distml.features.categories import UNKNOWN
from distml.training.rows import Rows


@dataclass(frozen=True, kw_only=True)
class Augmenter:
    """Varies mini-batches.

    means: the training mean of each number, float32 [f]. fills: image column -> the training mean of each channel,
    0 to 255. num_classes: 0 for regression.
    """

    config: AugmentConfig
    seed: int
    means: torch.Tensor
    fills: Mapping[str, tuple[float, ...]]
    num_classes: int

    def __call__(self, rows: Rows, epoch: int, number: int) -> Rows:
        """The rows of the epoch's batch of that number, varied; the order of the steps is part of what is drawn."""
        rng = np.random.default_rng([self.seed, epoch, number])
        tensors = {
            name: vary_images(images, self.config.image, self.fills[name], rng)
            for name, images in sorted(rows.tensors.items())
        }
        rows = replace(vary_columns(rows, self.config.tabular, self.means, rng), tensors=tensors)
        return mix_rows(rows, self.config.mixup, self.num_classes, rng) if self.config.mixup else rows


def vary_images(
    images: torch.Tensor, config: ImageAugmentConfig, fill: tuple[float, ...], rng: np.random.Generator
) -> torch.Tensor:
    """Images [b, ch, h, w] mirrored, turned, moved and cut out, each by its own draw."""
    b, _, h, w = images.shape
    images = flip(images, config.flip, rng)
    if config.rotate_degrees:
        images = rotate(images, rng.uniform(-config.rotate_degrees, config.rotate_degrees, b))
    if config.shift:
        images = shift(images, rng.integers(-config.shift, config.shift + 1, (b, 2)))
    if config.cutout:
        centres = np.column_stack([rng.integers(0, h, b), rng.integers(0, w, b)])
        images = cut_out(images, centres, config.cutout, fill)
    return images


def flip(images: torch.Tensor, which: Flip, rng: np.random.Generator) -> torch.Tensor:
    """Half of the images [b, ch, h, w] mirrored left to right, half of them top to bottom, or both."""
    for name, axis in (("horizontal", 3), ("vertical", 2)):
        if which in (name, "both"):
            chosen = torch.from_numpy(rng.random(len(images)) < 0.5).to(images.device)
            images = torch.where(chosen[:, None, None, None], images.flip(axis), images)
    return images


def rotate(images: torch.Tensor, degrees: np.ndarray) -> torch.Tensor:
    """Images [b, ch, h, w] turned counterclockwise about their middle by degrees [b], float32; zeros fill in."""
    h, w = images.shape[2:]
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    zero = np.zeros_like(cos)
    # From where each pixel comes, in coordinates that run from -1 to 1 along either side.
    theta = np.stack([np.stack([cos, -sin * h / w, zero], 1), np.stack([sin * w / h, cos, zero], 1)], 1)
    grid = functional.affine_grid(torch.from_numpy(theta).float(), list(images.shape), align_corners=False)
    return functional.grid_sample(
        images.float(), grid.to(images.device), mode="bilinear", padding_mode="zeros", align_corners=False
    )


def shift(images: torch.Tensor, by: np.ndarray) -> torch.Tensor:
    """Images [b, ch, h, w] moved by whole pixels [b, 2], down and right; zeros fill in. Exact in every type."""
    b, channels, h, w = images.shape
    moves = torch.from_numpy(by).to(images.device)
    rows = torch.arange(h, device=images.device) - moves[:, :1]  # [b, h]
    columns = torch.arange(w, device=images.device) - moves[:, 1:]  # [b, w]
    inside = ((rows >= 0) & (rows < h))[:, None, :, None] & ((columns >= 0) & (columns < w))[:, None, None, :]
    image = torch.arange(b, device=images.device)[:, None, None, None]
    channel = torch.arange(channels, device=images.device)[None, :, None, None]
    moved = images[image, channel, rows.clamp(0, h - 1)[:, None, :, None], columns.clamp(0, w - 1)[:, None, None, :]]
    return moved.masked_fill(~inside, 0)


def cut_out(images: torch.Tensor, centres: np.ndarray, side: int, fill: tuple[float, ...]) -> torch.Tensor:
    """Images [b, ch, h, w] with a square about each centre [b, 2] filled, float32; what lies outside is cut off.

    DeVries and Taylor (2017), who fill with the mean, as a network's input is zero there.
    """
    h, w = images.shape[2:]
    first = torch.from_numpy(centres - side // 2).to(images.device)
    rows = torch.arange(h, device=images.device) - first[:, :1]
    columns = torch.arange(w, device=images.device) - first[:, 1:]
    within = ((rows >= 0) & (rows < side))[:, None, :, None] & ((columns >= 0) & (columns < side))[:, None, None, :]
    filling = torch.tensor(fill, dtype=torch.float32, device=images.device)[None, :, None, None]
    return torch.where(within, filling, images.float())


def vary_columns(rows: Rows, config: TabularAugmentConfig, means: torch.Tensor, rng: np.random.Generator) -> Rows:
    """Numbers with noise, and numbers and categories with values struck out, each by its own draw."""
    numeric, categorical = rows.numeric, rows.categorical
    if config.noise:
        noise = rng.standard_normal(tuple(numeric.shape), dtype=np.float32) * np.float32(config.noise)
        numeric = numeric + torch.from_numpy(noise).to(rows.device)
    if config.feature_dropout:
        numeric = torch.where(_chosen(numeric, config.feature_dropout, rng), means, numeric)
        unknown = torch.tensor(UNKNOWN, device=rows.device)
        categorical = torch.where(_chosen(categorical, config.feature_dropout, rng), unknown, categorical)
    return replace(rows, numeric=numeric, categorical=categorical)


def _chosen(like: torch.Tensor, share: float, rng: np.random.Generator) -> torch.Tensor:
    return torch.from_numpy(rng.random(tuple(like.shape)) < share).to(like.device)


def mix_rows(rows: Rows, alpha: float, num_classes: int, rng: np.random.Generator) -> Rows:
    """Each row mixed with another one of the batch, inputs and target by one share: Zhang et al. (2018).

    Classes become shares of classes. Codes can't be mixed: each is the other row's as often as its share says. A
    target's share is by weight, so that a row of weight zero still teaches nothing.
    """
    shares = rng.beta(alpha, alpha, len(rows))
    partner = torch.from_numpy(rng.permutation(len(rows))).to(rows.device)
    taken = rng.random(tuple(rows.categorical.shape)) >= shares[:, None]
    share = torch.from_numpy(shares.astype(np.float32)).to(rows.device)
    own, other = share * rows.weight, (1 - share) * rows.weight[partner]
    weight = own + other
    target_share = torch.where(weight > 0, own / weight.clamp_min(1e-30), share)
    target = functional.one_hot(rows.target, num_classes).float() if num_classes else rows.target
    return Rows(
        numeric=_mixed(rows.numeric, partner, share),
        categorical=torch.where(torch.from_numpy(taken).to(rows.device), rows.categorical[partner], rows.categorical),
        tensors={name: _mixed(images.float(), partner, share) for name, images in rows.tensors.items()},
        target=_mixed(target, partner, target_share),
        weight=weight,
    )


def _mixed(values: torch.Tensor, partner: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    share = share.reshape(-1, *[1] * (values.ndim - 1))
    return share * values + (1 - share) * values[partner]
