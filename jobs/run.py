"""The whole lifecycle: prepare, tune, train, evaluate, register, gate.

ray job submit --address http://HEAD:8265 --working-dir . -- python jobs/run.py --config configs/adult.yaml
"""

from distml.cli.jobs import run_command

if __name__ == "__main__":
    run_command("run")
