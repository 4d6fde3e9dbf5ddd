"""The section `features`: how columns become numbers."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import Field, model_validator

from distml.config.base import Section
from distml.config.derived import DerivedConfig
from distml.config.image import ImageConfig

Impute = Literal["median", "mean", "constant"]
Scale = Literal["standard", "robust", "minmax", "quantile", "log1p", "none"]
Encode = Literal["embed", "onehot", "target", "hash", "count"]
DatePart = Literal["epoch", "year", "month", "day_of_year", "weekday", "hour"]
DateParts = Literal["auto"] | tuple[DatePart, ...]
Tokens = Literal["words", "chars"]
_S = TypeVar("_S", bound=Section)


class ClipConfig(Section):
    """Bounds that values are moved to, before they are scaled: numbers, or quantiles of the training rows."""

    quantiles: tuple[float, float] | None = Field(None, description="for example [0.01, 0.99]")
    min: float | None = Field(None, description="smaller values become this")
    max: float | None = Field(None, description="larger values become this")

    @model_validator(mode="after")
    def _bounds_make_sense(self) -> ClipConfig:
        if self.quantiles is not None:
            low, high = self.quantiles
            if self.min is not None or self.max is not None:
                raise ValueError("give `quantiles`, or `min` and `max`, not both")
            if not 0 <= low < high <= 1:
                raise ValueError(f"quantiles rise within [0, 1], received [{low}, {high}]")
        elif self.min is None and self.max is None:
            raise ValueError("needs `quantiles`, `min` or `max`")
        elif self.min is not None and self.max is not None and self.min >= self.max:
            raise ValueError(f"min {self.min} is not below max {self.max}")
        return self


class NumericConfig(Section):
    """Numeric columns, for families that want them imputed and scaled."""

    impute: Impute = Field("median", description="what of the training rows a missing value becomes")
    fill_value: float | None = Field(None, description="what missing values become with impute: constant")
    indicator: bool = Field(True, description="add a 0/1 column where a column has missing values")
    scale: Scale = Field(
        "quantile",
        description="standard: mean and deviation; robust: median and quartiles; minmax: to [0, 1]; quantile: to a"
        " normal distribution; log1p: sign(x) log(1 + |x|), then standard",
    )
    clip: ClipConfig | None = Field(None, description="bounds that values are moved to; null: none")
    bins: int | None = Field(
        None, ge=2, le=256, description="piecewise-linear encoding with that many quantile bins, instead of a scale"
    )

    @model_validator(mode="after")
    def _constant_has_a_value(self) -> NumericConfig:
        if self.impute == "constant" and self.fill_value is None:
            raise ValueError("impute: constant needs `fill_value`")
        return self


class CategoricalConfig(Section):
    """Categorical and boolean columns. Missing values are a category of their own."""

    encode: Encode = Field(
        "embed",
        description="embed: codes for embeddings or native categories; onehot: 0/1 columns for networks, native"
        " categories for trees; target: the target's mean, out of fold for training rows; hash: codes of `num_buckets`"
        " hash buckets; count: how many training rows have the category",
    )
    min_count: int = Field(5, ge=1, description="categories of fewer training rows are taken as unknown")
    max_categories: int = Field(10_000, ge=1, description="the most frequent ones are kept")
    num_buckets: int = Field(1024, ge=2, le=65_536, description="buckets of encode: hash")
    smoothing: float = Field(
        10.0, ge=0, description="encode: target draws a category to the overall mean with the weight of so many rows"
    )
    folds: int = Field(5, ge=2, le=20, description="folds of encode: target")


class DatetimeConfig(Section):
    """Datetime columns."""

    parts: DateParts = Field(
        "auto",
        description="epoch is the time itself, imputed and scaled as numbers are; month, day_of_year, weekday and"
        " hour become sine and cosine for networks, numbers for trees; auto: epoch, and those of hour, weekday and"
        " day_of_year that vary",
    )

    @model_validator(mode="after")
    def _parts_are_distinct(self) -> DatetimeConfig:
        if self.parts != "auto" and (not self.parts or len(set(self.parts)) < len(self.parts)):
            raise ValueError("parts names at least one part, each once")
        return self


class TextConfig(Section):
    """Text columns, as weights of hashed n-grams (sublinear term frequency, rows of length 1)."""

    tokens: Tokens = Field("words", description="what n-grams are made of; letters in lower case either way")
    ngrams: tuple[int, int] = Field((1, 2), description="the shortest and the longest n-gram")
    num_buckets: int = Field(256, ge=2, le=65_536, description="columns that the n-grams are hashed into")

    @model_validator(mode="after")
    def _ngrams_rise(self) -> TextConfig:
        shortest, longest = self.ngrams
        if not 1 <= shortest <= longest <= 8:
            raise ValueError(f"ngrams rise within 1 to 8, received [{shortest}, {longest}]")
        return self


class ColumnFeatureConfig(Section):
    """Exceptions for one column; null keeps the general setting."""

    impute: Impute | None = None
    fill_value: float | None = None
    indicator: bool | None = None
    scale: Scale | None = None
    clip: ClipConfig | None = None
    bins: int | None = Field(None, ge=2, le=256)
    encode: Encode | None = None
    min_count: int | None = Field(None, ge=1)
    max_categories: int | None = Field(None, ge=1)
    num_buckets: int | None = Field(None, ge=2, le=65_536)
    smoothing: float | None = Field(None, ge=0)
    folds: int | None = Field(None, ge=2, le=20)
    parts: DateParts | None = None
    tokens: Tokens | None = None
    ngrams: tuple[int, int] | None = None


class FeaturesConfig(DerivedConfig):
    """How columns become numbers."""

    numeric: NumericConfig = NumericConfig()
    categorical: CategoricalConfig = CategoricalConfig()
    datetime: DatetimeConfig = DatetimeConfig()
    text: TextConfig = TextConfig()
    image: ImageConfig = ImageConfig()
    target: Scale = Field("standard", description="how the target of a regression is scaled while a model is fitted")
    columns: dict[str, ColumnFeatureConfig] = Field({}, description="column: exceptions")

    @model_validator(mode="after")
    def _exceptions_are_valid(self) -> FeaturesConfig:
        for name in self.columns:
            for settings in (self.numeric_of, self.categorical_of, self.datetime_of, self.text_of):
                settings(name)
        return self

    @property
    def encodes_by_target(self) -> bool:
        """Whether any column may be encoded by the target."""
        return "target" in {self.categorical.encode, *(found.encode for found in self.columns.values())}

    def numeric_of(self, name: str) -> NumericConfig:
        """The settings of one numeric column, its exceptions included."""
        return self._with_exceptions(self.numeric, name)

    def epoch_of(self, name: str) -> NumericConfig:
        """The settings of a datetime column's seconds: what is said of numbers in their own unit isn't meant for it."""
        of_numbers: dict[str, Any] = {"impute": "median"} if self.numeric.impute == "constant" else {}
        if self.numeric.clip is not None and self.numeric.clip.quantiles is None:
            of_numbers["clip"] = None
        return self._with_exceptions(self.numeric.model_copy(update=of_numbers), name)

    def categorical_of(self, name: str) -> CategoricalConfig:
        return self._with_exceptions(self.categorical, name)

    def datetime_of(self, name: str) -> DatetimeConfig:
        return self._with_exceptions(self.datetime, name)

    def text_of(self, name: str) -> TextConfig:
        return self._with_exceptions(self.text, name)

    def set_for(self, name: str) -> dict[str, Any]:
        """The exceptions of one column that are not null."""
        found = self.columns.get(name)
        return {} if found is None else {key: value for key, value in found if value is not None}

    def _with_exceptions(self, section: _S, name: str) -> _S:
        own = {key: value for key, value in self.set_for(name).items() if key in type(section).model_fields}
        return type(section).model_validate({**dict(section), **own}) if own else section
