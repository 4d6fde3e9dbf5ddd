"""The cluster that work is carried out on: this machine's own or one that is there, what it holds, jobs on it."""
