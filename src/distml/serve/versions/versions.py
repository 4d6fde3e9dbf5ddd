"""`Versions`: brings a replica to the traffic that is wanted, by a thread beside the traffic that there is.

A version is read from storage, its checksums verified, its golden rows replayed, and warmed up; then everything changes
by one reference. A version that fails any of this is refused: what answered before goes on, and the report says why.
What answers is asked its golden rows again and again; a version that no longer reproduces them is taken out.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from distml import code
from distml.errors import DistmlError
from distml.predictor import Predictor
from distml.serve.traffic import Deployed, Traffic
from distml.serve.versions.live import Live, Serving
from distml.storage import Storage
from distml.threads import num_threads

_NICE = 10


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of a traffic that was asked for: the versions that are held, the one that answers what no other has a
    share of, and why others were refused."""

    asked_at: float
    versions: tuple[int, ...]
    main: int | None
    errors: Mapping[int, str] = field(default_factory=dict)


class Versions:
    """Loads what is wanted, and checks what is live.

    swap: is called with what answers from now on; told: with what came of each wish. Both on the thread that loads.
    """

    def __init__(
        self, storage: Storage, *, swap: Callable[[Serving], None], told: Callable[[Report], None],
        device: str = "cpu", max_batch_rows: int = 256, check_interval_s: float = 5.0,
    ) -> None:  # fmt: skip
        self._storage = storage
        self._swap = swap
        self._told = told
        self._device = device
        self._max_batch_rows = max_batch_rows
        self._check_interval_s = check_interval_s
        self._wanted: Traffic | None = None
        self._loaded: dict[Deployed, Predictor] = {}
        self._serving: Serving | None = None
        self._report: Report | None = None
        self._changed = threading.Event()
        self._is_stopped = False

    def start(self, traffic: Traffic) -> None:
        """Loads what a new replica is to answer with: the last good version where the main one can't be loaded.

        Raises what loading it raised where neither can, a `DistmlError` as a rule.
        """
        self._wanted = traffic
        self._bring(traffic)
        threading.Thread(target=self._follow, name="versions", daemon=True).start()

    def want(self, traffic: Traffic) -> None:
        """Notes what is wanted, and returns."""
        self._wanted = traffic
        self._changed.set()

    def tell_again(self) -> None:
        """Repeats the last report."""
        if self._report is not None:
            self._told(self._report)

    def stop(self) -> None:
        """Lets the thread end; what it loads meanwhile is neither swapped in nor told."""
        self._is_stopped = True
        self._changed.set()

    def check(self) -> None:
        """Has every live version reproduce its golden rows, and takes out those that don't."""
        assert self._serving is not None, "checked after the start"
        failed = {live.number: why for live in self._serving.lives if (why := _why_unfit(live)) is not None}
        if failed:
            self._take_out(self._serving, failed)

    def _follow(self) -> None:
        _step_back()
        while True:
            is_asked = self._changed.wait(self._check_interval_s)
            self._changed.clear()
            if self._is_stopped:
                return
            wanted = self._wanted
            assert wanted is not None, "set by the start"
            try:
                if is_asked:
                    self._bring(wanted)
                else:
                    self.check()
            except Exception as error:  # the thread outlives whatever goes wrong: the next wish may be one that works
                logging.getLogger(__name__).exception("versions")
                self._tell(wanted.asked_at, {wanted.main.version: _said(error)})

    def _bring(self, traffic: Traffic) -> None:
        """Loads what isn't, and swaps where the main version is there; else what answered before goes on."""
        code.allow(traffic.allow_code)
        loaded: dict[Deployed, Predictor] = {}
        failed: dict[int, Exception] = {}
        for deployed in traffic.versions.values():
            try:
                loaded[deployed] = self._loaded.get(deployed) or self._load(deployed)
            except Exception as error:  # noqa: BLE001 - whatever refuses a version is its report
                failed[deployed.version] = error
        if self._is_stopped:
            return
        errors = {number: _said(error) for number, error in failed.items()}
        main = self._main(traffic, loaded)
        if main is not None:
            self._replace(self._serving_of(traffic, main, loaded), loaded)
        self._tell(traffic.asked_at, errors)
        if self._serving is None:
            raise failed[traffic.main.version]

    def _main(self, traffic: Traffic, loaded: Collection[Deployed]) -> Deployed | None:
        """Who is to answer: the main version, in a new replica else the last good one; None where neither is loaded."""
        choices = [traffic.main, *([traffic.last_good] if self._serving is None else [])]
        return next((deployed for deployed in choices if deployed in loaded), None)

    def _load(self, deployed: Deployed) -> Predictor:
        with self._storage.local_folder(deployed.package) as folder:
            predictor = Predictor.load(folder, self._device)
        predictor.warm_up()
        return predictor

    def _serving_of(self, traffic: Traffic, main: Deployed, loaded: Mapping[Deployed, Predictor]) -> Serving:
        parts = [main, *(share.deployed for share in traffic.shares), *filter(None, [traffic.last_good])]
        answering = {part.version: self._live(part, loaded[part]) for part in parts if part in loaded}
        shadow = traffic.shadow
        return Serving(
            traffic=traffic,
            main=answering[main.version],
            by_number=answering,
            shadow=self._live(shadow, loaded[shadow], is_shadow=True)
            if shadow is not None and shadow in loaded
            else None,
        )

    def _live(self, deployed: Deployed, predictor: Predictor, *, is_shadow: bool = False) -> Live:
        """The one that there is, with what waits for it, where its part in the traffic is the same."""
        for live in self._serving.lives if self._serving is not None else ():
            if live.predictor is predictor and live.is_shadow == is_shadow:
                return live
        return Live(deployed.version, predictor, max_batch_rows=self._max_batch_rows, is_shadow=is_shadow)

    def _replace(self, serving: Serving, loaded: Mapping[Deployed, Predictor]) -> None:
        self._serving, self._loaded = serving, dict(loaded)
        self._swap(serving)

    def _take_out(self, serving: Serving, failed: Mapping[int, str]) -> None:
        """Lets others answer for versions that failed; main stays where nobody else is left."""
        fit = {number: live for number, live in serving.by_number.items() if number not in failed}
        good = serving.traffic.last_good
        main = fit.get(serving.main.number) or (fit.get(good.version) if good is not None else None) or serving.main
        shadow = serving.shadow if serving.shadow is not None and serving.shadow.number not in failed else None
        left = replace(serving, main=main, by_number={**fit, main.number: main}, shadow=shadow)
        held = {live.number for live in left.lives} - set(failed)  # what failed is read again when it is wanted again
        loaded = {deployed: one for deployed, one in self._loaded.items() if deployed.version in held}
        self._replace(left, loaded)
        known = self._report.errors if self._report is not None else {}
        if any(number not in known for number in failed):
            self._tell(serving.traffic.asked_at, {**known, **failed})

    def _tell(self, asked_at: float, errors: Mapping[int, str]) -> None:
        serving = self._serving
        self._report = Report(
            asked_at=asked_at,
            versions=tuple(sorted({live.number for live in serving.lives})) if serving is not None else (),
            main=serving.main.number if serving is not None else None,
            errors=errors,
        )
        self._told(self._report)


def _why_unfit(live: Live) -> str | None:
    try:
        live.predictor.replay(f"version {live.number}, live")
    except Exception as error:  # noqa: BLE001 - whatever it is, it would answer requests so, too
        return _said(error)
    return None


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, DistmlError) else f"{type(error).__name__}: {error}"


def _step_back() -> None:
    """Lets the thread that answers go first where both want a CPU.

    Not where libraries have threads of their own: those of ONNX Runtime are made while loading, and would keep the
    priority.
    """
    if sys.platform == "linux" and num_threads() == 1:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
