"""`ModelPackage`: the one artifact that crosses from training to serving. A folder of data, no code, no pickle.

    manifest.json        format, schema, signature, task, metrics, lineage, how each member is executed, sha256 of
                         every other file, its own checksum
    members/<i>/         model.json, weights.safetensors or model.txt, features.json; model.onnx, where a network can be
                         exported and predicts alike
    postprocess.json     member weights, threshold, the target's inverse
    baseline.json        summaries of the training rows and of held-out predictions, for drift
    golden.json          raw rows with the predictions that the reloaded package gave, and the tolerance

This module writes and verifies the folder; `distml.predictor` predicts with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from distml.derive import reload_functions
from distml.errors import PackageError
from distml.execution import ONNX, Execution, load_member
from distml.features import FeaturePipeline
from distml.models import Model, ModelSpec
from distml.models.own import require_factory
from distml.postprocess import Postprocess
from distml.schema import Schema
from distml.storage import Storage, content_hash, dump_json, file_sha256
from distml.summary import TableSummary

FORMAT = 4
READABLE = (3, FORMAT)  # format 3 doesn't say how members are executed: they are, as they were fitted
MANIFEST = "manifest.json"
GOLDEN = "golden.json"
_REMEDY = "fetch the package again, or roll back to another version"


@dataclass(frozen=True, kw_only=True)
class Member:
    """One fitted model and the pipeline that feeds it.

    execution: what it is to be predicted with, None before that is measured; onnx: its exported form, to be saved.
    engine: what it is predicted with where it was loaded, and note: why that isn't what was measured to be best.
    """

    model: Model
    pipeline: FeaturePipeline
    execution: Execution | None = None
    onnx: bytes | None = None
    engine: str | None = None
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Golden:
    """Raw rows as JSON and the scores that the package gave for them, on CPU in float32."""

    rows: list[dict[str, Any]]
    scores: list[Any]
    tolerance: float = 1e-5


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What training rows and held-out predictions looked like."""

    inputs: TableSummary
    predictions: TableSummary


@dataclass(frozen=True, kw_only=True)
class ModelPackage:
    """A package in memory. `lineage` says what it was made from and which rows fitted what."""

    name: str
    schema: Schema
    members: tuple[Member, ...]
    postprocess: Postprocess
    baseline: Baseline
    metrics: Mapping[str, Any] = field(default_factory=dict)
    lineage: Mapping[str, Any] = field(default_factory=dict)
    golden: Golden | None = None

    @property
    def task(self) -> str:
        return self.postprocess.target.task

    def save(self, folder: Path) -> None:
        """Writes the package into an empty folder; the manifest, with everything's checksum, last."""
        folder.mkdir(parents=True, exist_ok=True)
        for index, member in enumerate(self.members):
            home = folder / "members" / str(index)
            home.mkdir(parents=True)
            member.model.save(home)
            (home / "features.json").write_bytes(dump_json(member.pipeline.to_dict()))
            if member.onnx is not None:
                (home / ONNX).write_bytes(member.onnx)
        (folder / "postprocess.json").write_bytes(dump_json(self.postprocess.to_dict()))
        baseline = {
            "inputs": self.baseline.inputs.to_dict(),
            "predictions": self.baseline.predictions.to_dict(),
        }
        (folder / "baseline.json").write_bytes(dump_json(baseline))
        if self.golden is not None:
            (folder / GOLDEN).write_bytes(dump_json(self.golden.__dict__))
        (folder / MANIFEST).write_bytes(dump_json(self._manifest(folder)))

    def _manifest(self, folder: Path) -> dict[str, Any]:
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
        manifest = {
            "format": FORMAT,
            "name": self.name,
            "task": self.task,
            "schema": self.schema.to_dict(),
            "signature": signature(self.schema, self.postprocess),
            "metrics": dict(self.metrics),
            "lineage": dict(self.lineage),
            "num_members": len(self.members),
            "execution": {
                str(i): member.execution.to_dict() for i, member in enumerate(self.members) if member.execution
            },
            "files": {str(path.relative_to(folder)): file_sha256(path) for path in files},
        }
        return {**manifest, "checksum": manifest_checksum(manifest)}

    @classmethod
    def load(cls, folder: Path, *, device: str = "cpu", as_fitted: bool = False) -> ModelPackage:
        """Verifies the checksums, then reads.

        device: where torch computes, `cpu` or `cuda`. as_fitted: predicted by what it was fitted with, whatever was
        measured, and to be saved again. Raises `PackageError` for anything that isn't as the manifest says, `CodeError`
        where it needs functions of the user's own that aren't allowed or aren't there, `UsageError` for a device that
        isn't here.
        """
        manifest = verify(folder)
        schema = Schema.from_dict(manifest["schema"])
        reload_functions(schema)
        pipelines: dict[str, FeaturePipeline] = {}  # members of one recipe share theirs, so rows are encoded once
        members = []
        for index in range(manifest["num_members"]):
            home = folder / "members" / str(index)
            checksum = manifest["files"][f"members/{index}/features.json"]
            if checksum not in pipelines:
                pipelines[checksum] = FeaturePipeline.from_dict(_json(home / "features.json"))
            written = manifest.get("execution", {}).get(str(index))
            execution = None if written is None else Execution.from_dict(written)
            loaded = load_member(home, None if as_fitted else execution, device)
            members.append(
                Member(
                    model=loaded.model,
                    pipeline=pipelines[checksum],
                    execution=execution,
                    onnx=(home / ONNX).read_bytes() if as_fitted and (home / ONNX).exists() else None,
                    engine=loaded.engine,
                    note=loaded.note,
                )
            )
        baseline = _json(folder / "baseline.json")
        golden = folder / GOLDEN
        return cls(
            name=manifest["name"],
            schema=schema,
            members=tuple(members),
            postprocess=Postprocess.from_dict(_json(folder / "postprocess.json")),
            baseline=Baseline(
                inputs=TableSummary.from_dict(baseline["inputs"]),
                predictions=TableSummary.from_dict(baseline["predictions"]),
            ),
            metrics=manifest["metrics"],
            lineage=manifest["lineage"],
            golden=Golden(**_json(golden)) if golden.exists() else None,
        )


