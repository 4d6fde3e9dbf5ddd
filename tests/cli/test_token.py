"""`distml token`: through the real command."""

from __future__ import annotations

import orjson
import pytest

from commands import distml, document
from distml.serve.tokens.auth import Tokens


@pytest.fixture
def made(tmp_path):
    return document(distml("token", "new", "ci", "--scopes", "predict,feedback", "--json", cwd=tmp_path))


def test_a_new_token_is_shown_once_and_kept_nowhere(tmp_path):
    done = distml("token", "new", "ci", "--scopes", "admin", "--expires", "2999-01-31", cwd=tmp_path)
    token, entry = done.stdout.splitlines()
    Tokens.of(entry).authorize({"authorization": f"Bearer {token}"}, "admin")
    assert entry.startswith("ci:admin:")
    assert entry.endswith(":expires=2999-01-31")
    assert token not in done.stderr
    assert not list(tmp_path.rglob("*.json"))


def test_a_list_tells_names_scopes_and_dates(tmp_path, made, monkeypatch):
    assert distml("token", "revoke", "old", cwd=tmp_path).returncode == 0
    monkeypatch.setenv("DISTML_TOKENS", made["entry"])
    (ci, old) = document(distml("token", "list", "--json", cwd=tmp_path))["tokens"]
    assert ci == {"name": "ci", "scopes": "predict+feedback", "expires": None, "revoked": None}
    assert (old["name"], old["scopes"]) == ("old", "?")
    shown = distml("token", "list", cwd=tmp_path).stdout
    assert made["entry"].split(":")[2] not in shown
    assert "predict+feedback" in shown


def test_a_revoked_name_is_given_out_no_more(tmp_path):
    revoked = distml("token", "revoke", "ci", "--json", cwd=tmp_path)
    assert orjson.loads(revoked.stdout)["name"] == "ci"
    done = distml("token", "new", "ci", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "choose another" in done.stderr


def test_a_slip_is_pointed_at(tmp_path, made, monkeypatch):
    monkeypatch.setenv("DISTML_TOKENS", made["entry"])
    assert "holds no token ic" in distml("token", "revoke", "ic", cwd=tmp_path).stderr
    assert "holds no token" not in distml("token", "revoke", "ci", cwd=tmp_path).stderr
