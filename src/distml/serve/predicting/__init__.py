"""How a request's rows are predicted: few of them with whatever waits, tables on a worker."""
