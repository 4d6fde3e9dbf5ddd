"""Which way imports run, and what is loaded when: read from the source itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import distml

SOURCE = Path(__file__).parents[1] / "src" / "distml"
FLOORS = [
    {"errors"},
    {"secrets", "sizes", "code", "ipc", "arrays", "wording", "threads", "softmax"},
    {"config", "storage", "hashing", "images"},
    {"schema", "metrics", "batch", "target_counts"},
    {"derive"},
    {"clean", "summary"},
    {"scaling"},
    {"target"},
    {"reading", "features", "models", "tracking"},
    {"data"},
    {"inspection"},
    {"training", "postprocess", "records", "proposal", "execution"},
    {"package", "window", "inference_log"},
    {"predictor", "registry"},
    {"tune", "evaluation", "monitor", "serve"},
    {"cluster"},
    {"lifecycle"},
    {"api", "cli"},
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
TOP = {"__init__.py", "__main__.py"}  # names and a command, above every floor
EXPORTS = ["DistmlError", "Predictor", "RunConfig", "Storage", "load", "load_config", "parse_config", "run"]


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """(line, module) of every import that runs, also within functions; those under TYPE_CHECKING never do."""
    tree = ast.parse(path.read_text("utf-8"))
    skipped = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for child in block.body
        for node in ast.walk(child)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            # `from distml import x` names a room, `from distml.x import y` a thing of one.
            names = [f"{node.module}.{name.name}" for name in node.names] if node.module == "distml" else [node.module]
            yield from ((node.lineno, str(name)) for name in names)


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


FILES = sorted(path for path in SOURCE.rglob("*.py") if path.relative_to(SOURCE).as_posix() not in TOP)


def test_every_room_has_a_floor():
    assert {room_of(path) for path in FILES} == set(FLOOR)


def test_imports_run_downward_only():
    upward = [
        f"{path.relative_to(SOURCE)}:{line} ({FLOOR[room_of(path)]}) imports {module} ({FLOOR[other]})"
        for path in FILES
        for line, module in imports_of(path)
        if module.split(".")[0] == "distml"
        for other in [module.split(".")[1]]
        if other != room_of(path) and FLOOR[other] >= FLOOR[room_of(path)]
    ]
    assert upward == []


@pytest.mark.parametrize(
    ("library", "is_allowed"),
    [
        ("ray", lambda path: path.name == "on_ray.py" or room_of(path) in ("cluster", "lifecycle", "api", "cli")),
        ("mlflow", lambda path: path.name == "mlflow.py"),
        ("optuna", lambda path: room_of(path) == "tune"),
    ],
    ids=["ray", "mlflow", "optuna"],
)
def test_a_library_is_behind_its_seam(library, is_allowed):
    users = [path for path in FILES if any(module.split(".")[0] == library for _, module in imports_of(path))]
    assert users
    assert [str(path.relative_to(SOURCE)) for path in users if not is_allowed(path)] == []


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("import a.b, c\n", ["a.b", "c"]),
        ("from a.b import c\n", ["a.b"]),
        ("from distml import a, b\n", ["distml.a", "distml.b"]),
        ("def f():\n    import a\n", ["a"]),
        ("if TYPE_CHECKING:\n    import a\nelse:\n    import b\n", ["b"]),
        ("if typing.TYPE_CHECKING:\n    from a import b\nimport c\n", ["c"]),
        ("try:\n    import a\nexcept ImportError:\n    a = None\n", ["a"]),
    ],
)
def test_imports_are_found_wherever_they_are(tmp_path, content, found):
    (tmp_path / "x.py").write_text(content)
    assert [module for _, module in imports_of(tmp_path / "x.py")] == found


# What is loaded


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has after a statement."""
    code = f"{statement}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


HEAVY = {"torch", "ray", "pandas", "numpy", "mlflow", "optuna", "lightgbm", "sklearn", "pydantic", "pyarrow", "scipy"}


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import distml", HEAVY),
        ("from distml import DistmlError", HEAVY),
        ("import distml.config", HEAVY - {"pydantic"}),
        ("from distml import Storage, load_config", HEAVY - {"pydantic"}),
        ("import distml.cli", {"torch", "ray", "mlflow", "optuna", "lightgbm", "sklearn"}),
        ("import distml.predictor", {"ray", "mlflow", "optuna"}),
        ("import distml.lifecycle.prepare", {"ray", "mlflow", "optuna"}),
    ],
)
def test_importing_loads_no_more_than_it_needs(statement, absent):
    loaded = loaded_by(statement)
    assert "distml" in loaded
    assert loaded & absent == set()


def test_a_replica_leaves_training_and_search_unloaded():
    code = (
        "import distml.serve.on_ray, sys\n"
        "print(*sorted(name for name in sys.modules if name.split('.')[0] in ('mlflow', 'optuna')"
        " or name.startswith(('distml.tune', 'distml.training'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


# What is exported


def test_exports():
    assert distml.__all__ == EXPORTS
    assert dir(distml) == EXPORTS


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_the_thing_of_that_name(name):
    assert getattr(distml, name).__name__ == name


def test_other_names_are_refused():
    with pytest.raises(AttributeError, match="module 'distml' has no attribute 'nothing'"):
        distml.nothing  # noqa: B018
