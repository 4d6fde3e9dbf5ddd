"""The section `train`: how one model is fitted."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from distml.config.base import Section


class AveragingConfig(Section):
    """Which weights are averaged into those that are validated and kept: `{ema: decay}` or `{swa: first epoch}`."""

    ema: float | None = Field(
        None, gt=0, lt=1, description="exponential: after each step, decay * average + (1 - decay) * weights; say 0.99"
    )
    swa: int | None = Field(
        None, ge=1, description="stochastic weight averaging: the equal mean of the weights after each epoch from this"
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> AveragingConfig:
        if (self.ema is None) == (self.swa is None):
            raise ValueError("averaging is none, {ema: decay} or {swa: first epoch}")
        return self


def _none_is_absent(value: Any) -> Any:
    return None if value == "none" else value


class TrainConfig(Section):
    """One fit."""

    max_epochs: int = Field(100, ge=1, description="for trees an epoch is 20 boosting rounds")
    patience: int = Field(16, ge=1, description="epochs without a better validation score before a fit ends")
    batch_size: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        "auto", description="rows at once; auto: by the number of rows"
    )
    accumulate: int = Field(1, ge=1, description="batches whose gradients make one step of the optimizer")
    schedule: Literal["constant", "cosine", "one_cycle", "linear", "plateau"] = Field(
        "constant",
        description="the learning rate over max_epochs: constant; cosine or linear: down to zero; one_cycle: up from a"
        " 25th for 30 % of them, then down; plateau: halved when the training loss was no better for more than 5",
    )
    warmup_epochs: float = Field(0, ge=0, description="in which the learning rate first rises from zero; may be 0.5")
    clip_norm: float | None = Field(1.0, gt=0, description="the longest gradient that a step follows; null: any")
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="share of a row's target that is dealt evenly to all classes"
    )
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: rows weigh so that every class weighs the same in all"
    )
    loss: Literal["auto", "huber"] = Field(
        "auto",
        description="auto: cross-entropy, or the squared error; huber: of an error above 1 deviation only linear",
    )
    averaging: Annotated[AveragingConfig | None, BeforeValidator(_none_is_absent)] = Field(
        None, description="none, {ema: decay} or {swa: first epoch}: a mean of the weights is validated and kept"
    )
    precision: Literal["auto", "float32", "bf16", "fp16"] = Field(
        "auto", description="of a network's products while it is fitted; auto: bf16 on a GPU that has it, else float32"
    )
    compile: bool = Field(False, description="torch.compile: pays for large networks on a GPU, costs a minute")
    stream: Literal["auto", "always", "never"] = Field(
        "auto",
        description="whether networks read their training rows from storage in each epoch instead of holding them;"
        " auto: where they take more than half of a node's object store, or a quarter of the memory without a cluster",
    )
    device: Literal["auto", "cpu", "cuda"] = "auto"
    checkpoint_interval_s: float = Field(
        5, ge=0, description="how much of a fit a crash costs at most; more where storage is slow to write"
    )
    refit: Literal["none", "train+validation"] = Field(
        "train+validation",
        description="rows that the winner is fitted on once more, for its best number of epochs",
    )

    @model_validator(mode="after")
    def _goes_together(self) -> TrainConfig:
        if self.warmup_epochs and self.warmup_epochs >= self.max_epochs:
            raise ValueError(f"warmup_epochs {self.warmup_epochs:g} leave nothing of max_epochs {self.max_epochs}")
        if self.warmup_epochs and self.schedule == "one_cycle":
            raise ValueError("one_cycle has a rise of its own: leave warmup_epochs out")
        if self.averaging is not None and (self.averaging.swa or 0) > self.max_epochs:
            raise ValueError(f"averaging from epoch {self.averaging.swa} never begins in max_epochs {self.max_epochs}")
        if self.precision == "fp16" and self.device == "cpu":
            raise ValueError("precision fp16 is for GPUs: a CPU takes bf16, or float32")
        return self

    @property
    def only_networks_heed(self) -> tuple[str, ...]:
        """The keys that are set and that trees don't read."""
        return tuple(name for name in _OF_NETWORKS if getattr(self, name) != type(self).model_fields[name].default)


_OF_NETWORKS = (
    "batch_size", "accumulate", "schedule", "warmup_epochs", "clip_norm", "label_smoothing", "loss", "averaging",
    "precision", "compile",
)  # fmt: skip
