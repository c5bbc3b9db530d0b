"""Packed files that unpack to very much more: refused by their sizes, before they take the
memory.
"""

from __future__ import annotations

from pathlib import Path

from dlprobe.data.places import problem

LARGE_UNPACKED = 2**28  # bytes, 256 MiB: what is smaller does no harm, however well it is packed
# bytes that one packed byte may stand for; digits of MNIST are 6, a table of one-hot columns 50
MOST_PACKED = 100


def refuse_bomb(path: Path, unpacked: int, packed: int, what: str = "") -> None:
    """Raise DataError where so many bytes are declared, or were found so far, in so few packed
    ones; `what` holds them: `array 'X' `, or the file itself.
    """
    if unpacked > LARGE_UNPACKED and unpacked > MOST_PACKED * max(packed, 1):
        fault = (
            f"{what}unpacks to {unpacked} bytes or more from {packed}, more than {MOST_PACKED} "
            "for one, as nothing but equal numbers does"
        )
        raise problem(path, f"{fault}: if they are meant, save them without compression")
