"""The sections of a run config: frozen values that refuse unknown keys.

A section holds what a user may choose and its default, and rules that need nothing but the config itself.
It knows nothing of the data; what depends on the table (`task: auto`) is resolved by the lifecycle.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from distml.secrets import without_password

Scalar = bool | int | float | str
Task = Literal["binary", "multiclass", "regression"]
Kind = Literal["numeric", "categorical", "boolean", "datetime"]
Action = Literal["drop", "null", "clip", "quarantine", "fail"]


def _one_or_many(value: Any) -> Any:
    return value if value is None or isinstance(value, (list, tuple)) else [value]


Names = Annotated[tuple[str, ...], BeforeValidator(_one_or_many)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, protected_namespaces=())


def _written_like(source: Any, table: dict[str, Any]) -> dict[str, Any]:
    """A table's keys, and those of the source's dialect that it doesn't say otherwise."""
    if not isinstance(source, dict):
        return table
    return {**{key: item for key, item in source.items() if key not in ("uri", "format")}, **table}


class SourceConfig(Section):
    """One table and how to read it."""

    uri: str = Field(description="file, glob or folder (csv, tsv, parquet; .gz), or sklearn:NAME for a bundled table")
    format: Literal["auto", "csv", "parquet", "sklearn"] = Field("auto", description="auto: by the name's ending")
    missing: Names = Field(("",), description="texts that mean a missing value, compared after stripping")
    header: bool = Field(True, description="whether the first line of a text file names the columns")
    columns: Names | None = Field(None, description="column names of a text file without a header")
    delimiter: str | None = Field(None, description="one character; null: comma, or tab for .tsv", max_length=1)
    comment: str | None = Field(None, description="lines that start with this text are skipped and counted")
    encoding: str = Field("utf-8", description="encoding of a text file")

    @field_validator("missing")
    @classmethod
    def _empty_is_missing(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return value if "" in value else ("", *value)

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            codecs.lookup(value)
        except LookupError as error:
            raise ValueError("an encoding is one that Python knows, such as utf-8 or latin-1") from error
        return value

    @model_validator(mode="after")
    def _bundled_by_name(self) -> SourceConfig:
        if self.format == "sklearn" and not self.uri.startswith("sklearn:"):
            raise ValueError("a bundled table's `uri` is sklearn:NAME")
        return self

    @model_validator(mode="after")
    def _columns_without_header(self) -> SourceConfig:
        if not self.header and not self.columns:
            raise ValueError("a table without a header line needs `columns`, the name of each column in order")
        return self


class RolesConfig(Section):
    """What columns are for, other than being features."""

    id: Names = Field((), description="columns that identify a row: kept, never features")
    time: str | None = Field(None, description="the column that says when a row happened: kept, never a feature")
    group: Names = Field((), description="columns that results are broken down by; they stay features")
    weight: str | None = Field(None, description="the column with each row's weight in training")

    @field_validator("id", "group", mode="before")
    @classmethod
    def _none_is_empty(cls, value: Any) -> Any:
        return () if value is None else value


class DataConfig(Section):
    """The tables, the target and what the columns are."""

    source: SourceConfig
    test: SourceConfig | None = Field(None, description="a test table of its own; null: split.test of the source")
    target: str
    task: Literal["auto", "binary", "multiclass", "regression"] = "auto"
    positive: Scalar | None = Field(None, description="the class of a binary target that scores are about")
    roles: RolesConfig = RolesConfig()
    kinds: dict[str, Kind] = Field({}, description="kinds of columns, where they are not to be inferred")
    exclude: Names = Field((), description="columns left out")
    private: Names = Field(
        (), description="columns never in golden rows, samples, logs or reports; their vocabulary is part of a model"
    )

    @model_validator(mode="after")
    def _target_is_not_excluded(self) -> DataConfig:
        roles = (*self.roles.id, self.roles.time, self.roles.weight, *self.exclude)
        if self.target in roles:
            raise ValueError(f"the target {self.target!r} can't also be excluded, an id, the time or the weight")
        return self

    @model_validator(mode="after")
    def _kind_of_the_target_suits_the_task(self) -> DataConfig:
        kind = self.kinds.get(self.target)
        classes = ("auto", "binary", "multiclass")
        tasks = {"numeric": ("auto", "regression"), "categorical": classes, "boolean": classes, "datetime": ()}
        if kind is not None and self.task not in tasks[kind]:
            raise ValueError(f"a target of kind {kind} can't be for task {self.task}: leave it out of `kinds`")
        return self

    @model_validator(mode="before")
    @classmethod
    def _test_inherits_dialect(cls, value: Any) -> Any:
        """A test table is written like its source unless it says otherwise."""
        if isinstance(value, dict) and isinstance(value.get("test"), dict):
            return {**value, "test": _written_like(value.get("source"), value["test"])}
        return value


class RuleConfig(Section):
    """What values of a column are possible, and what happens to the others."""

    min: float | None = None
    max: float | None = None
    allowed: tuple[Scalar, ...] | None = None
    on_violation: Action | None = Field("fail", description="drop, null, clip, quarantine or fail")

    @field_validator("on_violation", mode="before")
    @classmethod
    def _yaml_null_is_null(cls, value: Any) -> Any:
        return "null" if value is None else value  # `on_violation: null` reads as None in YAML

    @model_validator(mode="after")
    def _has_a_bound(self) -> RuleConfig:
        if self.min is None and self.max is None and self.allowed is None:
            raise ValueError("a rule needs `min`, `max` or `allowed`")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"`min` {self.min} is above `max` {self.max}")
        if self.on_violation == "clip" and self.allowed is not None:
            raise ValueError("`clip` needs `min` or `max`; values outside `allowed` have no nearest one")
        return self


