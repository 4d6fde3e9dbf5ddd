"""Numbers of bytes for people."""

from __future__ import annotations


def size(num_bytes: float) -> str:
    """Bytes as people read them.

    >>> size(0), size(999), size(1_000), size(999_999), size(12_345_678)
    ('0 B', '999 B', '1.0 kB', '1.0 MB', '12.3 MB')
    """
    value = float(num_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < (1000 if unit == "B" else 999.95):
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
