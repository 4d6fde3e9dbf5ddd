"""Rows per second of distml's training loop beside a loop written by hand for it, on one GPU. Ray is not needed.

    python bench/gpu.py                          # on a GPU
    python bench/gpu.py --device cpu --rows 20000 --rounds 5

Both sides train the same network, at its family's default parameters, on the same rows of 40 numbers and 8 categories,
with the same batches, fused AdamW, clipping and precision, and with all rows on the device. A side's first epochs, in
which it allocates and warms up, don't count. The sides take turns, and the ratio, distml's rows per second by the other
loop's, is the median over rounds; at least 0.95 is wanted of each.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from distml.batch import FeatureBatch, InputSpec
from distml.config.train import TrainConfig
from distml.metrics import METRICS
from distml.models import FAMILIES, ModelSpec, build_network, learned
from distml.models.network import parameter_groups
from distml.training import EpochResult, FitSettings, fit

NUM_NUMBERS, CARDINALITIES = 40, (5, 5, 10, 10, 20, 50, 100, 1000)
WARM_UP = 1  # epochs that don't count
CLOCKS = {"cuda": time.perf_counter, "cpu": time.process_time}  # a CPU is shared, so its own time is counted


def rows(n: int) -> FeatureBatch:
    """n rows of two classes that follow from the first numbers."""
    rng = np.random.default_rng(0)
    numeric = rng.normal(size=(n, NUM_NUMBERS)).astype(np.float32)
    target = (numeric[:, :5].sum(axis=1) + rng.normal(size=n) > 0).astype(np.int64)
    codes = np.column_stack([rng.integers(0, k, n) for k in CARDINALITIES])
    return FeatureBatch(numeric=numeric, categorical=codes, target=target)


def spec_of(family: str, train: FeatureBatch) -> ModelSpec:
    inputs = InputSpec(num_numeric=NUM_NUMBERS, cardinalities=CARDINALITIES, num_outputs=2)
    spec = ModelSpec(family=family, params=dict(FAMILIES[family].defaults), input=inputs, task="binary")
    return learned(spec, train)


def by_distml(spec: ModelSpec, train: FeatureBatch, config: TrainConfig, num_threads: int) -> float:
    """Seconds of the epochs after the warm-up."""
    ends: list[float] = []
    clock = CLOCKS[config.device]

    def on_epoch(result: EpochResult) -> None:
        ends.append(clock())

    fit(spec, train, None, METRICS["roc_auc"], FitSettings(config=config, num_threads=num_threads), on_epoch)
    return ends[-1] - ends[WARM_UP - 1]


def by_hand(spec: ModelSpec, train: FeatureBatch, config: TrainConfig, num_threads: int) -> float:
    """The same epochs, by the loop that one would write for them."""
    torch.set_num_threads(num_threads)
    torch.manual_seed(0)
    device = torch.device(config.device)
    module = build_network(spec).to(device)
    groups = [{"lr": spec.params["lr"], "weight_decay": spec.params["weight_decay"], **group}
              for group in parameter_groups(module)]  # fmt: skip
    optimizer = torch.optim.AdamW(groups, fused=True)
    numeric, categorical = torch.from_numpy(train.numeric).to(device), torch.from_numpy(train.categorical).to(device)
    assert train.target is not None
    target = torch.from_numpy(train.target).to(device)
    parameters = list(module.parameters())
    ends: list[float] = []
    for _ in range(config.max_epochs):
        module.train()
        total = torch.zeros((), device=device)
        assert isinstance(config.batch_size, int)
        for index in torch.randperm(len(target), device=device).split(config.batch_size):
            with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16"):
                outputs = module(numeric[index], categorical[index], {})
                members = outputs.reshape(len(index), -1, 2)  # of which most families have one
                every = target[index].repeat_interleave(members.shape[1])
                loss = nn.functional.cross_entropy(members.flatten(0, 1), every)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, config.clip_norm or torch.inf)
            optimizer.step()
            total += loss.detach() * len(index)
        total.item()
        ends.append(CLOCKS[config.device]())
    return ends[-1] - ends[WARM_UP - 1]


def measured(family: str, n: int, config: TrainConfig, rounds: int, num_threads: int) -> dict[str, Any]:
    train = rows(n)
    spec = spec_of(family, train)
    num_rows = n * (config.max_epochs - WARM_UP)
    sides: dict[str, list[float]] = {"distml": [], "by_hand": []}
    for number in range(rounds):
        turns = [("distml", by_distml), ("by_hand", by_hand)]
        for side, run in turns if number % 2 else turns[::-1]:
            sides[side].append(num_rows / run(spec, train, config, num_threads))
    ratio = statistics.median(a / b for a, b in zip(sides["distml"], sides["by_hand"], strict=True))
    return {"family": family, **{side: statistics.median(values) for side, values in sides.items()}, "ratio": ratio}


def results(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    precision = arguments.precision
    if precision == "auto":
        precision = "bf16" if arguments.device == "cuda" and torch.cuda.is_bf16_supported() else "float32"
    config = TrainConfig.model_validate(
        {
            "max_epochs": WARM_UP + arguments.epochs,
            "batch_size": arguments.batch_size,
            "precision": precision,
            "device": arguments.device,
        }
    )
    for family in arguments.families.split(","):
        found = measured(family, arguments.rows, config, arguments.rounds, arguments.threads)
        yield {**found, "device": arguments.device, "precision": precision, "batch_size": arguments.batch_size}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--families", default="mlp,tabm,ft_transformer")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--epochs", type=int, default=3, help="that count, each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="of torch on the CPU")
    parser.add_argument("--precision", choices=["auto", "float32", "bf16"], default="auto")
    parser.add_argument("--json", action="store_true", help="one JSON document, nothing else")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch sees no GPU: give --device cpu")
    found = []
    for result in results(arguments):
        found.append(result)
        if not arguments.json:
            print(
                f"{result['family']:15} distml {result['distml']:12,.0f} rows/s   by hand {result['by_hand']:12,.0f}"
                f"   ratio {result['ratio']:.3f}   ({result['precision']}, batch {result['batch_size']})",
                flush=True,
            )
    if arguments.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