class CleanConfig(Section):
    """Row-wise repairs, the same ones in preparation and serving."""

    duplicates: Literal["drop", "keep", "fail"] = Field("drop", description="exact repeats of a whole row")
    strip: bool = Field(True, description="strip white space around texts")
    replace: dict[str, dict[Scalar, Scalar | None]] = Field({}, description="column: {old value: new value}")
    rules: dict[str, RuleConfig] = {}


class ValidateConfig(Section):
    """What a table must satisfy before anything is trained on it."""

    max_missing: float = Field(0.95, ge=0, le=1, description="a feature with a larger share missing is a finding")
    missing: Literal["warn", "fail"] = Field("warn", description="what happens past max_missing")
    overlap: Literal["warn", "drop", "fail"] = Field(
        "drop",
        description="test rows that also stand in the source: reported, dropped from training, or refused",
    )


class SplitConfig(Section):
    """How rows are dealt to train, validation and test: by a hash of their content, so always the same way."""

    kind: Literal["auto", "random", "stratified"] = Field("auto", description="auto: stratified for classes")
    validation: float = Field(0.15, gt=0, lt=1)
    test: float = Field(0.15, ge=0, lt=1, description="not used where data.test names a table")

    @model_validator(mode="after")
    def _leaves_rows_to_train_on(self) -> SplitConfig:
        if self.validation + self.test >= 1:
            raise ValueError(f"validation {self.validation} and test {self.test} leave nothing to train on")
        return self


Impute = Literal["median", "mean"]
Scale = Literal["standard", "quantile", "none"]


class NumericConfig(Section):
    """Numeric columns, for families that want them imputed and scaled."""

    impute: Impute = "median"
    indicator: bool = Field(True, description="add a 0/1 column where a column has missing values")
    scale: Scale = "quantile"


class CategoricalConfig(Section):
    """Categorical columns, encoded as integer codes for embeddings or native categories."""

    encode: Literal["embed"] = "embed"
    min_count: int = Field(5, ge=1, description="rarer categories are coded as unknown")
    max_categories: int = Field(10_000, ge=1, description="the most frequent ones are kept")


class ColumnFeatureConfig(Section):
    """Exceptions for one column; null keeps the general setting."""

    impute: Impute | None = None
    scale: Scale | None = None
    min_count: int | None = Field(None, ge=1)


class FeaturesConfig(Section):
    """How columns become numbers."""

    numeric: NumericConfig = NumericConfig()
    categorical: CategoricalConfig = CategoricalConfig()
    columns: dict[str, ColumnFeatureConfig] = {}


