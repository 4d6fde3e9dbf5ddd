"""The profile's page: complete in itself, every column on it, nothing private, nothing that a value could inject."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from distml.inspection.page import bars, render
from distml.inspection.profile import profile
from inspected import clean_frame, inspected


class Tags(HTMLParser):
    """Every tag of a page with its attributes; fails where one is closed that isn't open."""

    VOID = frozenset(("meta", "rect", "polyline", "br", "link"))

    def __init__(self, page: str):
        super().__init__()
        self.seen: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            while self.open[-1] == "p" and tag != "p":
                self.open.pop()
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    frame = clean_frame(600, 41)
    frame.loc[[3, 4], "city"] = "<script>alert(1)</script>"
    frame["secret"] = np.random.default_rng(0).choice(["alpha", "omega"], 600)
    frame["salary"] = 31_337.5 + np.arange(600) % 9
    frame.to_csv(folder / "t.csv", index=False)
    clean_frame(300, 42).assign(secret="alpha", salary=1.0).to_csv(folder / "test.csv", index=False)
    data = {"test": {"uri": str(folder / "test.csv")}, "private": ["secret", "salary"]}
    return inspected(folder / "t.csv", data=data)


def test_a_page_needs_nothing_else(found):
    page = render(found, "shop")
    tags = Tags(page).seen
    names = {tag for tag, _ in tags}
    assert "script" not in names and "link" not in names and "img" not in names
    assert not re.search(r"(?:src|href)=\"(?!#)|url\(|@import", page)
    assert "prefers-color-scheme: dark" in page and "width=device-width" in page
    cards = {values["id"] for tag, values in tags if tag == "section"}
    assert cards == {f"column-{column['name']}" for column in profile(found)}
    links = {values["href"] for tag, values in tags if tag == "a"}
    assert links <= {f"#{card}" for card in cards}


def test_a_value_is_text(found):
    page = render(found, "shop")
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page


def test_private_values_are_not_on_it(found):
    page = render(found, "shop")
    assert "alpha" not in page and "omega" not in page and "31337" not in page.replace(",", "")
    described = {column["name"]: column for column in profile(found)}
    assert described["secret"]["tables"]["source"] == {"rows": 600, "missing": 0, "missing_share": 0.0}


def test_histograms_hold_every_row(found):
    for column in profile(found):
        for figures in column["tables"].values():
            if "histogram" in figures:
                histogram = figures["histogram"]
                total = sum(histogram["counts"]) + histogram["below"] + histogram["above"]
                assert total == figures["rows"] - figures["missing"], column["name"]
                assert len(histogram["edges"]) == len(histogram["counts"]) + 1


def test_bars_are_as_high_as_their_counts():
    histogram = {"edges": [0.0, 1.0, 2.0], "counts": [5, 10], "target": [0.1, 0.4]}
    picture = bars({"histogram": histogram}, {"histogram": {**histogram, "counts": [1, 0]}})
    first, second = picture["bars"]
    assert second["height"] == pytest.approx(2 * first["height"])
    assert len(picture["line"].split()) == 2 and len(picture["outline"].split()) == 4
