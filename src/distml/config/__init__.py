"""The run config: what a user writes, as frozen values."""

from distml.config.augment import AugmentConfig, ImageAugmentConfig, TabularAugmentConfig
from distml.config.auth import AuthConfig
from distml.config.autoscaling import AutoscalingConfig
from distml.config.base import Task
from distml.config.clean import CleanConfig, RuleConfig
from distml.config.data import DataConfig, RolesConfig
from distml.config.features import CategoricalConfig, FeaturesConfig, NumericConfig
from distml.config.gates import EvaluateConfig, GateConfig, GatesConfig
from distml.config.load import load_config, parse_config, with_absolute_paths, with_overrides
from distml.config.model import ModelConfig
from distml.config.monitor import MonitorConfig
from distml.config.postprocess import PostprocessConfig, ThresholdConfig
from distml.config.retrain import RetrainConfig
from distml.config.rollout import RolloutConfig
from distml.config.run import RunConfig
from distml.config.search import PointConfig, SearchConfig
from distml.config.serve import ServeConfig
from distml.config.source import SourceConfig
from distml.config.split import SplitConfig
from distml.config.tracking import TrackingConfig
from distml.config.train import TrainConfig
from distml.config.validation import ValidateConfig

__all__ = [
    "AugmentConfig",
    "AuthConfig",
    "AutoscalingConfig",
    "CategoricalConfig",
    "CleanConfig",
    "DataConfig",
    "EvaluateConfig",
    "FeaturesConfig",
    "GateConfig",
    "GatesConfig",
    "ImageAugmentConfig",
    "ModelConfig",
    "MonitorConfig",
    "NumericConfig",
    "PointConfig",
    "PostprocessConfig",
    "RetrainConfig",
    "RolesConfig",
    "RolloutConfig",
    "RuleConfig",
    "RunConfig",
    "SearchConfig",
    "ServeConfig",
    "SourceConfig",
    "SplitConfig",
    "TabularAugmentConfig",
    "Task",
    "ThresholdConfig",
    "TrackingConfig",
    "TrainConfig",
    "ValidateConfig",
    "load_config",
    "parse_config",
    "with_absolute_paths",
    "with_overrides",
]
