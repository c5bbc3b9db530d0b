"""Seeded generators: one stream per (seed, purpose), so that a split never shares numbers with
the data it splits.
"""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, purpose: str) -> np.random.Generator:
    """The generator of a purpose. The Philox key is hashed from both, so nearby seeds and equal
    seeds of two purposes give unrelated numbers.
    """
    digest = hashlib.sha256(f"{seed}:{purpose}".encode()).digest()
    return np.random.Generator(
        np.random.Philox(key=np.frombuffer(digest[:16], dtype="<u8").astype(np.uint64))
    )
