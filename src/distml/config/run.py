"""`RunConfig`: everything one run of the lifecycle is told, section by section."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import Field, model_validator

from distml.config.augment import AugmentConfig
from distml.config.base import Section
from distml.config.clean import CleanConfig
from distml.config.data import DataConfig
from distml.config.features import FeaturesConfig
from distml.config.gates import EvaluateConfig, GatesConfig
from distml.config.model import ModelConfig
from distml.config.monitor import MonitorConfig
from distml.config.postprocess import PostprocessConfig
from distml.config.retrain import RetrainConfig
from distml.config.search import SearchConfig
from distml.config.serve import ServeConfig
from distml.config.source import written_like
from distml.config.split import SplitConfig
from distml.config.tracking import TrackingConfig
from distml.config.train import TrainConfig
from distml.config.validation import ValidateConfig
from distml.secrets import without_password


class RunConfig(Section):
    """Everything one run of the lifecycle is told."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="names the model, its runs and its route")
    storage: str = Field("./distml-store", description="one path or URI (s3://, gs://) for every stage")
    seed: int = Field(0, ge=0, lt=2**31, description="what every random choice follows from")
    data: DataConfig
    clean: CleanConfig = CleanConfig()
    validation: ValidateConfig = Field(ValidateConfig(), alias="validate")
    split: SplitConfig = SplitConfig()
    features: FeaturesConfig = FeaturesConfig()
    model: ModelConfig = ModelConfig()
    search: SearchConfig = SearchConfig()
    train: TrainConfig = TrainConfig()
    postprocess: PostprocessConfig = PostprocessConfig()
    augment: AugmentConfig = AugmentConfig()
    tracking: TrackingConfig = TrackingConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    gates: GatesConfig = GatesConfig()
    serve: ServeConfig = ServeConfig()
    monitor: MonitorConfig = MonitorConfig()
    retrain: RetrainConfig = RetrainConfig()

    @model_validator(mode="before")
    @classmethod
    def _retraining_inherits_dialect(cls, value: Any) -> Any:
        """The table of a retraining is a URI or written like a source, and has the source's dialect."""
        try:
            source, again = value["data"]["source"], value["retrain"]["data"]["source"]
        except (KeyError, TypeError):
            return value
        if isinstance(again, str):
            again = {"uri": again}
        if not isinstance(again, dict):
            return value
        return {
            **value,
            "retrain": {
                **value["retrain"],
                "data": {**value["retrain"]["data"], "source": written_like(source, again)},
            },
        }

    @model_validator(mode="after")
    def _sections_go_together(self) -> RunConfig:
        unknown = set(self.search.space) - set(self.model.families)
        if unknown:
            raise ValueError(f"search.space names {sorted(unknown)}, which model.families does not")
        if "://" in self.storage and not self.storage.startswith("file://") and self.tracking.uri is None:
            raise ValueError(
                "remote storage can't hold MLflow's SQLite database: set tracking.uri to a tracking server "
                "(http://host:5000) or to a database (postgresql://user:${PASSWORD}@host/mlflow)"
            )
        if self.split.folds is not None and self.train.refit == "none":
            raise ValueError(
                "split.folds needs train.refit: train+validation, as a trial scored by fold leaves a model per fold, "
                "none of all rows"
            )
        if self.split.folds is not None and self.search.workers_per_trial > 1:
            raise ValueError(
                "split.folds needs search.workers_per_trial: 1, as the folds of a trial are fitted in one process"
            )
        return self

    @property
    def route(self) -> str:
        return (self.serve.route or f"/{self.name}").rstrip("/")

    def to_dict(self) -> dict[str, Any]:
        """The config with every default written out, under the names that YAML uses."""
        return self.model_dump(mode="json", by_alias=True)

    def to_public_dict(self) -> dict[str, Any]:
        """`to_dict` for what is kept and logged: no URI has a user or password in it."""
        return _map_texts(self.to_dict(), without_password)


def _map_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {key: _map_texts(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_map_texts(item, change) for item in value]
    return change(value) if isinstance(value, str) else value