class ModelConfig(Section):
    """The families searched over."""

    families: Annotated[tuple[Literal["linear", "mlp", "trees"], ...], BeforeValidator(_one_or_many)] = (
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


class ResourcesConfig(Section):
    """What one trial reserves on the cluster."""

    cpu: float = Field(1, gt=0)
    gpu: float = Field(0, ge=0)


class PointConfig(Section):
    """A family and values for some of its parameters; the sampler draws the others."""

    family: str
    params: dict[str, Scalar | None] = {}


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


class EvaluateConfig(Section):
    """What is measured on the test rows beside the overall metrics."""

    slices: Names = Field((), description="columns to break metrics down by, beside data.roles.group")


class GateConfig(Section):
    """One metric's conditions for promotion, in the metric's own unit and direction."""

    threshold: float | None = Field(None, description="must be at least this (at most, for metrics to minimise)")
    min_absolute_change: float | None = Field(None, ge=0, description="must beat the champion by this much")


class GatesConfig(BaseModel):
    """Metric name to conditions, and the conditions that are not about one metric."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, GateConfig]

    significance: float | None = Field(
        0.05,
        ge=0.005,  # 300 resamples can't tell smaller ones apart
        lt=1,
        description="a champion is replaced only if P(no better), by paired bootstrap, is below this",
    )
    latency_p99_ms: float | None = Field(None, gt=0, description="p99 of one-row predictions, in process")

    @property
    def metrics(self) -> dict[str, GateConfig]:
        return dict(self.__pydantic_extra__ or {})


class AutoscalingConfig(Section):
    """Ray Serve's autoscaling of replicas."""

    min_replicas: int = Field(1, ge=0)
    max_replicas: int = Field(1, ge=1)
    target_ongoing_requests: float = Field(2, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> AutoscalingConfig:
        if self.min_replicas > self.max_replicas:
            raise ValueError(f"min_replicas {self.min_replicas} is above max_replicas {self.max_replicas}")
        return self


class ServeConfig(Section):
    """The HTTP endpoint."""

    route: str | None = Field(None, description="null: the run config's name", pattern=r"^/[A-Za-z0-9_./-]*$")
    host: Literal["127.0.0.1"] = Field("127.0.0.1", description="loopback; put a proxy with TLS before it to go wider")
    port: int = Field(8000, ge=1024, le=65535)
    autoscaling: AutoscalingConfig = AutoscalingConfig()
    num_cpus: float = Field(0.25, gt=0, description="CPUs that a replica reserves")
    max_rows: int = Field(10_000, ge=1, description="rows in one request")
    max_body_mb: float = Field(16, gt=0)


class MonitorConfig(Section):
    """How live traffic is compared with the baseline."""

    window_rows: int = Field(1000, ge=50, description="rows per comparison")
    false_alarm_rate: float = Field(0.01, gt=0, lt=1, description="per window over all columns (Benjamini-Hochberg)")
    min_effect: float = Field(0.1, ge=0, description="smallest population stability index that counts as drift")
    flush_interval_s: float = Field(1.0, gt=0, description="how often a replica sends its summary")


class RetrainDataConfig(Section):
    """What a retraining learns from."""

    source: SourceConfig | None = Field(
        None, description="the table, written as data.source is; what it doesn't say is as there. null: data.source"
    )


class RetrainConfig(Section):
    """How a model is trained again."""

    data: RetrainDataConfig = RetrainDataConfig()


class RunConfig(Section):
    """Everything one run of the lifecycle is told."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="names the model, its runs and its route")
    storage: str = Field("./distml-store", description="one path or URI (s3://, gs://) for every stage")
    seed: int = Field(0, ge=0, lt=2**31)
    data: DataConfig
    clean: CleanConfig = CleanConfig()
    validation: ValidateConfig = Field(ValidateConfig(), alias="validate")
    split: SplitConfig = SplitConfig()
    features: FeaturesConfig = FeaturesConfig()
    model: ModelConfig = ModelConfig()
    search: SearchConfig = SearchConfig()
    train: TrainConfig = TrainConfig()
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
                "data": {**value["retrain"]["data"], "source": _written_like(source, again)},
            },
        }

    @model_validator(mode="after")
    def _known_gates(self) -> RunConfig:
        unknown = set(self.search.space) - set(self.model.families)
        if unknown:
            raise ValueError(f"search.space names {sorted(unknown)}, which model.families does not")
        if "://" in self.storage and not self.storage.startswith("file://") and self.tracking.uri is None:
            raise ValueError(
                "remote storage can't hold MLflow's SQLite database: set tracking.uri to a tracking server or database"
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
