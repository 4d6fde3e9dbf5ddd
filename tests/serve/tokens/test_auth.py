"""Who may ask what: every form of a token that isn't one is answered alike, and nothing tells what was sent."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime

import pytest

from distml.config.auth import AuthConfig
from distml.errors import ConfigError
from distml.serve.tokens.auth import Tokens, require_tokens, tokens_of
from distml.serve.tokens.entry import Entry, new
from distml.serve.wire.problem import Problem

NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC).timestamp()


def bearer(token):
    return {"authorization": f"Bearer {token}"}


def refused(tokens, headers, scope="predict"):
    with pytest.raises(Problem) as caught:
        tokens.authorize(headers, scope)
    return caught.value


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        (["predict"], {"predict"}), (["feedback"], {"feedback"}), (["predict", "feedback"], {"predict", "feedback"}),
        (["admin"], {"predict", "feedback", "admin"}),
    ],
)  # fmt: skip
def test_a_token_may_what_its_scopes_say(scopes, allowed):
    token, entry = new("ci", scopes)
    tokens = Tokens.of(entry.line())
    for scope in ("predict", "feedback", "admin"):
        if scope in allowed:
            tokens.authorize(bearer(token), scope)
        else:
            problem = refused(tokens, bearer(token), scope)
            assert problem.status == 403
            assert problem.detail == f"this needs a token with the scope {scope}"
            assert f'scope="{scope}"' in problem.headers["WWW-Authenticate"]


def test_whatever_is_wrong_is_answered_alike():
    token, entry = new("ci", ["predict"], "2026-12-31")
    revoked, other = new("old", ["predict"])
    tokens = Tokens((entry, other), now=lambda: NEW_YEAR)
    tokens.revoke(["old"])
    sent = [
        {}, {"authorization": ""}, {"authorization": "Bearer"}, {"authorization": "Bearer "}, bearer("dml_unknown"),
        {"authorization": token}, {"authorization": f"Basic {token}"}, bearer("\xff\ud800"), bearer(entry.digest.hex()),
        bearer(token + "x"), bearer(token[:-1]), bearer("x" * 100_000), bearer(token), bearer(revoked),
    ]  # fmt: skip
    problems = [refused(tokens, headers) for headers in sent]
    assert {(one.status, one.detail, *one.headers.items()) for one in problems} == {
        (
            401, "this needs a valid token: send `Authorization: Bearer TOKEN`",
            ("WWW-Authenticate", 'Bearer realm="distml"'),
        )
    }  # fmt: skip
    assert all(one.members == {} for one in problems)


@pytest.mark.parametrize("expires", ["2026-12-31", "2027-01-01T00:00:00Z", "2027-01-01T01:00:00+01:00"])
def test_a_token_ends_at_its_moment(expires):
    token, entry = new("ci", ["predict"], expires)
    Tokens((entry,), now=lambda: NEW_YEAR - 1).authorize(bearer(token), "predict")
    assert refused(Tokens((entry,), now=lambda: NEW_YEAR), bearer(token)).status == 401


def test_the_schemes_name_has_any_case():
    token, entry = new("ci", ["predict"])
    Tokens.of(entry.line()).authorize({"authorization": f"bEARER  {token}"}, "predict")


def test_revoked_is_what_was_said_last():
    token, entry = new("ci", ["predict"])
    tokens = Tokens.of(entry.line())
    tokens.revoke({"ci"})
    assert refused(tokens, bearer(token)).status == 401
    tokens.revoke(frozenset())
    tokens.authorize(bearer(token), "predict")


def test_open_lets_everyone_in():
    Tokens.open().authorize({}, "admin")
    assert Tokens.open().is_open
    assert not Tokens.of(new("ci", ["predict"])[1].line()).is_open


def test_several_tokens_stand_in_one_variable():
    made = [new(name, ["predict"]) for name in ("a", "b", "c")]
    lines = [entry.line() for _, entry in made]
    tokens = Tokens.of(f" {lines[0]},{lines[1]} \n\n{lines[2]},\n")
    for token, _ in made:
        tokens.authorize(bearer(token), "predict")


def test_no_repr_tells_a_hash():
    token, entry = new("ci", ["predict"])
    tokens = Tokens.of(entry.line())
    for text in (repr(tokens), repr(entry), str(entry), repr(vars(entry)["scopes"])):
        assert token not in text
        assert entry.digest.hex() not in text
        assert repr(entry.digest) not in text


def test_a_made_token_is_long_and_never_the_same():
    made = {new("ci", ["predict"])[0] for _ in range(100)}
    assert len(made) == 100
    assert {(len(token), token[:4]) for token in made} == {(47, "dml_")}  # 43 letters of base64 are 256 bits


def test_a_service_without_auth_is_open():
    assert require_tokens(None).is_open
    assert tokens_of(None).is_open


def test_tokens_come_from_the_named_variable(monkeypatch):
    token, entry = new("ci", ["predict"])
    monkeypatch.setenv("CHURN_TOKENS", entry.line())
    require_tokens(AuthConfig(tokens="CHURN_TOKENS")).authorize(bearer(token), "predict")


@pytest.mark.parametrize("value", [None, "", " , "])
def test_without_tokens_nothing_is_opened(monkeypatch, value):
    monkeypatch.delenv("DISTML_TOKENS", raising=False)
    if value is not None:
        monkeypatch.setenv("DISTML_TOKENS", value)
    with pytest.raises(ConfigError, match="DISTML_TOKENS") as caught:
        require_tokens(AuthConfig())
    assert "distml token new" in caught.value.remedy
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_an_entry_survives_its_line():
    _, entry = new("ci", ["feedback", "predict"], "2027-01-31")
    assert isinstance(entry, Entry)
    assert Tokens.of(entry.line())._all == (entry,)
