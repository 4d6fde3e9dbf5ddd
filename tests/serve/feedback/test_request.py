import asyncio
from dataclasses import replace

import orjson
import pytest

from distml.inference_log import read_feedback
from distml.predictor import Predictor
from distml.schema import Schema
from distml.serve.feedback.log import FeedbackLog
from distml.serve.feedback.request import keep_labels, labels_of
from distml.serve.wire import Answered, Limits, Problem
from distml.storage import Storage
from packages import package_of

LIMITS = Limits(max_rows=5)


@pytest.fixture(scope="module")
def shop():
    return Predictor(package_of("binary", epochs=1))


def changed(predictor, target=None, **cleaner):
    """The predictor, with another cleaner and target column."""
    package = predictor.package
    (member,) = package.members
    known = member.pipeline.cleaner
    columns = tuple(replace(c, **target or {}) if c.role == "target" else c for c in known.schema.columns)
    pipeline = replace(member.pipeline, cleaner=replace(known, schema=Schema(columns), **cleaner))
    return Predictor(replace(package, members=(replace(member, pipeline=pipeline),)))


def read(predictor, *labels):
    body = orjson.dumps({"request_id": "a", "labels": labels})
    return labels_of(body, {}, predictor, LIMITS)


def refused(predictor, *labels):
    with pytest.raises(Problem) as caught:
        read(predictor, *labels)
    return caught.value


def test_labels_are_cleaned_before_they_are_compared(shop):
    predictor = changed(shop, replace={"y": {"yes.": "yes", 0: "no"}})
    assert [told.label for told in read(predictor, "yes.", 0, " no ")] == ["yes", "no", "no"]


@pytest.mark.parametrize("label", ["maybe", 3, ["yes"], {}])
def test_a_label_that_is_none_is_named_by_its_entry(shop, label):
    problem = refused(shop, None, label)
    assert (problem.status, problem.kind, problem.members["entry"]) == (422, "invalid-feedback", 1)
    assert problem.members["received"] == repr(label)


def test_an_entry_of_its_own_has_a_label(shop):
    body = orjson.dumps({"feedback": [{"request_id": "a", "label": "yes"}, {"request_id": "b", "label": None}]})
    with pytest.raises(Problem) as caught:
        labels_of(body, {}, shop, LIMITS)
    assert (caught.value.status, caught.value.members["entry"]) == (422, 1)


@pytest.mark.parametrize("label", ["maybe", 3, ["yes"]])
def test_of_a_private_target_nothing_is_quoted(shop, label):
    problem = refused(changed(shop, {"private": True}), label)
    assert problem.members["received"] == "(private)"
    told = problem.reply("id").body.decode()
    assert "maybe" not in told and "'yes'" not in told and "'no'" not in told


def test_the_answer_names_the_segment_that_holds_the_labels(shop, tmp_path):
    async def told():
        log = FeedbackLog(Storage(tmp_path), "shop", "r")
        answered = Answered(name="shop", version=1, request_id="id")
        reply = await keep_labels(log, read(shop, "yes", None, "no"), answered)
        await log.close()
        return reply

    reply = asyncio.run(told())
    document = orjson.loads(reply.body)
    assert (reply.status, document["accepted"]) == (202, 2)
    assert (tmp_path / "log" / "shop" / "feedback" / document["segment"]).is_file()
    assert read_feedback(Storage(tmp_path), "shop")["row"].to_pylist() == [0, 2]