def require_code(storage: Storage, package: str) -> Schema:
    """The schema of a package in storage, whose code of the user's own may be imported here and is what it was.

    For who is about to load it elsewhere, or many times. Raises as `ModelPackage.load` does for its code.
    """
    manifest = storage.read_json(f"{package}/{MANIFEST}")
    schema = Schema.from_dict(manifest["schema"])
    reload_functions(schema)
    for index in range(manifest["num_members"]):
        require_factory(ModelSpec.from_dict(storage.read_json(f"{package}/members/{index}/model.json")))
    return schema


def verify(folder: Path) -> dict[str, Any]:
    """The manifest of a folder whose files are exactly those that it lists, each with its checksum."""
    path = folder / MANIFEST
    if not path.is_file():
        raise PackageError("a package has a manifest", received=f"no {MANIFEST}", where=str(folder))
    try:
        manifest = _json(path)
    except orjson.JSONDecodeError as error:
        raise PackageError("a manifest is JSON", received=str(error), where=str(path)) from error
    written_format = manifest.get("format") if isinstance(manifest, dict) else None
    if written_format not in READABLE:
        raise PackageError(
            f"a package of format {' or '.join(map(str, READABLE))}",
            received=repr(written_format),
            where=str(path),
            remedy="load it with the distml version that wrote it",
        )
    if manifest.get("checksum") != manifest_checksum(manifest):
        raise PackageError(
            "a manifest is as it was written", received="another checksum", where=str(path), remedy=_REMEDY
        )
    _verify_files(folder, manifest["files"])
    return manifest


def manifest_checksum(manifest: Mapping[str, Any]) -> str:
    """The content hash of everything in a manifest but the checksum itself."""
    return content_hash({key: value for key, value in manifest.items() if key != "checksum"})


def _verify_files(folder: Path, listed: Mapping[str, str]) -> None:
    paths = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*"))}
    for name, path in paths.items():
        if path.is_symlink():
            raise PackageError("a package holds no links", received=name, where=str(folder), remedy=_REMEDY)
    found = {name for name, path in paths.items() if path.is_file() and name != MANIFEST}
    strangers = sorted(found - set(listed))
    if strangers:
        raise PackageError(
            "a package holds only files that its manifest lists", received=strangers[0], where=str(folder),
            remedy=_REMEDY,
        )  # fmt: skip
    for name, wanted in listed.items():
        if name not in found:
            raise PackageError("a package is whole", received=f"no file {name}", where=str(folder), remedy=_REMEDY)
        checksum = file_sha256(paths[name])
        if checksum != wanted:
            raise PackageError(
                "a package's files are as they were written",
                received=f"sha256 {checksum[:12]}…, manifest {wanted[:12]}…",
                where=f"{folder}/{name}",
                remedy=_REMEDY,
            )


def signature(schema: Schema, postprocess: Postprocess) -> dict[str, Any]:
    """Inputs and outputs by name and type."""
    inputs = [{"name": column.name, "kind": column.kind} for column in schema.inputs]
    labels = getattr(postprocess.target, "labels", None)
    return {"inputs": inputs, "outputs": {"target": schema.target.name, "labels": labels and list(labels)}}


def package_id(manifest: Mapping[str, Any]) -> str:
    """A package's content hash: the checksums of its files, whatever its name, metrics or lineage.

    Without exported forms: they are the same weights once more, there or not by what is installed where it was packed.
    What was measured lies in the manifest, so the same config, data and seed give the same hash.
    """
    return content_hash({name: sha for name, sha in manifest["files"].items() if Path(name).name != ONNX})


def _json(path: Path) -> Any:
    return orjson.loads(path.read_bytes())
