import pytest

from distml.evaluation.scatter import scatter


def trial(number, score, **objectives):
    return {"number": number, "score": score, "objectives": objectives}


def places(records, front=(), sign=1):
    picture = scatter(records, "size_mb", front, sign, width=240, height=140)
    return {point["record"]["number"]: (point["x"], point["y"]) for point in picture["points"]}, picture


@pytest.mark.parametrize("sign", [1, -1])
def test_cheap_ones_are_left_and_better_ones_high(sign):
    found, picture = places([trial(1, sign * 0.5, size_mb=1.0), trial(2, sign * 0.7, size_mb=5.0)], sign=sign)
    assert found == {1: (20.0, 120.0), 2: (220.0, 20.0)}
    assert (picture["low"], picture["high"]) == (1.0, 5.0)


def test_costs_that_differ_by_more_than_ten_times_are_drawn_by_their_logarithm():
    found, _ = places([trial(i, 0.5, size_mb=size) for i, size in enumerate((1.0, 10.0, 100.0))])
    assert [x for x, _ in found.values()] == [20.0, 120.0, 220.0]


def test_the_front_is_a_line_from_the_cheapest():
    records = [trial(1, 0.9, size_mb=3.0), trial(2, 0.5, size_mb=1.0), trial(3, 0.5, size_mb=2.0)]
    _, picture = places(records, front=(1, 2))
    assert picture["line"] == "20.0,120.0 220.0,20.0"
    assert [point["is_front"] for point in picture["points"]] == [True, True, False]


def test_trials_without_a_score_or_the_cost_are_left_out():
    found, _ = places([trial(1, None, size_mb=1.0), trial(2, 0.5, latency_ms=1.0), trial(3, 0.5, size_mb=1.0)])
    assert found == {3: (120.0, 70.0)}
    assert places([])[1]["points"] == []
