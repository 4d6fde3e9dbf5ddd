"""What a model's endpoints take and answer: an OpenAPI document, and a page of it that needs no network."""

from distml.serve.openapi.document import document, row_schema
from distml.serve.openapi.page import page

__all__ = ["document", "page", "row_schema"]
