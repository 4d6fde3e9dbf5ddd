"""What hostile requests cost those beside them: the p99 of a steady client, alone and beside the hostile table.

    PYTHONPATH=tests python bench/hostile.py                  # a linear model of one replica, as `distml deploy` serves
    PYTHONPATH=tests python bench/hostile.py --rounds 10 --seconds 10

The table is that of tests/hostility/table.py, sent by a process of its own, one request after another and again,
`--rate` of them a second. Wanted: no request of the steady client fails, no hostile one gets a 5xx, and the p99 beside
them is at most 1.5 times that alone. Rounds alternate, so that both meet the machine's moods; what is told are medians.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import statistics
import tempfile
import time
from collections import Counter
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from distml.predictor import Predictor
from distml.storage import Storage
from hostility.raw import Raw, answers_to
from hostility.table import hostile_requests
from serving.model import quick
from serving.paced import Asked, beside, p99_ms, statuses
from serving.payload import golden_rows
from serving.sides import distml_side, running


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--storage", help="where the model is, or is trained into; a passing one otherwise")
    parser.add_argument("--seconds", type=float, default=10, help="of each part of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pace", type=float, default=50, help="requests of the steady client per second")
    parser.add_argument("--rate", type=float, default=20, help="hostile requests per second")
    parser.add_argument("--only", default="", help="hostile requests whose name has this")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="distml-bench-") as folder:
        bench(Path(folder), chosen)


def bench(folder: Path, chosen: argparse.Namespace) -> None:
    storage = Storage(chosen.storage or folder / "store")
    version = quick(storage)
    row = golden_rows(Predictor.load(storage.uri(version.package)))[0]
    number = next(name for name, value in row.items() if isinstance(value, float))
    body, answered = orjson.dumps({"rows": [row]}), Counter[int]()
    alone: list[list[Asked]] = []
    amid: list[list[Asked]] = []
    with running(distml_side("distml", storage, version), storage, folder / "log") as server:
        for _ in range(chosen.rounds + 1):
            with beside(server.url, body, chosen.pace) as asked:
                time.sleep(chosen.seconds)
            alone.append(asked)
            hostile = Hostile(server.url, row, number, version.name, chosen)
            with hostile, beside(server.url, body, chosen.pace) as asked:
                time.sleep(chosen.seconds)
            amid.append(asked)
            answered += hostile.answered
    tell(alone[1:], amid[1:], answered)  # the first round warms up


class Hostile:
    """A process that sends the table while the block runs. answered: how often it got which status."""

    def __init__(self, url: str, row: dict[str, Any], number: str, model: str, chosen: argparse.Namespace) -> None:
        self.answered = Counter[int]()
        self._stop, self._told = multiprocessing.Event(), multiprocessing.Queue()
        arguments = (url, row, number, model, chosen.rate, chosen.only, self._stop, self._told)
        self._process = multiprocessing.Process(target=send, args=arguments)

    def __enter__(self) -> Hostile:
        self._process.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self.answered = self._told.get(timeout=120)
        self._process.join()


def send(
    url: str, row: dict[str, Any], number: str, model: str, rate: float, only: str, stop: Event, told: Any
) -> None:
    """The table, again and again; its bodies are made before the first is sent."""
    port, route = urlsplit(url).port or 0, urlsplit(url).path.removesuffix("/predict")
    raws = []
    for hostile in hostile_requests(row, number, model):
        if only in hostile.name:
            body = hostile.make()
            headers = {"Host": "localhost", "Content-Length": str(len(body)), **hostile.headers}
            head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            line = f"{hostile.method} {route}{hostile.path} HTTP/1.1\r\n"
            raws.append(Raw(name=hostile.name, pieces=[f"{line}{head}\r\n".encode(), body], statuses=(hostile.status,)))
    answered = Counter[int]()
    for raw in itertools.cycle(raws):
        if stop.wait(1 / rate):
            break
        (answer,) = answers_to(port, raw)
        answered[answer.status if answer is not None else 0] += 1
    told.put(answered)


def tell(alone: list[list[Asked]], amid: list[list[Asked]], answered: Counter[int]) -> None:
    print(f"hostile requests, by status: {dict(sorted(answered.items()))}")
    for name, rounds in (("alone", alone), ("beside them", amid)):
        found = sum((statuses(one) for one in rounds), Counter[int]())
        times = [p99_ms(one) for one in rounds]
        spread = f"{statistics.median(times):.1f} ms ({min(times):.1f} to {max(times):.1f})"
        print(f"the steady client {name}: p99 {spread}, by status {dict(found)}")
    ratios = [p99_ms(b) / p99_ms(a) for a, b in zip(alone, amid, strict=True)]
    ratio = statistics.median(map(p99_ms, amid)) / statistics.median(map(p99_ms, alone))
    print(f"p99 beside / alone: {ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f}), wanted <= 1.5")


if __name__ == "__main__":
    main()
