"""`Rollout`: how one version takes over from another, as a value. It changes by `advance`, or by hand.

    shadow ─ canary 5 % ─ 25 % ─ 100 % ─ watch ─ done
       └────────┴──────────┴───────┴───────┴──── rolled back

    share ─ …                                    an A/B test, which goes on until someone ends it

It knows nothing of Ray or storage: whoever holds it writes it down, and brings traffic and champion to what it says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from distml.config.rollout import RolloutConfig
from distml.serve.rollout.evidence import NOTHING, Totals
from distml.serve.traffic import Deployed, Share, Traffic

Phase = Literal["shadow", "canary", "share", "watch", "done", "rolled back"]
Action = Literal["promote", "rollback", "keep"]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Totals of the challenger and of the version before it at some moment, or between two."""

    challenger: Totals = NOTHING
    before: Totals = NOTHING

    def since(self, base: Measured) -> Measured | None:
        """What came since; None where totals shrank."""
        challenger, before = self.challenger.since(base.challenger), self.before.since(base.before)
        return None if challenger is None or before is None else Measured(challenger=challenger, before=before)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Measured:
        return cls(**{name: Totals.from_dict(totals) for name, totals in value.items()})


@dataclass(frozen=True, kw_only=True)
class Step:
    """A phase or a step of it that is over: seconds since 1970, and what was measured in it, None where it was ended
    by someone who can't measure."""

    phase: Phase
    percent: float
    began_at: float | None
    ended_at: float
    measured: Measured | None = None


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """challenger: takes over; before: answers until then and takes the traffic back, None where nothing was served.

    action: what becomes of the champion once the challenger has all requests; expected: the champion that it was begun
    with; shared: percentage of an A/B test. salt: the rollout's name, and the salt of assignments. reasons, by: why and
    by whom it was begun; ended_for, ended_by: why and by whom it came to its end.

    Times in seconds since 1970. asked_at: the present traffic was asked for; served_at: every replica had it, None
    until then; entered_at: the phase or step began to count. stretch, stretch_at: number and begin of the stretch of
    time that is judged now; base, entered: totals at the begin of that, and of the phase.
    """

    name: str
    challenger: Deployed
    before: Deployed | None
    plan: RolloutConfig
    phase: Phase
    step: int = 0
    action: Action = "promote"
    expected: int | None = None
    shared: float = 0.0
    salt: str
    allow_code: tuple[str, ...] = ()
    by: str = ""
    reasons: tuple[str, ...] = ()
    begun_at: float
    asked_at: float
    served_at: float | None = None
    entered_at: float | None = None
    stretch: int = 1
    stretch_at: float | None = None
    base: Measured | None = None
    entered: Measured | None = None
    ended_for: str | None = None
    ended_by: str = ""
    history: tuple[Step, ...] = ()
    is_settled: bool = False  # traffic and champion are what the end says, and the audit log has it

    @property
    def is_over(self) -> bool:
        return self.phase in ("done", "rolled back")

    @property
    def is_at_once(self) -> bool:
        """Whether it began with all requests."""
        return (self.history[0].phase if self.history else self.phase) in ("watch", "done")

    @property
    def percent(self) -> float:
        """The challenger's share of the requests."""
        if self.phase == "canary":
            return self.plan.canary[self.step]
        return {"share": self.shared, "watch": 100.0, "done": 100.0}.get(self.phase, 0.0)

    @property
    def takes_champion(self) -> bool:
        """Whether the challenger is to be champion by now."""
        return self.action != "keep" and self.served_at is not None and self.phase in ("watch", "done")

    @property
    def gives_champion_back(self) -> bool:
        """Whether the challenger, had this rollout made it champion, is not to be it any more."""
        is_new = self.expected not in (self.challenger.version, None)
        return self.phase == "rolled back" and self.action == "promote" and is_new

    @property
    def main(self) -> Deployed:
        """What answers what no other has a share of."""
        return self.challenger if self.before is None or self.percent == 100 else self.before

    @property
    def configured_by(self) -> Deployed:
        """The version whose config the service has. Another config may take new replicas, for which a way back can't
        wait: it comes with the end."""
        return self.challenger if self.before is None or self.phase == "done" else self.before

    @property
    def label(self) -> str:
        return f"{self.name}/{self.challenger.version}"

    def traffic(self) -> Traffic:
        """What replicas are to serve: the same value each time, until a change asks for another."""
        is_shared = self.main != self.challenger and self.percent > 0
        # Who goes back goes to a version that served well; who goes on leaves one.
        goes_back = self.action == "rollback" and self.main == self.challenger
        return Traffic(
            main=self.main,
            shares=(Share(deployed=self.challenger, percent=self.percent),) if is_shared else (),
            shadow=self.challenger if self.phase == "shadow" else None,
            last_good=self.challenger if goes_back else self.before,
            key=self.plan.key,
            salt=self.salt,
            allow_code=self.allow_code,
            asked_at=self.asked_at,
        )

    def aborted(self, why: str, by: str, now: float) -> Rollout:
        """Ended by hand: the version before has all requests again."""
        return self if self.is_over else self.entering("rolled back", now, ended_for=why, ended_by=by)

    def superseded(self, why: str, by: str, now: float) -> Rollout:
        """Ended for another rollout: a version that is only watched any more is what that goes out from."""
        if self.phase == "watch" and self.served_at is not None:
            return self.entering("done", now, ended_for=why, ended_by=by)
        return self.aborted(why, by, now)

    def entering(self, phase: Phase, now: float, totals: Measured | None = None, **changes: Any) -> Rollout:
        """In another phase or step. Where replicas have the traffic already that it asks for, it counts from now on."""
        measured = None if totals is None or self.entered is None else totals.since(self.entered)
        left = Step(phase=self.phase, percent=self.percent, began_at=self.entered_at, ended_at=now, measured=measured)
        after = replace(self, phase=phase, history=(*self.history, left), **changes)
        if self.served_at is not None and after.traffic() == self.traffic():
            return after.counting(now, totals)
        after = replace(after, asked_at=now, served_at=None, entered_at=None)
        return replace(after, stretch=self.stretch + 1, stretch_at=None, base=totals, entered=totals)

    def counting(self, now: float, totals: Measured | None) -> Rollout:
        """From now on the phase or step counts."""
        after = self.judged_anew(now, totals)
        return replace(after, served_at=self.served_at or now, entered_at=now, entered=totals)

    def judged_anew(self, now: float, totals: Measured | None) -> Rollout:
        """A new stretch of time to judge: what was good before outweighs no fault from now on."""
        return replace(self, stretch=self.stretch + 1, stretch_at=now, base=totals)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "plan": self.plan.model_dump(mode="json")}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Rollout:
        def known(kind: Any, name: str) -> Any:
            return None if value[name] is None else kind(value[name])

        made = {
            "challenger": Deployed(**value["challenger"]),
            "before": known(lambda one: Deployed(**one), "before"),
            "plan": RolloutConfig.model_validate(value["plan"]),
            "allow_code": tuple(value["allow_code"]),
            "reasons": tuple(value["reasons"]),
            "base": known(Measured.from_dict, "base"),
            "entered": known(Measured.from_dict, "entered"),
            "history": tuple(_step(one) for one in value["history"]),
        }
        return cls(**{field.name: made.get(field.name, value[field.name]) for field in fields(cls)})


def _step(value: Mapping[str, Any]) -> Step:
    measured = value["measured"]
    return Step(**{**value, "measured": None if measured is None else Measured.from_dict(measured)})
