"""Which web pages may read the answers: headers for a browser, made of the config alone. None by default."""

from __future__ import annotations

from distml.config.cors import CorsConfig

_ASKED = "Authorization, Content-Type, X-Request-Id, X-Request-Timeout"
_TOLD = "Retry-After, X-Request-Id, X-Model-Version"
_KEPT_S = 600


def headers(origin: str | None, config: CorsConfig | None) -> dict[str, str]:
    """What every answer to a page carries; empty without an `Origin` header, and for an origin that isn't listed.

    >>> headers("https://a.example", CorsConfig(origins=("https://a.example",)))["Access-Control-Allow-Origin"]
    'https://a.example'
    """
    if config is None:
        return {}
    if origin is None or not config.allows(origin):
        return {"Vary": "Origin"}
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": _TOLD, "Vary": "Origin"}


def preflight(origin: str | None, config: CorsConfig | None) -> dict[str, str]:
    """What the answer (204, without a body or a token) to an OPTIONS request with `Access-Control-Request-Method`
    carries; empty where the origin isn't allowed: that is a 405 like any other OPTIONS."""
    allowed = headers(origin, config)
    if "Access-Control-Allow-Origin" not in allowed:
        return {}
    asked = {"Access-Control-Allow-Methods": "GET, POST", "Access-Control-Allow-Headers": _ASKED}
    return {**allowed, **asked, "Access-Control-Max-Age": str(_KEPT_S)}
