from __future__ import annotations

import pytest

from distml.config.cors import CorsConfig
from distml.serve.cors import headers, preflight

SHOP = "https://shop.example"
LISTED = CorsConfig(origins=(SHOP, "http://localhost:3000"))


@pytest.mark.parametrize("origin", [None, SHOP, "null"])
def test_without_a_list_no_page_reads_anything(origin):
    assert headers(origin, None) == {}
    assert preflight(origin, None) == {}


@pytest.mark.parametrize("origin", [SHOP, "http://localhost:3000"])
def test_a_listed_origin_is_named_itself(origin):
    allowed = headers(origin, LISTED)
    assert (allowed["Access-Control-Allow-Origin"], allowed["Vary"]) == (origin, "Origin")
    assert "Access-Control-Allow-Credentials" not in allowed
    asked = preflight(origin, LISTED)
    assert asked["Access-Control-Allow-Methods"] == "GET, POST"
    assert "Authorization" in asked["Access-Control-Allow-Headers"]


@pytest.mark.parametrize("origin", [None, "null", "https://shop.example.evil", "http://shop.example", SHOP + ":8443"])
def test_others_are_not_though_caches_are_told_that_it_depends(origin):
    assert headers(origin, LISTED) == {"Vary": "Origin"}
    assert preflight(origin, LISTED) == {}


def test_a_star_allows_each_origin_by_its_name():
    assert headers(SHOP, CorsConfig(origins=("*",)))["Access-Control-Allow-Origin"] == SHOP
