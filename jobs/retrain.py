"""Trains a champion again; what passes the gate replaces it.

ray job submit --address http://HEAD:8265 --working-dir . -- python jobs/retrain.py NAME --storage /shared/store
"""

from distml.cli.jobs import run_command

if __name__ == "__main__":
    run_command("retrain")
