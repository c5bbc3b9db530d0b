"""The checksums of HDF5: of its own structures, many blocks side by side, and of chunks.

Sources: Bob Jenkins, lookup3.c, hashlittle(), 2006 (public domain), as the HDF5 File Format
Specification Version 3.0 names it for metadata; Fletcher 1982, IEEE Transactions on Communications
30:247, over words of 16 bits with the high byte first, as HDF5's filter takes it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]
_WORDS = 2**15  # whose sums fit 63 bits
STEP = 12  # bytes that are mixed at a time
_MIX = ((0, 2, 1, 4), (1, 0, 2, 6), (2, 1, 0, 8), (0, 2, 1, 16), (1, 0, 2, 19), (2, 1, 0, 4))
_LAST = ((2, 1, 14), (0, 2, 11), (1, 0, 25), (2, 1, 16), (0, 2, 4), (1, 0, 14), (2, 1, 24))


def checksums(data: NDArray[np.uint8], starts: NDArray[Any], lengths: NDArray[Any]) -> Words:
    """uint32 (block,). starts, lengths: of the blocks in `data` in bytes; starts are multiples of
    4, no length is 0.
    """
    words = np.append(data, np.zeros(STEP + -len(data) % 4, np.uint8)).view("<u4")
    order = np.argsort(-lengths, kind="stable")
    places, left = starts[order] // 4, lengths[order].copy()
    state = [(0xDEADBEEF + left).astype(np.uint32) for _ in range(3)]
    ahead = len(left)  # blocks with more than the last step to come: those in front
    while ahead := int(np.searchsorted(-left[:ahead], -STEP)):
        now = [some[:ahead] for some in state]
        for word, some in enumerate(now):
            some += words[places[:ahead] + word]
        _mix(now)
        places[:ahead] += 3
        left[:ahead] -= STEP
    for word, some in enumerate(state):
        bits = 8 * np.clip(left - 4 * word, 0, 4).astype(np.uint64)  # of this word in the block
        some += words[places + word] & ((np.uint64(1) << bits) - np.uint64(1)).astype(np.uint32)
    for to, by, bits in _LAST:
        state[to] ^= state[by]
        state[to] -= _rotated(state[by], bits)
    found = np.empty(len(left), np.uint32)
    found[order] = state[2]
    return found


def _mix(state: list[Words]) -> None:
    for to, by, add, bits in _MIX:
        state[to] -= state[by]
        state[to] ^= _rotated(state[by], bits)
        state[by] += state[add]


def _rotated(words: Words, bits: int) -> Words:
    turned: Words = (words << np.uint32(bits)) | (words >> np.uint32(32 - bits))
    return turned


def fletcher32(data: NDArray[np.uint8]) -> int:
    """The checksum of a chunk of an even number of bytes."""
    words, first, second = data.view(">u2"), 0, 0
    for start in range(0, len(words), _WORDS):
        some = words[start : start + _WORDS].astype(np.int64)
        second += first * len(some) + int(np.arange(len(some), 0, -1) @ some)
        first += int(some.sum())
    # ones' complement: what is a multiple of 65,535 and not 0 counts as 65,535
    first, second = ((sum - 1) % 0xFFFF + 1 if sum else 0 for sum in (first, second))
    return second << 16 | first
