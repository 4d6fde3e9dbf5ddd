"""How one version takes over from another: a value, what changes it, and the evidence that it is judged by."""
