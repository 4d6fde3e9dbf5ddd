import subprocess
import sys


def test_importing_the_replica_loads_nothing_of_searching_training_or_tracking() -> None:
    code = "import sys, distml.serve.on_ray; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "distml.predictor" in loaded
    for stranger in ("distml.tune", "distml.training", "mlflow", "optuna"):
        assert not [name for name in loaded if name == stranger or name.startswith(f"{stranger}.")]
