"""The section `search`: how models are searched for."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, field_validator, model_validator

from distml.config.base import ResourcesConfig, Scalar, Section, one_or_many

SamplerName = Literal["auto", "tpe", "random", "grid", "gp", "cmaes", "nsga2"]
SchedulerName = Literal["asha", "median", "hyperband", "pbt", "none"]
Cost = Literal["latency_ms", "size_mb", "num_params"]
ObjectiveName = Literal["score", "latency_ms", "size_mb", "num_params"]


class PointConfig(Section):
    """A family and values for some of its parameters; the sampler draws the others."""

    family: str
    params: dict[str, Scalar | None] = Field({}, description="parameter: value")


class SearchConfig(Section):
    """The search over families and their parameters."""

    num_samples: int = Field(20, ge=1, description="trials")
    time_budget_s: float | None = Field(None, gt=0, description="no trial starts after this; running ones are stopped")
    device_hours: float | None = Field(
        None, gt=0, description="what all trials may take of GPUs, else of CPUs, together; then as with time_budget_s"
    )
    max_concurrent_trials: int | Literal["auto"] = Field(
        "auto",
        description="trials at once; auto: as many as there is room for. Candidates depend on it from 5 on: a number"
        " gives the same ones on every machine",
    )
    sampler: SamplerName = Field("auto", description="how candidates are drawn; auto: tpe, and random with pbt")
    scheduler: SchedulerName = Field("asha", description="which trials are given up before their end, and when")
    population: int = Field(8, ge=2, description="with pbt: members, each of which takes a trial per interval")
    interval_epochs: int = Field(
        4, ge=1, description="with pbt: epochs after which the worst members go on as the best"
    )
    metric: str = Field("auto", description="auto: roc_auc, log_loss or rmse, by task")
    objectives: Annotated[tuple[ObjectiveName, ...], BeforeValidator(one_or_many)] = Field(
        ("score",), description="what is searched for: the metric, then what is to be low beside it"
    )
    resources_per_trial: ResourcesConfig = ResourcesConfig()
    workers_per_trial: int = Field(
        1, ge=1, description="processes that fit a network together, each on its share of every batch"
    )
    ensemble_size: int = Field(1, ge=1, le=50, description="trials that the package may blend; 1: the best one alone")
    keep_trials: int | Literal["auto"] = Field(
        "auto", description="trials whose models and outputs are kept, the best ones; auto: 3 times ensemble_size"
    )
    points_to_evaluate: tuple[PointConfig, ...] = Field((), description="tried first, before the families' defaults")
    space: dict[str, dict[str, Any]] = Field(
        {},
        description="family: {parameter: value, {log: [low, high]}, {uniform: ...}, {int: ...} or {choice: [...]}};"
        " uniform and int may have a step",
    )
    shares: dict[str, float] = Field({}, description="family: the least part of the trials that are of it")

    @model_validator(mode="before")
    @classmethod
    def _a_metric_is_the_first_objective(cls, value: Any) -> Any:
        """`objectives: [roc_auc, latency_ms]` says what `metric: roc_auc, objectives: [score, latency_ms]` does."""
        if not isinstance(value, dict):
            return value
        first, *others = one_or_many(value.get("objectives")) or [None]
        if not isinstance(first, str) or first in get_args(ObjectiveName):
            return value
        if value.get("metric", "auto") not in ("auto", first):
            raise ValueError(
                f"the first objective is the search's metric: objectives begin with {first}, metric is "
                f"{value['metric']}; leave one of them out"
            )
        return {**value, "metric": first, "objectives": ["score", *others]}

    @field_validator("objectives")
    @classmethod
    def _score_first(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value[:1] != ("score",) or len(set(value)) < len(value):
            raise ValueError(
                "objectives begin with the search's metric, as `score` or by its name, and name the others once: "
                "[score, latency_ms]"
            )
        return value

    @field_validator("shares")
    @classmethod
    def _parts_of_one(cls, value: dict[str, float]) -> dict[str, float]:
        if any(not 0 < share <= 1 for share in value.values()) or sum(value.values()) > 1 + 1e-9:
            raise ValueError("a family's share lies above 0, and all of them come to 1 at most")
        return value

    @model_validator(mode="after")
    def _that_can_be(self) -> SearchConfig:
        """Refuses what can't go together, or what Optuna or population-based training can't do, whatever is searched
        over."""
        if self.scheduler == "pbt" and self.sampler not in ("auto", "random"):
            raise ValueError(
                f"sampler: {self.sampler} can't go with scheduler: pbt, whose population draws its first members at "
                "random and the others from the best of them; leave sampler out, or use scheduler: asha"
            )
        if self.scheduler == "pbt" and self.costs:
            raise ValueError(
                "scheduler: pbt can't go with several objectives, as its population follows one score; use "
                "scheduler: asha, or leave objectives out"
            )
        if self.scheduler == "pbt" and self.shares:
            raise ValueError("search.shares can't go with scheduler: pbt, whose members breed within the population")
        if self.sampler == "cmaes" and self.costs:
            raise ValueError(
                "sampler: cmaes can't go with several objectives, as it follows one score; use tpe, nsga2 or gp"
            )
        if self.num_kept < self.ensemble_size:
            raise ValueError(
                f"keep_trials: {self.keep_trials} leaves fewer trials than ensemble_size: {self.ensemble_size} may "
                "blend; keep as many, or leave keep_trials out"
            )
        if self.sampler == "grid" and self.shares:
            raise ValueError("search.shares can't go with sampler: grid, which tries each combination once")
        return self

    @field_validator("keep_trials")
    @classmethod
    def _at_least_the_best(cls, value: int | Literal["auto"]) -> int | Literal["auto"]:
        if value != "auto" and value < 1:
            raise ValueError("at least the best trial is kept: write 1 or more, or auto")
        return value

    @property
    def num_kept(self) -> int:
        """Trials whose results are kept."""
        return 3 * self.ensemble_size if self.keep_trials == "auto" else self.keep_trials

    @property
    def costs(self) -> tuple[Cost, ...]:
        """The objectives beside the score, each to be low."""
        return tuple(name for name in self.objectives if name != "score")
