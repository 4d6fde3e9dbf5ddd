"""A column that deals rows to training, validation and test."""

import numpy as np
import pytest

from distml.config import parse_config
from distml.proposal.draft import draft
from distml.proposal.propose import propose

N = 300


def proposal_of(folder, name, values):
    rng = np.random.default_rng(1)
    lines = [f"{rng.normal():.4f},{values[i % len(values)]},{'ab'[rng.integers(2)]}" for i in range(N)]
    (folder / "t.csv").write_text(f"x,{name},y\n" + "\n".join(lines) + "\n")
    return propose(str(folder / "t.csv"), "y")


@pytest.mark.parametrize("values", [["train", "train", "valid", "test"], ["training", "dev", "test"]])
def test_it_deals_the_rows(tmp_path, values):
    found = proposal_of(tmp_path, "part", values)
    assert found.data.roles.split == "part"
    text = draft(found, "t.yaml")
    assert "split: part  # says which rows are for what: 'train" in text
    assert parse_config(text, environ={}).data.roles.split == "part"


@pytest.mark.parametrize(
    ("name", "values", "is_told"),
    [
        ("split", ["train", "test", "holdout"], True),
        ("split", ["train", "test"], True),
        ("transport", ["train", "bus", "car"], False),
        ("split", ["a", "b", "c"], False),
    ],
)
def test_what_may_be_meant_otherwise_is_told_alone(tmp_path, name, values, is_told):
    found = proposal_of(tmp_path, name, values)
    assert found.data.roles.split is None and name not in found.data.exclude
    assert any(r.column == name and "which rows are for what" in r.text for r in found.remarks) == is_told
