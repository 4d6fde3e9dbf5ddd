"""`python -m distml` is the command `distml`."""

from distml.cli import main

main()
