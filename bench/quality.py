"""How good the models are that a search of ten minutes finds, beside plain baselines fitted in the same run.

    python bench/quality.py --data FOLDER                       # every table, neural families and all of them, one seed
    python bench/quality.py --data FOLDER --tables bike --sets neural --seeds 0,1,2 --budget-s 60
    python bench/quality.py --data FOLDER --validation          # what defaults may be chosen by: test rows aren't read

FOLDER holds adult/, bank_marketing/, bike_sharing/, california_housing/ and mnist/. Each search is `distml run` in a
process of its own, as a user runs it, and its package then predicts the raw test rows. Adult and MNIST have official
test tables; of the others a fifth is held out (scikit-learn's train_test_split, random_state 0, stratified for
classes). Seeds are the searches' own: the test rows stay the same. Medians of the seeds are what counts.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score, root_mean_squared_error
from sklearn.model_selection import train_test_split

from distml.predictor import Predictor

NEURAL = ("tabm", "mlp")
SETS = {"neural": NEURAL, "all": ("trees", "linear", *NEURAL)}
ADULT = ["age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation", "relationship",
         "race", "sex", "capital_gain", "capital_loss", "hours_per_week", "native_country", "income"]  # fmt: skip
HELD_OUT: dict[str, dict[str, Any]] = {  # name -> file, what a reader must know, target, columns that tell it
    "bank": {"file": "bank_marketing/bank-full.csv", "sep": ";", "target": "y", "drop": ["duration"]},
    "bike": {"file": "bike_sharing/hour.csv", "target": "cnt", "drop": ["casual", "registered", "instant"]},
    "california": {"file": "california_housing/housing.csv", "target": "median_house_value"},
}
TABLES = ("adult", *HELD_OUT, "mnist")
Sections = dict[str, Any]


def adult(data: Path) -> tuple[Sections, pd.DataFrame]:
    """The config's sections that say what the table is, and the raw test rows."""
    path = data / "adult/adult.test"
    sections = {
        "data": {
            "source": {"uri": str(data / "adult/adult.data"), "header": False, "columns": ADULT, "missing": ["?"]},
            "test": {"uri": str(path), "comment": "|"},
            "target": "income",
            "positive": ">50K",
        },
        "clean": {"replace": {"income": {"<=50K.": "<=50K", ">50K.": ">50K"}}},
    }
    test = pd.read_csv(path, comment="|", names=ADULT, skipinitialspace=True, na_values=["?"])
    return sections, test.assign(income=test.income.str.rstrip("."))


def held_out(data: Path, home: Path, name: str) -> tuple[Sections, pd.DataFrame]:
    """As `adult`, for a table of which a fifth is held out; both parts are written as Parquet."""
    known = HELD_OUT[name]
    table = pd.read_csv(data / known["file"], sep=known.get("sep", ",")).drop(columns=known.get("drop", []))
    target = known["target"]
    is_class = table[target].dtype.kind not in "if"
    parts = train_test_split(table, test_size=0.2, random_state=0, stratify=table[target] if is_class else None)
    for part, rows in zip(("train", "test"), parts, strict=True):
        rows.to_parquet(home / f"{name}-{part}.parquet", index=False)
    source, test = ({"uri": str(home / f"{name}-{part}.parquet")} for part in ("train", "test"))
    positive = {"positive": "yes"} if is_class else {}
    return {"data": {"source": source, "test": test, "target": target, **positive}}, parts[1]


def mnist(data: Path) -> Sections:
    def part(name: str) -> dict[str, str]:
        return {kind: str(data / f"mnist/{name}-{file}-ubyte.gz")
                for kind, file in (("uri", "images-idx3"), ("labels", "labels-idx1"))}  # fmt: skip

    return {
        "data": {"source": part("train"), "test": part("t10k"), "target": "label", "task": "multiclass"},
        "augment": {"image": {"shift": 2, "rotate_degrees": 10}},
    }


