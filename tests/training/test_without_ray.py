"""The loop, the models and its benchmark need no Ray, MLflow or Optuna: a GPU machine may have no wheel of theirs."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCKED = "import sys; sys.modules.update(dict.fromkeys(['ray', 'mlflow', 'optuna'])); "  # an import of one raises


def run(code: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    return subprocess.run(
        [sys.executable, "-c", BLOCKED + code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}
    )


def test_a_network_and_trees_are_fitted_without_ray():
    done = run(
        "import distml.training, distml.models; from problems import problem, settings_of, spec_of;"
        "from distml.metrics import METRICS; from dataclasses import replace; import numpy as np;"
        "rows = problem('binary', n=60); dealt = replace(rows, fold=(np.arange(60) % 2).astype(np.int8));"
        "args = METRICS['roc_auc'], settings_of(max_epochs=1);"
        "[distml.training.fit(spec_of(f, 'binary'), rows, rows, *args) for f in ('mlp', 'tabm', 'trees')];"
        "distml.training.fit_folds(spec_of('mlp', 'binary'), dealt, *args); print('fitted')"
    )
    assert done.stdout.strip() == "fitted", done.stderr[-2000:]


def test_the_benchmark_runs_without_ray():
    arguments = ["gpu.py", "--device", "cpu", "--rows", "256", "--batch-size", "64", "--epochs", "1", "--rounds", "1"]
    arguments += ["--families", "mlp,tabm", "--json"]
    done = run(
        f"import runpy; sys.argv = {arguments!r}; runpy.run_path({str(ROOT / 'bench/gpu.py')!r}, run_name='__main__')"
    )
    results = json.loads(done.stdout or "[]")
    assert [result["family"] for result in results] == ["mlp", "tabm"], done.stderr[-2000:]
    assert all(result["ratio"] > 0 and result["distml"] > 0 and result["by_hand"] > 0 for result in results)
