"""What requests were: noted on their path, summarised and counted beside it, shown to Prometheus."""
