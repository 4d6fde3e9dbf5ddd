"""Serves a registered version for as long as the job runs.

ray job submit --address http://HEAD:8265 --working-dir . -- python jobs/deploy.py NAME --storage /shared/store
"""

from distml.cli.jobs import run_command

if __name__ == "__main__":
    run_command("deploy")
