import pytest

from distml.errors import ConfigError
from distml.models import FAMILIES
from distml.tune.grid import Grid
from distml.tune.space import SearchSpace

LINEAR = {"lr": {"choice": [0.001, 0.01]}, "weight_decay": {"uniform": [0.0, 0.2], "step": 0.1}}
MLP = {**FAMILIES["mlp"].defaults, "num_blocks": {"int": [1, 3]}, "width": {"int": [8, 16], "step": 4}}


def grid_of(**spaces):
    return Grid(SearchSpace.of(tuple(spaces), spaces))


def test_every_combination_once():
    grid = grid_of(linear=LINEAR, mlp=MLP)
    assert grid.size == 2 * 3 + 3 * 3
    cells = [grid.cell(i) for i in range(grid.size)]
    linear = {(params["lr"], round(params["weight_decay"], 9)) for family, params in cells if family == "linear"}
    assert linear == {(lr, decay) for lr in (0.001, 0.01) for decay in (0.0, 0.1, 0.2)}
    mlp = {(params["num_blocks"], params["width"]) for family, params in cells if family == "mlp"}
    assert mlp == {(blocks, width) for blocks in (1, 2, 3) for width in (8, 12, 16)}
    with pytest.raises(IndexError):
        grid.cell(grid.size)


@pytest.mark.parametrize("at_most", [1, 4, 15, 100])
def test_cells_are_different_and_in_an_order_of_the_seed(at_most):
    grid = grid_of(linear=LINEAR, mlp=MLP)
    one, again, other = (grid.cells([], at_most=at_most, seed=seed) for seed in (0, 0, 1))
    assert one == again
    assert one != other
    assert len(one) == min(at_most, 15) == len({repr(cell) for cell in one})


def test_points_come_first_and_once():
    grid = grid_of(linear=LINEAR)
    first = [
        ("linear", {"lr": 0.01, "weight_decay": 0.2}),
        ("linear", {"lr": 0.001}),
        ("linear", {"lr": 0.01, "weight_decay": 0.2}),
    ]
    cells = grid.cells(first, at_most=6, seed=0)
    assert cells[0] == ("linear", {"lr": 0.01, "weight_decay": 0.2})
    assert cells[1][1]["lr"] == 0.001
    assert len(cells) == 6


def test_a_large_grid_is_not_written_out():
    wide = {"int": [1, 1000]}
    grid = grid_of(mlp={**MLP, "num_blocks": wide, "width": wide, "embedding_width": wide})
    assert grid.size == 10**9
    assert len(grid.cells([], at_most=5, seed=0)) == 5
    with pytest.raises(ConfigError, match="a billion combinations at most"):
        grid_of(
            mlp={**MLP, "num_blocks": wide, "width": wide, "embedding_width": wide, "dropout": {"choice": [0, 0.1]}}
        )


def test_ranges_without_an_end_of_values_are_refused_with_a_line_that_fixes_them():
    with pytest.raises(ConfigError, match="values that can be counted") as caught:
        grid_of(linear={"lr": {"choice": [0.1]}, "weight_decay": {"log": [1e-6, 0.1]}}, trees={"num_leaves": 8})
    assert caught.value.where == "search.space.linear"
    assert caught.value.received == "weight_decay {log: [1e-06, 0.1]}"
    assert f"{{weight_decay: {FAMILIES['linear'].defaults['weight_decay']}}}" in caught.value.remedy
