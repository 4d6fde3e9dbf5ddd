r"""Scores a table in batch.

ray job submit --address http://HEAD:8265 --working-dir . -- \
    python jobs/predict.py NAME --in /shared/in/ --out /shared/out/ --storage /shared/store --engine ray
"""

from distml.cli.jobs import run_command

if __name__ == "__main__":
    run_command("predict")
