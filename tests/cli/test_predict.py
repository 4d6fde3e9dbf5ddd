"""`distml predict` as it is typed."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from commands import TINY, command, distml, document, environment, processes_of
from distml.config import SourceConfig
from distml.reading.source import read_head


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a registered model and the table that it was made from."""
    folder = tmp_path_factory.mktemp("predict")
    (folder / "config.yaml").write_text(TINY)
    document(distml("run", "config.yaml", "--engine", "local", "-s", "storage=store", "--json", cwd=folder))
    pyarrow.csv.write_csv(read_head(SourceConfig(uri="sklearn:breast_cancer"), 569), folder / "table.csv")
    return folder


def predict(home: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return distml("predict", "tiny", "--storage", "store", *more, cwd=home)


def test_people_are_told_what_became_of_the_rows(home: Path) -> None:
    lines = (home / "table.csv").read_text().splitlines()
    (home / "bad.csv").write_text("\n".join([*lines[:4], lines[4].replace(",", ",x", 1), *lines[5:9]]) + "\n")
    done = predict(home, "--in", "bad.csv", "--out", "scored.csv")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        f"7 rows scored by tiny/1 into {home}/scored.csv",
        f"1 row set aside in {home}/scored.csv.quarantine.csv:",
        "  1  mean_texture: a numeric column holds numbers",
    ]
    assert done.stderr == ""


def test_programs_get_one_document(home: Path) -> None:
    told = orjson.loads(predict(home, "--in", "table.csv", "--out", "parts/", "--json").stdout)
    assert (told["model"], told["num_rows"], told["num_quarantined"]) == ("tiny/1", 569, 0)
    assert told == orjson.loads((home / "parts" / "_SUCCESS").read_bytes())


def test_a_table_may_be_written_in_another_way(home: Path) -> None:
    (home / "semicolons.csv").write_text((home / "table.csv").read_text().replace(",", ";"))
    source = ("--in", "semicolons.csv", "--out", "semicolons.parquet")
    assert "no 'mean_radius'" in predict(home, *source).stderr
    assert predict(home, *source, "-s", "data.source.delimiter=;").returncode == 0
    assert pq.read_table(home / "semicolons.parquet").num_rows == 569


def test_what_is_there_is_replaced_only_where_that_is_asked_for(home: Path) -> None:
    (home / "mine.csv").write_text("precious\n")
    given = ("--in", "table.csv", "--out", "mine.csv")
    done = predict(home, *given)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{home}/mine.csv is there already" in done.stderr
    assert "Remedy: --overwrite" in done.stderr
    assert (home / "mine.csv").read_text() == "precious\n"
    assert predict(home, *given, "--overwrite").returncode == 0
    assert len((home / "mine.csv").read_text().splitlines()) == 570


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--in", "none.csv", "--out", "x.csv"), "names at least one file"),
        (("--in", "table.csv", "--out", "table.csv"), "another place than the table"),
        (("--in", "table.csv", "--out", "x.json"), "a .parquet or .csv file, or to a folder"),
        (("--in", "table.csv", "--out", "x.csv", "--engine", "dask"), "auto, local or ray"),
        (("--in", "table.csv", "--out", "x.csv", "-s", "model.families=[mlp]"), "only how it is read"),
    ],
)
def test_a_mistake_is_one_line(home: Path, more: tuple[str, ...], told: str) -> None:
    before = sorted(home.iterdir())
    done = predict(home, *more)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert sorted(home.iterdir()) == before


@pytest.mark.parametrize(
    ("engine", "number"),
    [
        ("local", signal.SIGINT),
        ("local", signal.SIGTERM),
        pytest.param("ray", signal.SIGINT, marks=pytest.mark.ray),
        pytest.param("ray", signal.SIGTERM, marks=pytest.mark.ray),
    ],
)
def test_a_signal_leaves_nothing(home: Path, tmp_path: Path, engine: str, number: signal.Signals) -> None:
    table = pa.concat_tables([read_head(SourceConfig(uri="sklearn:breast_cancer"), 569)] * 200)
    with pq.ParquetWriter(tmp_path / "long.parquet", table.schema) as writer:
        for _ in range(20):
            writer.write_table(table)
    arguments = ("--in", "long.parquet", "--out", "out/", "--engine", engine, "--storage", home / "store")
    with (tmp_path / "err").open("wb") as errors:
        process = subprocess.Popen(
            command("predict", "tiny", *arguments), cwd=tmp_path, env=environment(), stdout=errors, stderr=errors
        )
    while not list(tmp_path.glob(".tmp-*/*")):  # the test's own timeout ends it
        assert process.poll() is None, (tmp_path / "err").read_text()
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(30) == 130
    assert (tmp_path / "err").read_text().endswith("distml: interrupted; nothing is written\n")
    assert {path.name for path in tmp_path.iterdir()} == {"err", "long.parquet"}
    assert not processes_of(tmp_path)
