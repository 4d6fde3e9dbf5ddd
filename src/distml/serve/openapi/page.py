"""The OpenAPI document as one HTML page with a form to try it; nothing of it comes from elsewhere."""

from __future__ import annotations

from typing import Any


def page(openapi: dict[str, Any]) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("distml.serve.openapi", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("docs.html.j2").render(openapi=openapi)
