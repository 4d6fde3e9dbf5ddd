"""Code of a user's own: what it takes to be imported, and what it is known by."""

from __future__ import annotations

import sys

import pytest

from distml import code
from distml.code import CodeRef
from distml.errors import CodeError, PackageError
from own_code import HELPERS, SOURCE


def test_nothing_is_imported_that_is_not_allowed(own_package):
    with pytest.raises(CodeError) as caught:
        code.load(f"{own_package}.features:score", "features.functions.x")
    assert f"add --allow-code {own_package}, or set DISTML_ALLOW_CODE={own_package}" in str(caught.value)
    assert "features.functions.x" in str(caught.value)
    assert own_package not in sys.modules


def test_what_is_allowed_is_imported_and_known(own_package):
    code.allow([own_package])
    function, ref = code.load(f"{own_package}.features:score")
    assert function.__module__ == f"{own_package}.features"
    assert (ref.module, ref.attribute, ref.distribution) == (f"{own_package}.features", "score", None)
    assert len(ref.source_hash) == 64
    assert CodeRef(**ref.to_dict()) == ref
    assert code.reload(ref) is function


def test_an_installed_package_is_known_by_distribution_and_version(monkeypatch):
    monkeypatch.setenv(code.VARIABLE, "orjson")
    _, ref = code.load("orjson:dumps")
    assert ref.distribution == "orjson"
    assert ref.version


@pytest.mark.parametrize(
    ("before", "names", "after"),
    [("", ["a", "b"], ("a", "b")), ("a, b", ["b", "c"], ("a", "b", "c")), ("a", ["b,c d"], ("a", "b", "c", "d")),
     ("", [], ())],
)  # fmt: skip
def test_allowing_adds(monkeypatch, before, names, after):
    monkeypatch.setenv(code.VARIABLE, before)
    code.allow(names)
    assert code.allowed() == after


def test_a_function_carries_what_is_allowed(monkeypatch):
    monkeypatch.setenv(code.VARIABLE, "")
    assert code.carried(code.allowed) is code.allowed
    monkeypatch.setenv(code.VARIABLE, "mine")
    carried = code.carried(code.allowed)
    monkeypatch.setenv(code.VARIABLE, "theirs")
    assert carried() == ("theirs", "mine")


@pytest.mark.parametrize(
    ("dotted", "told"),
    [
        ("PKG.features:scor", ["received scor", "did you mean 'score'?"]),
        ("PKG.nothing:score", ["no module PKG.nothing", "PYTHONPATH"]),
        ("PKG.features", ["named module:attribute"]),
        ("PKG.features:a.b", ["named module:attribute"]),
    ],
)
def test_what_is_not_there_is_told(own_package, dotted, told):
    code.allow([own_package])
    with pytest.raises(CodeError) as caught:
        code.load(dotted.replace("PKG", own_package))
    for part in told:
        assert part.replace("PKG", own_package) in str(caught.value)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import nothing_of_that_name\n", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("x = 1\nraise RuntimeError('no')\n", "RuntimeError: no"),
        ("def f(:\n", "SyntaxError"),
    ],
)
def test_a_module_that_fails_is_told_with_its_line(own_package, rewrite_own, source, told):
    rewrite_own(source=source)
    code.allow([own_package])
    with pytest.raises(CodeError) as caught:
        code.load(f"{own_package}.features:score")
    assert told in str(caught.value)
    if "raise" in source:
        assert "features.py, line 2" in str(caught.value)


@pytest.mark.ray
def test_workers_may_import_what_the_driver_may(ray_session, monkeypatch):
    from distml.data.on_ray import RayEngine

    monkeypatch.setenv(code.VARIABLE, "mine")
    assert RayEngine().map(lambda item: code.allowed(), [1, 2]) == [("mine",), ("mine",)]
    assert list(RayEngine().map_with(lambda: lambda item: code.allowed(), [1])) == [("mine",)]


def test_the_hash_is_of_the_source_that_the_module_reaches(own_package, rewrite_own, tmp_path):
    code.allow([own_package])

    def now() -> str:
        return code.load(f"{own_package}.features:score")[1].source_hash

    before = now()
    (tmp_path / "code" / own_package / "unrelated.py").write_text("VALUE = 2\n")
    rewrite_own()
    (tmp_path / "code" / own_package / "unrelated.py").write_text("VALUE = 3\n")
    assert now() == before
    rewrite_own(source=SOURCE.replace("\n", "\r\n"))
    assert now() == before
    rewrite_own(helpers=HELPERS.replace("2.0", "3.0"))
    helped = now()
    rewrite_own(source=SOURCE + "\n# a remark\n")
    assert len({before, helped, now()}) == 3


def test_another_source_is_refused(own_package, rewrite_own):
    code.allow([own_package])
    _, ref = code.load(f"{own_package}.features:score")
    rewrite_own(helpers=HELPERS.replace("2.0", "3.0"))
    with pytest.raises(
        PackageError, match=f"install the {own_package} that it was fitted with, or fit the model again"
    ):
        code.reload(ref)
