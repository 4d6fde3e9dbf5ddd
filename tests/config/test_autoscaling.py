import pytest
from pydantic import ValidationError

from distml.config.autoscaling import AutoscalingConfig
from distml.config.serve import ServeConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_replicas": 3, "max_replicas": 2}, "min_replicas 3 is above max_replicas 2"),
        ({"min_replicas": -1}, "greater than or equal to 0"),
        ({"max_replicas": 0, "min_replicas": 0}, "greater than or equal to 1"),
        ({"max_replicas": 4, "initial_replicas": 5}, "initial_replicas 5 is not between min_replicas 1 and .* 4"),
        ({"max_replicas": 4, "min_replicas": 2, "initial_replicas": 1}, "initial_replicas 1 is not between .* 2"),
        ({"min_replicas": 0, "initial_replicas": 0}, "greater than or equal to 1"),
        ({"target_ongoing_requests": 0}, "greater than 0"),
        ({"target_ongoing_requests": float("nan")}, "finite"),
        ({"upscale_delay_s": -1}, "greater than or equal to 0"),
        ({"downscale_delay_s": -1}, "greater than or equal to 0"),
        ({"downscale_delay_s": 4}, "downscale_delay_s 4 is below look_back_period_s 5"),
        ({"downscale_to_zero_delay_s": 4.5}, "downscale_to_zero_delay_s 4.5 is below look_back_period_s 5"),
        ({"look_back_period_s": 61}, "downscale_delay_s 60 is below look_back_period_s 61"),
        ({"metrics_interval_s": 5}, "look_back_period_s 5 is not above metrics_interval_s 5"),
        ({"upscaling_factor": 0}, "greater than 0"),
        ({"downscaling_factor": -0.5}, "greater than 0"),
        ({"upscale_delay_s": float("inf")}, "finite"),
        ({"smoothing_factor": 1}, "not permitted"),
    ],
)
def test_nonsense_is_refused_with_its_reason(settings, message):
    with pytest.raises(ValidationError, match=message):
        AutoscalingConfig(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"min_replicas": 0},
        {"min_replicas": 0, "max_replicas": 4, "initial_replicas": 1},
        {"max_replicas": 4, "initial_replicas": 4},
        {"downscale_delay_s": 5, "downscale_to_zero_delay_s": 5, "upscale_delay_s": 0},
        {"metrics_interval_s": 4.9},
    ],
)
def test_accepted_at_the_boundary(settings):
    assert AutoscalingConfig(**settings).serve_options().items() >= settings.items()


def test_replicas_are_added_before_requests_are_refused():
    assert ServeConfig(max_queued=9).autoscaling.target_ongoing_requests == 8
    with pytest.raises(ValidationError, match="target_ongoing_requests 8 is not below max_queued 8"):
        ServeConfig(max_queued=8)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of metrics_interval_s, which is what still counts
@pytest.mark.parametrize("settings", [{}, {"min_replicas": 0, "max_replicas": 4, "initial_replicas": 2}])
def test_ray_serve_takes_every_option_as_it_is_written(settings):
    from ray.serve.config import AutoscalingConfig as ServeAutoscaling

    options = AutoscalingConfig(**settings).serve_options()
    taken = ServeAutoscaling(**options).model_dump()
    assert {name: taken[name] for name in options} == options
