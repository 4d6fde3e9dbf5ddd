"""`Current`: who answers now, and what they and those before them have seen, in windows."""

from __future__ import annotations

import threading
import time

from distml.serve.counting.seen import Seen
from distml.serve.versions.live import Live, Serving
from distml.window import Window

_GRACE_S = 5.0  # beyond the time that a request may take


class Current:
    """What a replica's versions have seen, closed again and again. For any thread.

    kept_s: how long a version that no longer answers may have requests under way.
    """

    def __init__(self, *, kept_s: float) -> None:
        self._kept_s = kept_s + _GRACE_S
        self._lock = threading.Lock()
        self._left: list[tuple[Live, float]] = []  # with the time that they left at
        self._closing: list[tuple[Live, Seen]] = []  # taken aside by the last `take_windows`
        self.now: Serving | None = None

    def swap(self, serving: Serving) -> None:
        """Makes others answer from now on."""
        with self._lock:
            before = self.now.lives if self.now is not None else ()
            self._left += [(live, time.monotonic()) for live in before if live not in serving.lives]
            self._left = [(live, at) for live, at in self._left if live not in serving.lives]
            self.now = serving

    def take_windows(self, *, is_last: bool = False) -> list[Window]:
        """What was seen up to the last call but one, or up to now where no request is under way any more (`is_last`):
        a window for each version and part that has seen anything.

        What is taken aside by one call is summarised by the next, when no request under way can add to it.
        """
        with self._lock:
            closed, self._closing = self._closing, self._renewed()
            if is_last:
                closed, self._closing = [*closed, *self._closing], []
        windows = [seen.window(live.number, live.predictor) for live, seen in closed]
        return [window for window in windows if not window.is_empty]

    def _renewed(self) -> list[tuple[Live, Seen]]:
        end = time.monotonic() - self._kept_s
        lives = [*(self.now.lives if self.now is not None else ()), *(live for live, _ in self._left)]
        self._left = [(live, at) for live, at in self._left if at > end]
        return [(live, live.renew()) for live in lives]
