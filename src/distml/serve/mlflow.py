"""A package as an MLflow model: `mlflow models serve` and `mlflow.pyfunc.load_model` predict with it.

Beside the package lies a description that names this module as its loader. So there is one copy of the package, no
pickle and no code in it; what loads it must have distml installed.
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distml.clean import as_text
from distml.postprocess import Prediction
from distml.predictor import Predictor
from distml.schema import Column, Schema

PACKAGE = "package"  # the package's folder beside the description
_TYPES = {"number": "double", "boolean": "boolean", "datetime": "datetime", "image": "binary"}  # else string
_LABEL_TYPES = {bool: "boolean", int: "long", float: "double", str: "string"}
_REQUIREMENTS = "requirements.txt"


def description(manifest: Mapping[str, Any], run: str | None) -> dict[str, bytes]:
    """The files of an MLflow model by name, as they lie beside the folder of the package with this manifest.

    run: the id of the MLflow run that made it.
    """
    from mlflow.models import Model
    from mlflow.pyfunc import add_to_model

    model = Model(run_id=run)
    model.signature = _signature(manifest)
    add_to_model(model, loader_module=__name__, data=PACKAGE, python_env="python_env.yaml")
    python = platform.python_version()
    environment = f"python: {python}\nbuild_dependencies: [pip]\ndependencies: [-r {_REQUIREMENTS}]\n"
    return {
        "MLmodel": model.to_yaml().encode(),
        "python_env.yaml": environment.encode(),
        _REQUIREMENTS: f"distml=={importlib.metadata.version('distml')}\n".encode(),
    }


def _signature(manifest: Mapping[str, Any]) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec
    from mlflow.types import Schema as Columns

    schema = Schema.from_dict(manifest["schema"])
    labels = manifest["signature"]["outputs"]["labels"]
    taken = [ColSpec(_type_of(column), column.name, required=not column.optional) for column in schema.inputs]
    given = [ColSpec(_LABEL_TYPES[float if labels is None else type(labels[0])], "prediction")]
    given += [ColSpec("double", _probability(label)) for label in labels or ()]
    return ModelSignature(inputs=Columns(taken), outputs=Columns(given))


def _type_of(column: Column) -> Any:
    """MLflow's type of a column. It takes no whole numbers for floats nor the other way round, so that where pandas
    may have either, as it does where there are gaps, any is right: `RowCleaner` looks at the values."""
    from mlflow.types.schema import AnyType

    if column.dtype == "integer" or (column.dtype == "boolean" and column.optional):
        return AnyType()
    return _TYPES.get(column.dtype, "string")


def _probability(label: Any) -> str:
    return f"probability_{as_text(label)}"


class PyfuncModel:
    """What MLflow calls."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Predictions for a pandas frame as another: `prediction`, and `probability_<label>` for each class.

        Raises `DataError` for a row that the service would refuse.
        """
        absent = [c.name for c in self._predictor.schema.inputs if c.optional and c.name not in model_input]
        return _frame(self._predictor.predict(model_input.assign(**dict.fromkeys(absent))))


def _frame(prediction: Prediction) -> Any:
    import pandas as pd

    columns: dict[str, Any] = {"prediction": prediction.values}
    if prediction.probabilities is not None:
        assert prediction.labels is not None
        columns |= {_probability(label): prediction.probabilities[:, i] for i, label in enumerate(prediction.labels)}
    return pd.DataFrame(columns)


def _load_pyfunc(path: str) -> PyfuncModel:
    """MLflow's entry: the package in a folder, verified and its golden rows replayed."""
    return PyfuncModel(Predictor.load(Path(path)))
