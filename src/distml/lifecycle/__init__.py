"""The life of a model, stage after stage: what the commands call."""
