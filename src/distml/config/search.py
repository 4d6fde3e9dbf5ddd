"""The sections `model`, `search`, `train` and `tracking`: which models are tried, and how one is fitted."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from distml.config.base import ResourcesConfig, Scalar, Section, one_or_many


class ModelConfig(Section):
    """The families searched over."""

    families: Annotated[tuple[Literal["linear", "mlp", "trees"], ...], BeforeValidator(one_or_many)] = (
        "linear",
        "mlp",
        "trees",
    )

    @field_validator("families")
    @classmethod
    def _at_least_one(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or len(set(value)) < len(value):
            raise ValueError("name at least one family, each once")
        return value


class PointConfig(Section):
    """A family and values for some of its parameters; the sampler draws the others."""

    family: str
    params: dict[str, Scalar | None] = Field({}, description="parameter: value")


class SearchConfig(Section):
    """The search over families and their parameters."""

    num_samples: int = Field(20, ge=1, description="trials")
    time_budget_s: float | None = Field(None, gt=0, description="no trial starts after this; running ones are stopped")
    max_concurrent_trials: int | Literal["auto"] = "auto"
    sampler: Literal["tpe", "random"] = "tpe"
    scheduler: Literal["asha", "none"] = "asha"
    metric: str = Field("auto", description="auto: roc_auc, log_loss or rmse, by task")
    resources_per_trial: ResourcesConfig = ResourcesConfig()
    points_to_evaluate: tuple[PointConfig, ...] = Field((), description="tried first, before the families' defaults")
    space: dict[str, dict[str, Any]] = Field(
        {},
        description="family: {parameter: value, {log: [low, high]}, {uniform: ...}, {int: ...} or {choice: [...]}}",
    )


class TrainConfig(Section):
    """One fit."""

    max_epochs: int = Field(100, ge=1, description="for trees an epoch is 20 boosting rounds")
    patience: int = Field(16, ge=1, description="epochs without a better validation score before a fit ends")
    batch_size: int | Literal["auto"] = Field("auto", description="auto: by the number of rows")
    device: Literal["auto", "cpu", "cuda"] = "auto"
    checkpoint_interval_s: float = Field(5, ge=0, description="how much of a network's fit a crash costs at most")
    refit: Literal["none", "train+validation"] = Field(
        "train+validation",
        description="rows that the winner is fitted on once more, for its best number of epochs",
    )


class TrackingConfig(Section):
    """Where MLflow keeps runs and registered models."""

    uri: str | None = Field(None, description="null: an SQLite database under storage")
    experiment: str | None = Field(None, description="null: the run config's name")
