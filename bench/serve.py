"""What a service does beside its peers: one replica, the same machine, rows and predictor, in one run.

    python bench/serve.py                                     # a network on UCI Adult, every side
    python bench/serve.py --table quickstart --seconds 2 --rounds 1 --sides distml,by_hand

Validation, preprocessing and monitoring are on. wrk sends the package's golden rows, a row in each request from 1, 16
and 64 connections, then 1,000 rows in each from 4. Sides are up one at a time, so that none pays for another's idling,
and in turn, so that each meets the machine's moods; every round starts them anew. What is told are medians over rounds,
with the least and the most; CPU is what all processes of a side took per request, which a busy machine disturbs
least. Before it is timed a side has to predict as the predictor does, to 1e-6, and no request may
fail.
- `distml`: `distml deploy`. `unwatched`: the same, noting nothing for the monitor (bench/serving/unwatched).
- `by_hand`: uvicorn, FastAPI and pydantic around the same predictor (bench/serving/by_hand.py).
- `mlflow`: `mlflow models serve --env-manager local` of the same package.

The model is trained into --storage where it isn't there yet, so that the next call begins at once.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from distml.config import load_config
from distml.lifecycle.run import Resources, run
from distml.predictor import Predictor
from distml.registry import StoreRegistry, Version
from distml.storage import Storage
from serving import payload, table
from serving.load import Load, Measured, measure, require_wrk
from serving.payload import Protocol
from serving.sides import Side, by_hand_side, distml_side, mlflow_side, running, unwatched_side

CONFIGS = Path(__file__).parents[1] / "configs"
SIDES = {"distml": distml_side, "by_hand": by_hand_side, "mlflow": mlflow_side, "unwatched": unwatched_side}
# Few trials, and one replica whatever the load.
OVERRIDES = ["search.num_samples=1", "train.max_epochs=6", "gates={}", "serve.autoscaling.min_replicas=1",
             "serve.autoscaling.max_replicas=1"]  # fmt: skip
CASES = {
    "1 row, c=1": (1, 1, payload.ROWS),
    "1 row, c=16": (16, 1, payload.ROWS),
    "1 row, c=64": (64, 1, payload.ROWS),
    "1,000 rows, JSON": (4, 1000, payload.ROWS),
    "1,000 rows, Arrow": (4, 1000, payload.STREAM),
}
TAKES = {  # who is asked what
    "distml": tuple(CASES),
    "by_hand": tuple(CASES)[:4],
    "mlflow": tuple(CASES)[:3],
    "unwatched": tuple(CASES)[:3],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", choices=("adult", "quickstart"), default="adult")
    parser.add_argument("--data", default=os.environ.get("DISTML_DATA", "data"), help="the folder above adult/")
    parser.add_argument("--family", default="mlp")
    parser.add_argument("--storage", help="where the model is, or is trained into; a passing one otherwise")
    parser.add_argument("-s", dest="overrides", action="append", default=[], help="section.key=value of the config")
    parser.add_argument("--sides", default=",".join(SIDES))
    parser.add_argument("--seconds", type=float, default=5, help="of load, each time")
    parser.add_argument("--warm-up", type=float, default=3, help="seconds of each load before, which don't count")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    require_wrk()
    os.environ["DISTML_DATA"] = chosen.data
    with tempfile.TemporaryDirectory(prefix="distml-bench-") as folder:
        bench(Path(folder), chosen)


def bench(folder: Path, chosen: argparse.Namespace) -> None:
    storage = Storage(chosen.storage or folder / "store")
    version = trained(storage, chosen)
    sides = [SIDES[name](name, storage, version) for name in chosen.sides.split(",")]
    predictor = Predictor.load(storage.uri(version.package))
    found: dict[tuple[str, str], list[Measured]] = {}
    for number in range(chosen.rounds):
        for side in sides if number % 2 == 0 else sides[::-1]:
            for case, measured in timed(side, storage, predictor, folder, chosen.seconds, chosen.warm_up).items():
                found.setdefault((side.name, case), []).append(measured)
            print(f"round {number + 1}: {side.name} done", flush=True)
    table.tell(found)


def trained(storage: Storage, chosen: argparse.Namespace) -> Version:
    """The model to be served."""
    name = f"{chosen.table}-{chosen.family}"
    versions = StoreRegistry(storage).versions(name)
    if versions:
        return versions[-1]
    overrides = [f"name={name}", f"storage={storage.root}", f"serve.route=/{name}", f"model.families=[{chosen.family}]"]
    result = run(
        load_config(CONFIGS / f"{chosen.table}.yaml", [*overrides, *OVERRIDES, *chosen.overrides]), Resources()
    )
    assert result.version is not None, "the run registers what it has trained"
    return result.version


def timed(
    side: Side, storage: Storage, predictor: Predictor, folder: Path, seconds: float, warm_up_s: float
) -> dict[str, Measured]:
    """What a side does with each case that it takes, after some of each that isn't counted."""
    rows = payload.golden_rows(predictor)
    found = {}
    with running(side, storage, folder / f"{side.name}.log") as server:
        for case in TAKES[side.name]:
            connections, num_rows, protocol = CASES[case]
            protocol = payload.SPLIT if side.name == "mlflow" else protocol
            payload.check(server.url, protocol, rows, predictor)
            load = load_of(connections, num_rows, protocol, predictor, folder)
            measure(server.url, load, warm_up_s)
            found[case] = measure(server.url, load, seconds, server.cpu_s)
        if side.name in ("distml", "unwatched"):
            payload.check_watched(server.url, is_watched=side.name == "distml")
    return found


def load_of(connections: int, num_rows: int, protocol: Protocol, predictor: Predictor, folder: Path) -> Load:
    bodies = payload.bodies(protocol, payload.golden_rows(predictor), num_rows, predictor, folder)
    return Load(connections=connections, bodies=bodies, rows=num_rows, media_type=protocol.media_type)


if __name__ == "__main__":
    main()
