"""The peer: what a good engineer would write around a predictor with FastAPI, pydantic and uvicorn.

    python bench/serving/by_hand.py PACKAGE PORT

One worker with uvloop and httptools, no logging; typed rows by pydantic; orjson for the answer. Predicting is short, so
the endpoint is `async def`: handed to a thread (`def`) it is slower.
"""

from __future__ import annotations

import sys
import uuid
from typing import Any

import orjson
import uvicorn
from fastapi import FastAPI, Response
from pydantic import BaseModel, Field, create_model

from distml.predictor import Predictor
from distml.records import table_from_records
from distml.schema import Column, Schema
from distml.threads import set_threads

TYPES: dict[str, Any] = {"numeric": float | None, "boolean": bool | None}  # else texts


def row_model(schema: Schema) -> type[BaseModel]:
    """A row's pydantic model; columns go by alias, as their names need be no identifiers."""
    fields: dict[str, Any] = {
        f"column_{i}": (TYPES.get(column.kind, str | None), _field(column)) for i, column in enumerate(schema.inputs)
    }
    return create_model("Row", **fields)


def _field(column: Column) -> Any:
    return Field(None, alias=column.name) if column.optional else Field(alias=column.name)


def application(predictor: Predictor) -> FastAPI:
    row = row_model(predictor.schema)
    request_model: Any = create_model("Request", rows=(list[row], ...))  # type: ignore[valid-type]
    app = FastAPI()

    async def predict(request: request_model) -> Response:
        records = [row.model_dump(by_alias=True) for row in request.rows]
        prediction = predictor.predict_few(records)
        if prediction is None:
            prediction = predictor.predict(table_from_records(records, predictor.schema))
        answer: dict[str, Any] = {
            "predictions": prediction.values.tolist(),
            "model": {"name": predictor.package.name, "version": 1},
            "request_id": uuid.uuid4().hex,
        }
        if prediction.probabilities is not None and prediction.labels is not None:
            labels = [str(label) for label in prediction.labels]
            answer["probabilities"] = [dict(zip(labels, p, strict=True)) for p in prediction.probabilities.tolist()]
        return Response(orjson.dumps(answer), media_type="application/json")

    predict.__annotations__["request"] = request_model  # made above, so no name that FastAPI could look up
    app.post("/predict")(predict)
    return app


def main() -> None:
    package, port = sys.argv[1:]
    set_threads(1)  # as a replica has
    uvicorn.run(
        application(Predictor.load(package)), host="127.0.0.1", port=int(port), loop="uvloop", http="httptools",
        access_log=False, log_level="warning",
    )  # fmt: skip


if __name__ == "__main__":
    main()
