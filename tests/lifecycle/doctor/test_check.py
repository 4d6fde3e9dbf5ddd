"""A finding, and that looking never ends in a stack trace."""

from __future__ import annotations

import pytest

from distml.errors import StorageError
from distml.lifecycle.doctor.check import Check, guarded, worst


def test_what_breaks_is_a_finding_with_its_cause():
    (found,) = guarded("disk", lambda: 1 / 0)
    assert (found.name, found.state) == ("disk", "fail")
    assert "ZeroDivisionError: division by zero" in found.found
    assert found.remedy


def test_an_error_of_distml_keeps_its_remedy():
    def look():
        raise StorageError("storage must be writable", received="No space left", where="/x", remedy="free some")

    assert guarded("storage", look) == [
        Check(
            name="storage", state="fail", found="storage must be writable; received No space left; /x",
            remedy="free some",
        )
    ]  # fmt: skip


def test_an_error_without_text_is_told_by_its_name():
    def look():
        raise TimeoutError

    assert guarded("a", look)[0].found == "this couldn't be looked at: TimeoutError"


def test_findings_are_handed_on():
    fine = Check(name="a", state="ok", found="b")
    assert guarded("a", lambda: fine) == guarded("a", lambda: [fine]) == [fine]


@pytest.mark.parametrize(("state", "remedy"), [("ok", "do"), ("warn", None), ("fail", None)])
def test_what_is_not_ok_has_a_remedy_and_what_is_has_none(state, remedy):
    with pytest.raises(AssertionError, match="a remedy is for what isn't ok"):
        Check(name="a", state=state, found="b", remedy=remedy)


def test_nothing_found_is_ok():
    assert worst([]) == "ok"
