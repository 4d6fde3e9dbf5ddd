"""What more than it can take does to a service: capacity, then many times as many clients, then calm.

    python bench/overload.py                                  # a linear model of one replica, as `distml deploy` serves
    python bench/overload.py --connections 1024 --rounds 5

wrk asks from 16 connections for the capacity, then from `--connections`, each of which asks again as soon as it is
answered: what is refused comes again at once, so that several times the capacity is offered. A steady client beside it
notes what a single request meets, and /metrics is read once a second. Wanted: nothing but 200, 503 and 429, each
refusal with `Retry-After` and sooner than an answer, and within 10 s of the load's end nothing but 200.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import orjson

from distml.predictor import Predictor
from distml.storage import Storage
from serving.load import Load, measure, require_wrk
from serving.model import quick
from serving.paced import Asked, beside, p99_ms, statuses
from serving.payload import golden_rows
from serving.sides import distml_side, running

PACE = 40.0  # requests of the steady client per second
CALM_S = 12.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--storage", help="where the model is, or is trained into; a passing one otherwise")
    parser.add_argument("--seconds", type=float, default=10, help="of load, each time")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=1024)
    chosen = parser.parse_args()
    require_wrk()
    with tempfile.TemporaryDirectory(prefix="distml-bench-") as folder:
        bench(Path(folder), chosen)


def bench(folder: Path, chosen: argparse.Namespace) -> None:
    storage = Storage(chosen.storage or folder / "store")
    version = quick(storage)
    body = orjson.dumps({"rows": golden_rows(Predictor.load(storage.uri(version.package)))[:1]})
    (folder / "body").write_bytes(body)
    load = Load(connections=16, bodies=(folder / "body",))
    with running(distml_side("distml", storage, version), storage, folder / "log") as server:
        measure(server.url, load, 2)
        for number in range(chosen.rounds):
            rate = measure(server.url, load, chosen.seconds).requests_per_s
            print(f"round {number + 1}: capacity {rate:,.0f} requests/s")
            overload(server.url, folder / "body", body, chosen, rate)


def overload(url: str, path: Path, body: bytes, chosen: argparse.Namespace, rate: float) -> None:
    with beside(url, body, PACE) as asked:
        time.sleep(3)
        began_at = time.monotonic()
        offered = flood(url, path, chosen.connections, chosen.seconds)
        scraped = Counter[int]()
        while offered.poll() is None:
            scraped[status_of(url.removesuffix("/predict") + "/metrics")] += 1
            time.sleep(1)
        ended_at = time.monotonic()
        time.sleep(CALM_S)
    told = next(line for line in offered.communicate()[0].splitlines() if line.startswith("Requests/sec"))
    before = [one for one in asked if one.ended_at < began_at]
    during = [one for one in asked if began_at + 1 <= one.ended_at <= ended_at]
    after = [one for one in asked if one.ended_at > ended_at]
    print(f"  answered under {chosen.connections} connections: {float(told.split()[1]) / rate:.1f} times the capacity")
    tell("before", before)
    tell("under it", during)
    refused = [one for one in during if one.status in (503, 429)]
    print(f"    refused: p99 {p99_ms(refused, 503):.0f} ms; without Retry-After: "
          f"{sum(not one.is_told_when for one in refused)}")  # fmt: skip
    failed_at = [one.ended_at for one in after if one.status != 200]
    print(f"  all 200 again {max(failed_at, default=ended_at) - ended_at:.1f} s after it, wanted <= 10")
    tell("after", [one for one in after if one.ended_at > ended_at + 10])
    print(f"  /metrics under it, by status: {dict(scraped)}")


def flood(url: str, body: Path, connections: int, seconds: float) -> subprocess.Popen[str]:
    script = body.with_suffix(".lua")
    script.write_text(
        f'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
        f'wrk.body = io.open("{body}", "rb"):read("*a")\n'
    )
    command = ["wrk", "-t1", f"-c{connections}", f"-d{round(seconds)}s", "--timeout", "30s", "-s", str(script), url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def tell(name: str, asked: Sequence[Asked]) -> None:
    print(f"  the steady client {name}: p99 of 200 {p99_ms(asked):.0f} ms, by status {dict(statuses(asked))}")


if __name__ == "__main__":
    main()
