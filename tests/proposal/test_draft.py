"""A proposal as the text of a run config, and that a run takes it."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distml.config import parse_config
from distml.data import LocalEngine
from distml.errors import ConfigError, DataError
from distml.lifecycle.preflight import check_choices, check_config
from distml.lifecycle.prepare import prepare
from distml.proposal.draft import draft
from distml.proposal.propose import propose
from distml.storage import Storage
from pictures import bars, picture_table, written

N = 400
RNG = np.random.default_rng(7)


def drafted(folder: Path, text: str | bytes, target: str, name: str = "t.csv", **options: Any) -> str:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return draft(propose(str(path), target, **options), "t.yaml")


def noise(i: int) -> str:
    return f"{RNG.normal():.4f}"


def test_reasons_are_said_where_they_matter(tmp_path):
    a, b = RNG.poisson(20, N), RNG.poisson(50, N)
    lines = [f"{i},{a[i]},{b[i]},{noise(i)},7,{a[i] + b[i]}" for i in range(N)]
    text = drafted(tmp_path, "row,a,b,x,one,total\n" + "\n".join(lines), "total")
    assert "- row  # counts up from row to row, 0 to 399, never twice the same" in text
    assert "- b  # makes up the target: total = b + a, to the digit, in every row" in text
    assert "- a  # makes up the target too, by the sum at b" in text
    assert "- one  # has the value 7 in every row" in text
    assert "exclude:  # to keep a column, take it off this list" in text
    assert f"from all of its {N} rows" in text.replace("\n# ", " ")


def test_what_is_not_done_is_said_at_the_end(tmp_path):
    score = RNG.normal(size=N)
    is_yes = score + 0.7 * RNG.normal(size=N) > 0
    words = ["a", "b", "unknown"]
    lines = [
        f"{score[i]:.4f},{noise(i)},{noise(i)},{noise(i)},{words[i % 3]},{'no' if is_yes[i] else 'yes'}"
        for i in range(N)
    ]
    text = drafted(tmp_path, "s,x,z,w,job,y\n" + "\n".join(lines), "y").replace("\n#   ", " ")
    assert "# - s: CHECK tells far more of the target than any other column: alone AUC 0." in text
    assert "  data: {exclude: [s]}" in text
    assert "# - job: 'unknown' (job 133) may mean missing" in text
    config = parse_config(text)
    assert config.data.exclude == ()


# That a run takes it


def table(header: str | None, line: Any, n: int = N, delimiter: str = ",") -> str:
    lines = [*([header] if header else []), *(line(i) for i in range(n))]
    return "\n".join(lines).replace(",", delimiter) + "\n"


def plain(i: int) -> str:
    return f"{noise(i)},{'xyz'[i % 3]},{'no' if RNG.random() < 0.5 else 'yes'}"


CASES: dict[str, tuple[str, str | bytes, str]] = {
    "semicolons": ("t.csv", table("a,b,y", plain, delimiter=";"), "y"),
    "tabs in a csv": ("t.csv", table("a,b,y", plain, delimiter="\t"), "y"),
    "bars": ("t.txt", table("a,b,y", plain, delimiter="|"), "y"),
    "spaces": ("t.dat", table("a,b,y", plain, delimiter=" "), "y"),
    "a space behind each comma": ("t.csv", table("a,b,y", plain, delimiter=", "), "y"),
    "no header": ("t.data", table(None, plain), "3"),
    "windows": ("t.csv", b"\xef\xbb\xbf" + table("a,b,y", plain).replace("\n", "\r\n").encode(), "y"),
    "latin-1": ("t.csv", table("a,b,y", lambda i: plain(i).replace("x", "é")).encode("latin-1"), "y"),
    "latin-1 far down": (
        "t.csv",
        (table("a,b,y", plain, 30_000) + "1,café,no\n").encode("latin-1"),
        "y",
    ),
    "utf-16": ("t.csv", table("a,b,y", plain).encode("utf-16"), "y"),
    "gzip": ("t.csv.gz", gzip.compress(table("a,b,y", plain).encode()), "y"),
    "comments": ("t.csv", "# made up\n" + table("a,b,y", plain) + "# the end\n", "y"),
    "blank lines": ("t.csv", table("a,b,y", plain).replace("\n", "\n\n"), "y"),
    "line breaks in values": ("t.csv", table("a,b,y", lambda i: plain(i).replace("x", '"x\nx"')), "y"),
    "names that YAML reads otherwise": (
        "t.csv",
        table("no,1e5,null,- a: b #,y", lambda i: f"{noise(i)},{noise(i)},{noise(i)},{plain(i)[-1:]}{i % 2},{i % 2}"),
        "y",
    ),
    "labels that YAML reads otherwise": (
        "t.csv",
        table("a,yes", lambda i: f"{noise(i)},{'on' if RNG.random() < 0.5 else 'off'}"),
        "yes",
    ),
    "labels with zeros in front": ("t.csv", table("a,y", lambda i: f"{noise(i)},0{RNG.integers(0, 3)}"), "y"),
    "labels plus and minus": (
        "t.csv",
        table("a,b,y", lambda i: f"{noise(i)},{'-' if i % 9 == 0 else i % 50},{'+' if RNG.random() < 0.5 else '-'}"),
        "y",
    ),
    "truth values": ("t.csv", table("a,t,y", lambda i: f"{noise(i)},{i % 3 == 0},{RNG.random() < 0.5}"), "y"),
    "labels 0.0 and 1.0": ("t.csv", table("a,y", lambda i: f"{noise(i)},{float(RNG.random() < 0.5)}"), "y"),
    "two spellings": (
        "t.csv",
        table("a,y", lambda i: f"{noise(i)},{['Yes', 'yes', 'no', 'No.'][int(RNG.integers(0, 4))]}"),
        "y",
    ),
    "odd texts among numbers": (
        "t.csv",
        table("a,b,y", lambda i: f"{'broken' if i == 7 else noise(i)},{'unknown' if i % 9 == 0 else i % 60},{i % 2}"),
        "y",
    ),
    "a number with a missing target": (
        "t.csv",
        table("a,y", lambda i: f"{noise(i)},{'NA' if i % 9 == 0 else noise(i)}"),
        "y",
    ),
    "decimal commas": ("t.csv", table("a;b;y", lambda i: f"{i}-5;{noise(i)};{i % 2}").replace("-5", ",5"), "y"),
    "dates": (
        "t.csv",
        table("at,day,a,y", lambda i: f"2024-01-{i % 28 + 1:02d} 10:00,{i % 28}/{i % 12}/24,{noise(i)},{i % 2}"),
        "y",
    ),
    "free text and names": (
        "t.csv",
        table("name,story,a,y", lambda i: f"n{i},once there was a number {i},{noise(i)},{i % 2}"),
        "y",
    ),
    "a header with blanks and repeats": ("t.csv", table(",a,a,y", lambda i: f"{i},{noise(i)},{noise(i)},{i % 2}"), "y"),
    "rare classes": ("t.csv", table("a,y", lambda i: f"{noise(i)},{'rare' if i in (1, 2) else 'ab'[i % 2]}"), "y"),
    "mostly copies": ("t.csv", table("a,b,y", lambda i: f"{i % 40},{'xyz'[i % 3]},{int(i % 7 > 0)}", 3000), "y"),
    "copies of a few rows": ("t.csv", table("a,b,y", lambda i: f"{'ab'[i % 2]},{'xyz'[i % 3]},{int(i % 7 > 0)}"), "y"),
    "a copy of the target and nothing else": (
        "t.csv",
        table("a,y", lambda i: f"{10 * (i % 2) + RNG.normal():.3f},{i % 2}"),
        "y",
    ),
    "one feature missing almost everywhere": (
        "t.csv",
        table("a,b,y", lambda i: f"{noise(i)},{i if i > 390 else ''},{i % 2}"),
        "y",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_config_runs_as_it_is(tmp_path, monkeypatch, case):
    name, text, target = CASES[case]
    monkeypatch.chdir(tmp_path)
    config = parse_config(drafted(tmp_path, text, target, name))
    assert config.data.source.uri == name
    check_config(config)
    prepared = prepare(config, Storage(tmp_path / "store"), LocalEngine())
    check_choices(config, prepared)
    assert prepared.target.task == config.data.task
    assert sum(prepared.num_rows.values()) > 5


def test_names_that_a_config_would_change_are_refused(tmp_path):
    text = table("${HOME},b,y", plain)
    with pytest.raises(ConfigError, match=r"a variable in a run config|a table's names as they are"):
        drafted(tmp_path, text.replace("b,y", "b,y"), "y", columns=["${x:-a}", "b", "y"])


def test_a_ragged_table_has_a_config_that_says_so(tmp_path):
    lines = [plain(i) for i in range(N)]
    lines[49] += ",more"
    lines[99] = "1.5"
    text = drafted(tmp_path, "a,b,y\n" + "\n".join(lines) + "\n", "y")
    told = " ".join(text.replace("#", " ").split())
    assert "ragged: fail" in text and "It runs as it is" not in told
    assert "(2 lines: t.csv line 51, t.csv line 101)" in told and "quarantine leave them out" in told
    config = parse_config(text, environ={})
    assert config.data.source.ragged == "fail"
    with pytest.raises(DataError, match="every line has 3 values"):
        check_config(config)
    check_config(parse_config(text.replace("ragged: fail", "ragged: drop"), environ={}))


def test_classes_written_in_three_ways(tmp_path):
    words = ["yes", "Yes", "YES", "no", "no", "no"]
    lines = [f"{noise(i)},{words[RNG.integers(6)]}" for i in range(N)]
    assert "# one class written in three ways" in drafted(tmp_path, "x,y\n" + "\n".join(lines) + "\n", "y")


def test_names_that_a_header_has_twice(tmp_path):
    text = drafted(tmp_path, "a,a,y\n" + "\n".join(f"{noise(i)},{plain(i)[:6]},{'no' if i % 2 else 'yes'}" for i in
                                                   range(N)) + "\n", "y")  # fmt: skip
    assert "made up where the header names none, or one twice" in text.replace("\n    # ", " ")


# Files that differ


def monthly(folder: Path, names: dict[str, list[str]]) -> str:
    (folder / "parts").mkdir()
    for name, columns in names.items():
        rows = [",".join("ab"[RNG.integers(2)] if c == "y" else noise(i) for c in columns) for i in range(80)]
        (folder / "parts" / f"{name}.csv").write_text(",".join(columns) + "\n" + "\n".join(rows) + "\n")
    return str(folder / "parts")


def test_files_that_are_one_table_are_read_as_one(tmp_path):
    late = ["when", "temperature", "a", "b", "y", "humidity"]
    early = ["when", "temp", "a", "b", "y"]
    uri = monthly(tmp_path, {"1": early, "2": [*early, "humidity"], "3": late, "4": late})
    found = propose(uri, "y")
    assert (found.num_rows, found.data.source.schema_changes) == (320, "align")
    assert dict(found.data.source.rename) == {"temp": "temperature"} and not found.left_out
    text = draft(found, "t.yaml")
    assert "rename: {temp: temperature}  # CHECK: taken for one column under two names" in text
    prepared = prepare(parse_config(text, environ={}), Storage(str(tmp_path / "s")), LocalEngine())
    assert sum(prepared.num_rows.values()) == 320


def test_files_of_other_tables_are_left_out(tmp_path):
    uri = monthly(tmp_path, {"a1": ["p", "q", "r", "y"], "a2": ["p", "q", "r", "y"], "other": ["p", "k", "l", "y"]})
    found = propose(uri, "y")
    assert found.data.source.schema_changes == "fail" and list(found.left_out) == ["other.csv"]


# Images


def test_images_are_kept_and_other_bytes_are_not(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = picture_table(60, kind="png")
    mixed = [written(one) for size in ((8, 8), (9, 9)) for one in bars(30, size=size)[0]]
    table = table.append_column("raw", pa.array([b"\x00\x01"] * 60)).append_column("mixed", pa.array(mixed))
    pq.write_table(table, tmp_path / "t.parquet")
    found = propose(str(tmp_path / "t.parquet"), "y")
    assert set(found.data.exclude) == {"raw", "mixed"}
    text = draft(found, "t.yaml")
    told = " ".join(text.replace("#", " ").split())
    assert "image: images of 8 x 8 grey, read as such" in told and "raw holds binary: no number" in told
    assert "mixed holds images of several sizes" in told and "features.image.size" in told
    check_config(parse_config(text, environ={}))


def test_images_alone_are_features(tmp_path):
    import pyarrow.parquet as pq

    pq.write_table(picture_table(60, kind="png").drop_columns(["size"]), tmp_path / "t.parquet")
    assert propose(str(tmp_path / "t.parquet"), "y").data.exclude == ()
