"""`Live`: a version that is loaded. `Serving`: all of them and their traffic, swapped as one reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from distml.predictor import Predictor
from distml.serve.counting.seen import Seen
from distml.serve.predicting.batcher import Batcher
from distml.serve.traffic import Traffic
from distml.serve.wire import Reply


class Live:
    """A loaded version in one part of the traffic: it answers, or listens as a shadow. `seen` is renewed.

    told: what `about` says of it, by endpoint, as it stays the same.
    """

    def __init__(self, number: int, predictor: Predictor, *, max_batch_rows: int, is_shadow: bool = False) -> None:
        self.number = number
        self.predictor = predictor
        self.is_shadow = is_shadow
        self.seen = Seen(is_shadow=is_shadow)
        self.told: dict[str, Reply] = {}
        self.batcher = Batcher(
            predictor.predict_few, max_rows=max_batch_rows,
            told=lambda *counts: self.seen.batch(*counts), waited=lambda milliseconds: self.seen.waited(milliseconds),
        )  # fmt: skip

    def renew(self) -> Seen:
        """What it has seen so far; from now on it is noted anew."""
        seen, self.seen = self.seen, Seen(is_shadow=self.is_shadow)
        return seen


@dataclass(frozen=True, kw_only=True)
class Serving:
    """What a replica answers with. Nothing in it changes: a request keeps the one that it began with.

    main: answers in the main version's place, which is the last good one where that couldn't be loaded. by_number:
    every version that answers or may. shadow: is asked too.
    """

    traffic: Traffic
    main: Live
    by_number: Mapping[int, Live]
    shadow: Live | None = None

    @property
    def lives(self) -> tuple[Live, ...]:
        return (*self.by_number.values(), *filter(None, [self.shadow]))

    def assigned(self, key: str) -> Live:
        """Who answers a request of this key: main, too, for a version that isn't loaded."""
        number = self.traffic.assign(key)
        return self.main if number == self.traffic.main.version else self.by_number.get(number, self.main)

    def instead_of(self, live: Live) -> Live | None:
        """Who answers for a version that failed: the last good one, else main, whichever isn't it."""
        good = self.traffic.last_good
        others = [self.by_number.get(good.version) if good is not None else None, self.main]
        return next((other for other in others if other is not None and other is not live), None)
