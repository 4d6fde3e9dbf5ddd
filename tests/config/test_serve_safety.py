"""Who may reach a service: what isn't safe is refused where it is written, with what to do instead."""

from __future__ import annotations

import pytest

from distml.config.load import parse_config, with_absolute_paths
from distml.errors import ConfigError

BASE = "name: churn\ndata: {source: {uri: a.csv}, target: y}\nserve: "


def serve(text):
    return parse_config(BASE + text).serve


def test_the_default_is_this_machine_alone():
    known = serve("{}")
    assert (known.host, known.is_wide, known.auth, known.tls, known.cors) == ("127.0.0.1", False, None, None, None)
    assert known.url == "http://127.0.0.1:8000"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "fe80::1"])
@pytest.mark.parametrize(
    ("more", "rule", "remedy"),
    [("", "so it needs tokens", "listen on 127.0.0.1"), (", auth: {}", "tokens in the clear", "serve.tls: proxy"),
     (", tls: proxy", "so it needs tokens", "serve.auth")],
)  # fmt: skip
def test_wider_needs_tokens_and_tls(host, more, rule, remedy):
    with pytest.raises(ConfigError, match=rule) as caught:
        serve(f"{{host: '{host}'{more}}}")
    assert remedy in str(caught.value)
    assert "line 3, serve" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("{host: 0.0.0.0, auth: {}, tls: proxy}", "http://127.0.0.1:8000"),
        ("{host: 192.0.2.1, port: 8443, auth: {}, tls: {certificate: c.pem}}", "https://192.0.2.1:8443"),
        ("{host: '::', auth: {}, tls: proxy}", "http://[::1]:8000"),
        ("{host: '::1'}", "http://[::1]:8000"),
        ("{host: 127.0.0.2}", "http://127.0.0.2:8000"),
    ],
)
def test_with_both_it_is_reached_where_it_says(text, url):
    assert serve(text).url == url


@pytest.mark.parametrize("host", ["localhost", "example.org", "0.0.0.0/0", "1.2.3", "'*'", "''"])
def test_a_host_is_an_address(host):
    with pytest.raises(ConfigError, match="is an IP address"):
        serve(f"{{host: {host}}}")


@pytest.mark.parametrize(
    "text", ["auth: {tokens: %s}", "auth: %s", "auth: [%s]", "auth: {tokens: [%s]}", "auth: {TOKENS: %s}"]
)
@pytest.mark.parametrize("secret", ["dml_Secret", "ci:predict:Secret0", "Secret with spaces"])
def test_a_token_in_the_config_is_refused_and_not_repeated(text, secret):
    with pytest.raises(ConfigError) as caught:
        serve("{" + text % f"'{secret}'" + "}")
    assert "Secret" not in str(caught.value) + repr(caught.value.to_dict())


def test_nor_is_one_that_an_override_or_a_variable_brings():
    for overrides, environ in (
        (["serve.auth.tokens=dml_Secret"], {}),
        (["serve.auth.tokens=${T}"], {"T": "dml_Secret"}),
    ):
        with pytest.raises(ConfigError, match="an environment variable's name") as caught:
            parse_config(BASE + "{}", overrides, environ)
        assert "Secret" not in str(caught.value)


def test_a_config_keeps_the_variables_name_alone(monkeypatch):
    monkeypatch.setenv("DISTML_TOKENS", "ci:predict:" + "0" * 64)
    assert parse_config(BASE + "{auth: {}}").to_dict()["serve"]["auth"] == {"tokens": "DISTML_TOKENS"}


@pytest.mark.parametrize(
    ("cors", "rule"),
    [
        ("{origins: '*'}", "needs serve.auth"), ("{origins: []}", "at least 1"),
        ("{origins: ['*', 'https://a.b']}", "alone"),
        ("{origins: 'https://a.b/path'}", "without a path"), ("{origins: 'a.b'}", "scheme and host"),
        ("{origins: 'null'}", "scheme and host"), ("{}", "needs 'serve.cors.origins'"),
    ],
)  # fmt: skip
def test_origins_are_told_as_browsers_send_them(cors, rule):
    with pytest.raises(ConfigError, match=rule):
        serve(f"{{cors: {cors}}}")


def test_with_tokens_a_page_from_anywhere_may_ask():
    assert serve("{auth: {}, cors: {origins: '*'}}").cors.allows("https://a.example")


def test_a_certificate_is_found_in_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = with_absolute_paths(parse_config(BASE + "{tls: {certificate: c.pem, key: keys/k.pem}}"))
    assert config.serve.tls.certificate == str(tmp_path / "c.pem")
    assert config.serve.tls.key == str(tmp_path / "keys" / "k.pem")
