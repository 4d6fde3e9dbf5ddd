"""The lifecycle up to the search's best trial.

ray job submit --address http://HEAD:8265 --working-dir . -- python jobs/tune.py --config configs/adult.yaml
"""

from distml.cli.jobs import run_command

if __name__ == "__main__":
    run_command("tune")
