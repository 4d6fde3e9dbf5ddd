"""Answering requests: formats, the service behind them, and its replicas on Ray Serve."""
