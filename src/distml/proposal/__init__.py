"""What a table's run config should be: what a sample shows of it, and the config written with its reasons."""
