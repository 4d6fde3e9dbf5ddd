import pytest

from distml.serve.wire import Problem, find
from distml.serve.wire.negotiation import accepted, media_type

TYPES = ("application/json", "text/csv")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (None, "application/json"),
        ("text/csv", "text/csv"),
        ("Text/CSV ; charset=UTF-8", "text/csv"),
        ('application/json;charset="utf-8"', "application/json"),
        ("application/json; charset=us-ascii", "application/json"),
        ("application/json; boundary=x", "application/json"),
    ],
)
def test_a_body_is_of_the_type_that_it_says(given, wanted):
    assert media_type({} if given is None else {"content-type": given}, TYPES) == wanted


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("", "unsupported-media-type"),
        ("text/plain", "unsupported-media-type"),
        ("application/json, text/csv", "unsupported-media-type"),
        ("text/csv; charset=utf-16", "unsupported-charset"),
    ],
)
def test_another_type_or_charset_is_415_and_those_taken_are_named(given, kind):
    with pytest.raises(Problem) as caught:
        media_type({"content-type": given}, TYPES)
    assert (caught.value.status, caught.value.kind) == (415, kind)
    assert kind == "unsupported-charset" or "application/json or text/csv" in caught.value.detail


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/csv", "text/csv"),
        ("text/html, text/*;q=0.1", "text/csv"),
        ("application/json;q=0.5, text/csv;q=0.9", "text/csv"),
        ("text/csv;q=0.5, */*;q=0.5", "application/json"),
        ("application/json;q=0, */*", "text/csv"),
        ("TEXT/CSV", "text/csv"),
        ("text/csv;q=nonsense", "text/csv"),
    ],
)
def test_the_answer_is_of_the_type_that_is_liked_best(wanted, given):
    assert accepted({} if wanted is None else {"accept": wanted}, TYPES) == given


@pytest.mark.parametrize("wanted", ["image/*", "", "application/json;q=0", "*/*;q=0"])
def test_what_is_not_given_is_406(wanted):
    with pytest.raises(Problem) as caught:
        accepted({"accept": wanted}, TYPES)
    assert (caught.value.status, caught.value.kind) == (406, "not-acceptable")


# The table of endpoints


@pytest.mark.parametrize(
    ("method", "path", "name", "scope"),
    [
        ("POST", "/predict", "predict", "predict"),
        ("POST", "/invocations", "invocations", "predict"),
        ("POST", "/feedback", "feedback", "feedback"),
        ("GET", "/schema", "schema", "predict"),
        ("HEAD", "/docs", "docs", "predict"),
        ("GET", "/openapi.json", "openapi", "predict"),
        ("GET", "/metrics", "metrics", "admin"),
        ("GET", "/healthz", "healthz", None),
        ("GET", "/readyz", "readyz", None),
        ("GET", "/v2", "v2", "predict"),
        ("GET", "/v2/health/live", "v2_live", None),
        ("GET", "/v2/health/ready", "v2_ready", None),
        ("GET", "/v2/models/m", "v2_model", "predict"),
        ("GET", "/v2/models/m/ready", "v2_model_ready", "predict"),
        ("POST", "/v2/models/m/infer", "infer", "predict"),
    ],
)
def test_endpoints_are_found_with_their_scopes(method, path, name, scope):
    asked = find(method, path, {})
    assert (asked.endpoint.name, asked.endpoint.scope) == (name, scope)
    assert asked.takes_rows == (name in ("predict", "invocations", "infer"))


def test_a_path_names_model_and_version():
    asked = find("POST", "/v2/models/my model/versions/12/infer", {})
    assert (asked.endpoint.name, asked.model, asked.version) == ("infer", "my model", 12)
    assert find("GET", "/v2/models/versions", {}).model == "versions"


@pytest.mark.parametrize(
    "path",
    ["", "/", "/predict/", "/PREDICT", "/v2/", "/v2/models", "/v2/models/", "/v2/models/a/b", "/v2/models/a/versions/x",
     "/v2/models/a/versions/-1/infer", "/v2/models/{model}/infer/", "/predict?x=1", "/monitor", "/\n"],
)  # fmt: skip
def test_other_paths_are_404(path):
    with pytest.raises(Problem) as caught:
        find("GET", path, {})
    assert (caught.value.status, caught.value.kind) == (404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/predict", "POST"), ("POST", "/schema", "GET, HEAD"), ("OPTIONS", "/predict", "POST"),
     ("x" * 9000, "/v2/models/m/infer", "POST")],
)  # fmt: skip
def test_other_methods_are_405_and_say_which_are_allowed(method, path, allowed):
    with pytest.raises(Problem) as caught:
        find(method, path, {})
    reply = caught.value.reply("id-1")
    assert (reply.status, reply.headers) == (405, {"Allow": allowed})
    assert len(reply.body) < 1000


def test_a_body_is_only_asked_for_its_type_where_there_is_one():
    assert find("GET", "/schema", {"content-type": "text/plain", "accept": "text/html"}).endpoint.name == "schema"


def test_reader_and_writer_are_chosen_each_for_itself():
    arrow = "application/vnd.apache.arrow.stream"
    asked = find("POST", "/predict", {"content-type": arrow})
    other = find("POST", "/predict", {"accept": arrow})
    assert asked.reader is other.writer is not None
    assert asked.writer is other.reader is not None
    assert asked.reader is not asked.writer
