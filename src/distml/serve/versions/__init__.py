"""The versions that a replica holds: loading, checking and swapping them, and which of them answers."""
