"""The passes of an inspection over a Ray cluster: the same observations as in this process."""

from __future__ import annotations

import pytest

from distml.data import LocalEngine
from distml.data.on_ray import RayEngine
from distml.inspection.inspect import inspect
from distml.lifecycle.validate import fit_cleaner
from inspected import clean_frame, config_of

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]


def test_the_same_observations(tmp_path):
    frame = clean_frame(5000, 61)
    frame.loc[[5, 4800], "city"] = "?"
    frame.loc[17, "normal"] = 1e6
    (tmp_path / "t").mkdir()
    for k in range(3):
        frame[k * 1700 : (k + 1) * 1700].to_csv(tmp_path / "t" / f"{k}.csv", index=False)
    config = config_of(tmp_path / "t")
    cleaner = fit_cleaner(config)
    by_ray = inspect(config, cleaner, RayEngine())
    assert by_ray.observations == inspect(config, cleaner, LocalEngine()).observations
    assert {"missing_token", "outlier"} <= {o.kind for o in by_ray.observations}
