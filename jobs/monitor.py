"""Live traffic against the model's baseline.

ray job submit --address http://HEAD:8265 --working-dir . -- python jobs/monitor.py NAME --storage /shared/store
"""

from distml.cli.jobs import run_command

if __name__ == "__main__":
    run_command("monitor")