def searched(name: str, families: tuple[str, ...], seed: int, arguments: argparse.Namespace, home: Path) -> Any:
    """What a search came to, in the words of `distml run --json`, with the score of the raw test rows."""
    data = Path(arguments.data)
    test: pd.DataFrame | None = None
    if name == "mnist":
        sections = mnist(data)
    else:
        sections, test = adult(data) if name == "adult" else held_out(data, home, name)
    config = {
        "name": name,
        "storage": str(home / f"store-{name}-{seed}-{len(families)}"),
        "seed": seed,
        **sections,
        "model": {"families": list(families)},
        "search": {"num_samples": 10_000, "time_budget_s": arguments.budget_s, "ensemble_size": arguments.ensemble},
        "validate": {"overlap": "warn"},
    }
    path = home / f"{name}.yaml"
    path.write_text(json.dumps(config))
    until = "train" if arguments.validation else "run"
    command = [sys.executable, "-m", "distml", until, str(path), "--json", *arguments.override]
    told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    if not arguments.validation:
        told["score"] = (
            told["metrics"]["test"]["accuracy"] if test is None else raw_score(told["package"], test, config)
        )
    return told


def raw_score(package: str, test: pd.DataFrame, config: Sections) -> float:
    """ROC-AUC or RMSE of a package's predictions for the raw test rows."""
    target = test[config["data"]["target"]]
    prediction = Predictor.load(package.removeprefix("file://")).predict(test.drop(columns=[target.name]))
    if prediction.probabilities is None:
        return float(root_mean_squared_error(target, prediction.values))
    return float(roc_auc_score(target == config["data"]["positive"], prediction.score))


def told_line(name: str, chosen: str, seed: int, told: Any) -> str:
    seconds = ", ".join(f"{stage} {value:.0f}" for stage, value in told["seconds"].items())
    members = ", ".join(f"{m['weight']:.2f} {m['family']}" for m in told["ensemble"])
    validation = {key: round(value, 5) for key, value in told["metrics"]["validation"].items()}
    line = (
        f"{name} {chosen} seed {seed}: score {told.get('score')}, trials {told['trials']}, {members}; seconds {seconds}"
    )
    return f"{line}; validation {validation}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("DISTML_DATA", "data"))
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--budget-s", type=float, default=600)
    parser.add_argument("--ensemble", type=int, default=12)
    parser.add_argument("--validation", action="store_true", help="stop before the test rows are read")
    parser.add_argument("--out", type=Path, help="a file that each result is added to, as a line of JSON")
    parser.add_argument("override", nargs="*", help="-s section.key=value, as distml takes them, after --")
    arguments = parser.parse_args()
    scores: dict[tuple[str, str], list[float]] = {}
    baselines: dict[str, dict[str, Any]] = {}
    for name in arguments.tables.split(","):
        for chosen, families in ({"cnn": ("cnn",)} if name == "mnist" else SETS).items():
            if name != "mnist" and chosen not in arguments.sets.split(","):
                continue
            for seed in map(int, arguments.seeds.split(",")):
                with tempfile.TemporaryDirectory(prefix="distml-quality-") as home:
                    told = searched(name, families, seed, arguments, Path(home))
                print(told_line(name, chosen, seed, told), flush=True)
                if arguments.out is not None:
                    with arguments.out.open("a") as file:
                        file.write(json.dumps({"table": name, "set": chosen, "seed": seed, **told}) + "\n")
                if not arguments.validation:
                    scores.setdefault((name, chosen), []).append(told["score"])
                    baselines[name] = told["baselines"]
    for (name, chosen), found in scores.items():
        metric = {"mnist": "accuracy", "adult": "roc_auc", "bank": "roc_auc"}.get(name, "rmse")
        beside = ", ".join(f"{which} {values[metric]:.6g}" for which, values in baselines[name].items())
        print(
            f"{name:12} {chosen:8} {metric} median {statistics.median(found):.6g} of {np.round(found, 6).tolist()};"
            f" default baselines: {beside}"
        )


if __name__ == "__main__":
    main()
