"""From YAML text and overrides to a `RunConfig`, with errors that name the line, the key and the remedy."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from distml.config.gates import GateConfig, GatesConfig
from distml.config.model import ModelConfig
from distml.config.run import RunConfig
from distml.config.serve import ServeConfig
from distml.config.source import SourceConfig
from distml.config.tls import TlsConfig
from distml.errors import ConfigError, did_you_mean
from distml.secrets import VARIABLE


class _Loader(yaml.SafeLoader):
    """Safe YAML that reads 1e-4 as a number and refuses a key written twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                continue  # refused below, with its line
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is written twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d[\d_]*)(\.[\d_]*)?[eE][-+]?\d+$"),
    list("-+0123456789"),
)


def load_config(
    path: str | Path, overrides: Iterable[str] = (), environ: Mapping[str, str] | None = None, *,
    is_handed: bool = False,
) -> RunConfig:  # fmt: skip
    """Reads a run config file; `overrides` are "section.key=value" texts with YAML values.

    path: a file, or env:NAME for the text that an environment variable holds, as in a submitted job. is_handed: the
    table is handed in, and need not be named. Raises `ConfigError` for anything that is not a valid run config.
    """
    known = os.environ if environ is None else environ
    if str(path).startswith("env:"):
        name = str(path).removeprefix("env:")
        if name not in known:
            raise ConfigError("a run config is a YAML file", received=f"no variable {name}", remedy=f"set {name}")
        return parse_config(known[name], overrides, environ, where=str(path), is_handed=is_handed)
    path = Path(path)
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError as error:
        raise ConfigError(
            "a run config is a YAML file", received=f"no file {path}", remedy="check the path, or write one"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("a run config is a readable UTF-8 file", received=str(error), where=str(path)) from error
    return parse_config(text, overrides, environ, where=str(path), is_handed=is_handed)


def parse_config(
    text: str,
    overrides: Iterable[str] = (),
    environ: Mapping[str, str] | None = None,
    where: str = "config",
    *,
    is_handed: bool = False,
) -> RunConfig:
    """Like `load_config`, from YAML text."""
    overrides = tuple(overrides)
    try:
        node = yaml.compose(text, Loader=_Loader)
        values = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise _yaml_error(error, where) from error
    if not isinstance(values, dict):
        raise ConfigError(
            "a run config is a mapping of sections",
            received=type(values).__name__,
            where=where,
            remedy="start with `name:` and `data:`; `distml schema` prints every key",
        )
    values = {key: {} if value is None else value for key, value in values.items()}  # `search:` with nothing below
    for override in overrides:
        _override(values, override)
    if is_handed and isinstance(data := values.get("data"), dict):
        data.setdefault("source", {"uri": "data"})
    values = _interpolate(values, os.environ if environ is None else environ, where, ())
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        raise _config_error(error, node, where, overrides) from error


def with_overrides(config: RunConfig, overrides: Iterable[str], environ: Mapping[str, str] | None = None) -> RunConfig:
    """A config with "section.key=value" texts over it. Raises `ConfigError`."""
    values = config.to_dict()
    for override in overrides:
        _override(values, override)
    values = _interpolate(values, os.environ if environ is None else environ, "-s", ())
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        raise _config_error(error, None, "-s") from error


def with_absolute_paths(config: RunConfig) -> RunConfig:
    """The config with local paths written from the root, so that it means the same in every folder."""
    again = config.retrain.data
    data = config.data.model_copy(update={name: _placed(getattr(config.data, name)) for name in ("source", "test")})
    retrain = config.retrain.model_copy(update={"data": again.model_copy(update={"source": _placed(again.source)})})
    schema = config.validation.schema_file
    validation = config.validation.model_copy(update={"schema_file": None if schema is None else _absolute(schema)})
    told = {"storage": _absolute(config.storage), "data": data, "validation": validation, "retrain": retrain}
    told["serve"] = _with_placed_certificate(config.serve)
    return config.model_copy(update={**told, "model": _with_placed_package(config.model)})


def _with_placed_package(model: ModelConfig) -> ModelConfig:
    warm = model.warm_start
    if warm is None or not warm.is_folder:
        return model
    return model.model_copy(update={"warm_start": warm.model_copy(update={"package": _absolute(warm.package)})})


def _with_placed_certificate(serve: ServeConfig) -> ServeConfig:
    if not isinstance(serve.tls, TlsConfig):
        return serve
    key = None if serve.tls.key is None else _absolute(serve.tls.key)
    tls = TlsConfig(certificate=_absolute(serve.tls.certificate), key=key)
    return serve.model_copy(update={"tls": tls})


_SQLITE = "sql:sqlite:///"  # and a path, absolute or not


def _placed(source: SourceConfig | None) -> SourceConfig | None:
    if source is None:
        return None
    labels = None if source.labels is None else _absolute(source.labels)
    return source.model_copy(update={"uri": _absolute(source.uri), "labels": labels})


def _absolute(path: str) -> str:
    if path.startswith(_SQLITE) and not path.startswith((f"{_SQLITE}/", f"{_SQLITE}file:")):
        return _SQLITE + _absolute(path.removeprefix(_SQLITE))
    if "://" in path or path.startswith("sklearn:"):
        return path
    return str(Path(path).expanduser().absolute())


def _yaml_error(error: yaml.YAMLError, where: str) -> ConfigError:
    mark = getattr(error, "problem_mark", None)
    place = f"{where}, line {mark.line + 1}" if mark else where
    problem = getattr(error, "problem", None) or str(error)
    if "could not determine a constructor" in problem:
        return ConfigError(
            "a run config is plain YAML: no tags that build objects",
            received=problem.rsplit("tag ", 1)[-1],
            where=place,
            remedy="write the value itself",
        )
    return ConfigError("a run config is valid YAML", received=problem, where=place)


def _keys(override: str) -> list[str]:
    return override.partition("=")[0].strip().split(".")


def _override(values: dict[str, Any], override: str) -> None:
    keys, (_, separator, text) = _keys(override), override.partition("=")
    if not separator or not all(keys):
        raise ConfigError("an override is written section.key=value", received=override, where="-s")
    try:
        value = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        remedy = f"""write a text of signs in quotes, as -s '{".".join(keys)}="{text}"'"""
        raise ConfigError("an override's value is YAML", received=override, where="-s", remedy=remedy) from error
    section = values
    for key in keys[:-1]:
        section = section.setdefault(key, {})
        if not isinstance(section, dict):
            raise ConfigError("an override names a key of a section", received=override, where="-s")
    section[keys[-1]] = value


def _interpolate(value: Any, environ: Mapping[str, str], where: str, path: tuple[Any, ...]) -> Any:
    if isinstance(value, dict):
        return {key: _interpolate(item, environ, where, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_interpolate(item, environ, where, (*path, i)) for i, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def resolve(match: re.Match[str]) -> str:
        name, default = match.groups()
        if name in environ:
            return environ[name]
        if default is not None:
            return default
        raise ConfigError(
            "a variable in a run config is set or has a default",
            received=match.group(0),
            where=f"{where}, {_dotted(path)}",
            remedy=f"set {name} in the environment, or write ${{{name}:-default}}",
        )

    # A URI's user and password stay as they are written: see `secrets`.
    pieces = re.split(r"(//[^/\s]*@)", value)
    return "".join(piece if i % 2 else VARIABLE.sub(resolve, piece) for i, piece in enumerate(pieces))


def _config_error(
    error: ValidationError, node: yaml.Node | None, where: str, overrides: tuple[str, ...] = ()
) -> ConfigError:
    details = error.errors(include_url=False)
    # An unknown key explains a missing one beside it, so it comes first.
    first = min(details, key=lambda item: item["type"] != "extra_forbidden")
    path = tuple(part for part in first["loc"] if part not in ("RunConfig",))
    if any(_wrote(override, path, is_unknown=first["type"] == "extra_forbidden") for override in overrides):
        node, where = None, "-s"
    line = _line(node, path)
    place = f"{where}, line {line}" if line else where
    more = f" ({len(details) - 1} more after this one)" if len(details) > 1 else ""
    if first["type"] == "extra_forbidden":
        known = _known_keys(path[:-1])
        near = did_you_mean(str(path[-1]), known)
        remedy = f"did you mean {near!r}?" if near else f"known keys: {', '.join(known)}"
        return ConfigError(
            f"a run config has only known keys{more}", received=_dotted(path), where=place, remedy=remedy
        )
    if first["type"] == "missing":
        return ConfigError(f"a run config needs {_dotted(path)!r}{more}", where=place, remedy="add the key")
    rule = first["msg"].removeprefix("Value error, ")
    is_told = not isinstance(first["input"], dict) and path[:2] != ("serve", "auth")  # that may be a token
    received = first["input"] if is_told else None
    location = f"{place}, {_dotted(path)}" if path else place
    return ConfigError(rule[0].lower() + rule[1:] + more, received=received, where=location)


def _wrote(override: str, path: tuple[Any, ...], *, is_unknown: bool) -> bool:
    """Whether what stands at a path comes from an override; an unknown section comes with any key below it."""
    keys, parts = _keys(override), [str(part) for part in path]
    return parts[: len(keys)] == keys or (is_unknown and keys[: len(parts)] == parts)


def _known_keys(path: tuple[Any, ...]) -> list[str]:
    """The keys of the section at a path, found by walking the sections' annotations."""
    section: Any = RunConfig
    parts = iter(path)
    for part in parts:
        fields = {field.alias or name: field for name, field in section.model_fields.items()}
        if part not in fields and section is GatesConfig:
            section = GateConfig
            continue
        annotation = fields[part].annotation
        nested = [kind for kind in _leaf_types(annotation) if issubclass(kind, BaseModel)]
        if not nested:
            return []
        section = nested[0]
        if get_origin(annotation) is dict:
            next(parts, None)  # the mapping's own key, as `age` is in clean.rules.age
    return [field.alias or name for name, field in section.model_fields.items()]


def _leaf_types(annotation: Any) -> list[type]:
    arguments = get_args(annotation)
    if not arguments:
        return [annotation] if isinstance(annotation, type) else []
    return [kind for argument in arguments for kind in _leaf_types(argument)]


def _line(node: yaml.Node | None, path: tuple[Any, ...]) -> int | None:
    """The line (from 1) where a path's value, or the deepest part of it that is written, begins."""
    line = None
    for part in path:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(part)]
            if not found:
                break
            line, node = found[0][0].start_mark.line + 1, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _dotted(path: tuple[Any, ...]) -> str:
    return ".".join(str(part) for part in path)
