"""Entries as people write them into an environment variable; what can't be one is never repeated."""

from __future__ import annotations

import pytest

from distml.errors import ConfigError
from distml.serve.tokens.entry import entries, new

HASH = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("dml_Secret0Secret", "never the token"),
        ("ci:predict:dml_Secret0Secret", "never the token"),
        ("dml_Secret0Secret:predict:" + HASH, "never the token"),
        ("Secret0Secret", "never the token"),
        ("ci:Secret0Secret", "never the token"),
        ("ci:predict:Secret0Secret", "never the token"),
        ("ci:predict:Secret" + HASH[6:], "never the token"),
        ("ci:predict:" + HASH + "0", "never the token"),
        ("ci:Secret0Secret:" + HASH, "scopes are of predict, feedback, admin"),
        ("ci::" + HASH, "scopes are of predict, feedback, admin"),
        ("ci:predict,feedback:" + HASH, "never the token"),
        ("Secret0Secret&:predict:" + HASH, "a token's name"),
        (":predict:" + HASH, "a token's name"),
        ("ci:predict:" + HASH + ":Secret0Secret", "`expires=DATE` or nothing"),
        ("ci:predict:" + HASH + ":expires=Secret0Secret", "an ISO date"),
        ("ci:predict:" + HASH + ":expires=2027-02-30", "an ISO date"),
        ("ci:predict:" + HASH + ":expires=9999-12-31", "an ISO date"),
        ("ci:predict:" + HASH + ":expires=", "an ISO date"),
    ],
)
def test_what_is_no_entry_is_refused_and_not_repeated(line, rule):
    with pytest.raises(ConfigError) as caught:
        entries(f"ok:predict:{'f' * 64}\n{line}", "TOKENS")
    told = str(caught.value)
    assert rule in told
    assert "TOKENS, entry 2 of " in told
    assert "Secret" not in told
    assert HASH not in told
    assert caught.value.remedy


@pytest.mark.parametrize("second", ["ci:feedback:" + "f" * 64, "other:predict:" + HASH.upper()])
def test_a_token_stands_once(second):
    with pytest.raises(ConfigError, match="stands once"):
        entries(f"ci:predict:{HASH},{second}", "TOKENS")


def test_what_an_entry_says_is_read():
    (entry,) = entries(f"ci:feedback+predict:{HASH.upper()}:expires=2027-01-31", "TOKENS")
    assert (entry.name, entry.scopes, entry.digest.hex()) == ("ci", {"predict", "feedback"}, HASH)
    assert entry.line() == f"ci:predict+feedback:{HASH}:expires=2027-01-31"


@pytest.mark.parametrize(
    ("name", "scopes", "expires"),
    [("", ["predict"], None), ("a:b", ["predict"], None), ("a", [], None), ("a", ["read"], None),
     ("a", ["predict"], "tomorrow"), ("a" * 65, ["predict"], None)],
)  # fmt: skip
def test_no_token_is_made_that_no_service_would_read(name, scopes, expires):
    with pytest.raises(ConfigError):
        new(name, scopes, expires)
