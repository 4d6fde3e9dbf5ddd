"""Goes on with a run that was killed, interrupted or failed.

ray job submit --address http://HEAD:8265 --working-dir . -- python jobs/resume.py RUN --storage /shared/store
"""

from distml.cli.jobs import run_command

if __name__ == "__main__":
    run_command("resume")
