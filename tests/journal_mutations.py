"""Mutated journals: bytes as a disk garbles them, frames lost or moved, and forgeries whose
checksums are right.
"""

from __future__ import annotations

import json
import math
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

_HEAD = struct.Struct("<4sIQq")  # magic, type, length of the payload, first step; then crc32 of all
_PREFIX = struct.Struct("<II")  # length of the JSON text, link
HEADER = _HEAD.size + 4
MAGIC = b"\x89DLP"
RUN = 8  # the type of a frame that holds the journal of a run
NUMBERS = (-1, 0, 1, 2, 7, 2**31, 2**40, 2**63, -(2**63), 10**400, 1e308, -0.0, math.nan, math.inf)
TEXTS = ("", "x", "=1+1", "\x1b[2J", "a\nb", "\ud800", "relu", "9" * 5000, "<f8", "|S7")
TREES = (None, True, [], {}, [[]], [1, 2], {"a": {}}, [[1, "<f4", [2]]])
STEPS = (-(2**63), -1, 0, 1, 7, 100, 2**40, 2**63 - 1)
Scramble = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Piece:
    """A frame without its checksums: `text` is its JSON, `rest` what follows it. checksum, link:
    None to be made right.
    """

    type: int
    first_step: int
    text: bytes
    rest: bytes
    size: int | None = None
    """Of the JSON text as it is stated; None for the true one."""
    checksum: int | None = None
    link: int | None = None

    @property
    def shapes(self) -> dict[str, list[int]]:
        """Of the arrays, by name."""
        return {name: shape for name, _, shape in json.loads(self.text)["arrays"]}

    @property
    def forged(self) -> Piece:
        """The same with checksums that fit."""
        return replace(self, checksum=None, link=None)


def split(journal: bytes) -> list[Piece]:
    """The frames, with their own checksums; what is no frame ends the list."""
    pieces, at = [], 0
    while journal[at : at + 4] == MAGIC and len(journal) - at >= HEADER + _PREFIX.size:
        _, type, length, first_step = _HEAD.unpack_from(journal, at)
        (checksum,) = struct.unpack_from("<I", journal, at + _HEAD.size)
        payload = journal[at + HEADER : at + HEADER + length]
        if len(payload) < _PREFIX.size:
            break
        size, link = _PREFIX.unpack_from(payload)
        text, rest = payload[_PREFIX.size :][:size], payload[_PREFIX.size :][size:]
        pieces.append(
            Piece(type, first_step, text, rest, None if size == len(text) else size, checksum, link)
        )
        at += HEADER + length
    return pieces


def joined(pieces: Sequence[Piece]) -> bytes:
    """A journal of these frames."""
    parts, last = [], 1
    for piece in pieces:
        link = last if piece.link is None else piece.link
        size = len(piece.text) if piece.size is None else piece.size
        payload = _PREFIX.pack(size, link) + piece.text + piece.rest
        head = _HEAD.pack(MAGIC, piece.type, len(payload), piece.first_step)
        last = zlib.crc32(payload, zlib.crc32(head)) if piece.checksum is None else piece.checksum
        parts.append(head + struct.pack("<I", last) + payload)
    return b"".join(parts)


def moved(pieces: list[Piece], chance: random.Random, other: Sequence[Piece] = ()) -> list[Piece]:
    """A frame dropped, two swapped, one repeated elsewhere, or one of another journal put in."""
    changed, at = list(pieces), chance.randrange(len(pieces))
    kind = chance.randrange(4 if other else 3)
    if kind == 0:
        del changed[at]
    elif kind == 1:
        to = chance.randrange(len(pieces))
        changed[at], changed[to] = changed[to], changed[at]
    elif kind == 2:
        changed.insert(chance.randrange(len(pieces) + 1), pieces[at])
    else:
        changed.insert(chance.randrange(len(pieces) + 1), chance.choice(other))
    return changed


def garbled(piece: Piece, chance: random.Random, scramble: Scramble) -> Piece:
    """One thing in a frame changed; its own checksum is then right again, and its link stays."""
    piece = replace(piece, checksum=None)
    kind = chance.randrange(8)
    if kind == 0:
        return replace(piece, type=chance.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 2**31)))
    if kind == 1:
        return replace(piece, first_step=chance.choice(STEPS))
    if kind == 2:
        return replace(piece, size=chance.choice((0, 1, len(piece.text) + 8, 2**32 - 1)))
    if kind == 3:
        return replace(piece, text=scramble(piece.text))
    if kind == 4:
        return replace(piece, rest=scramble(piece.rest))
    if kind == 5 and piece.type == RUN:
        return _inner(piece, chance, scramble)
    return _described_otherwise(piece, chance)


def forged(
    journal: bytes, chance: random.Random, scramble: Scramble, other: Sequence[Piece] = ()
) -> bytes:
    """A journal with one to three changes and all checksums right; what has no frames comes back
    scrambled.
    """
    pieces = split(journal)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        if not pieces:
            return scramble(journal)
        if chance.random() < 0.2:
            pieces = moved(pieces, chance, other)
        else:
            at = chance.randrange(len(pieces))
            pieces[at] = garbled(pieces[at], chance, scramble)
    return joined([piece.forged for piece in pieces])


def _inner(piece: Piece, chance: random.Random, scramble: Scramble) -> Piece:
    """The journal of a run within a study's, changed, and described by its new length."""
    inner = forged(piece.rest.lstrip(b"\0"), chance, scramble)
    head = _parsed(piece.text)
    if head is None:
        return piece
    head["arrays"] = [["journal", "|u1", [len(inner)]]]
    text = json.dumps(head, separators=(",", ":")).encode()
    return replace(piece, text=text, rest=b"\0" * (-(_PREFIX.size + len(text)) % 8) + inner)


def _described_otherwise(piece: Piece, chance: random.Random) -> Piece:
    """One value somewhere in the JSON replaced, removed or doubled; the arrays keep their alignment
    where the text changed its length.
    """
    head = _parsed(piece.text)
    if head is None:
        return piece
    places = list(_places(head))
    if not places:
        return piece
    holder, key = chance.choice(places)
    kind = chance.randrange(4)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, list):
        holder.insert(key, holder[key])
    elif kind == 2:
        other, there = chance.choice(places)
        holder[key] = json.loads(json.dumps(other[there]))
    else:
        holder[key] = chance.choice((*NUMBERS, *TEXTS, *TREES))
    text = json.dumps(head, separators=(",", ":")).encode()
    before, after = (-(_PREFIX.size + len(each)) % 8 for each in (piece.text, text))
    return replace(piece, text=text, rest=b"\0" * after + piece.rest[before:])


def _parsed(text: bytes) -> dict[str, Any] | None:
    try:
        head = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return head if isinstance(head, dict) else None


def _places(value: Any) -> list[tuple[Any, Any]]:
    """(holder, key) of every value in a JSON tree."""
    pairs = (
        list(value.items())
        if isinstance(value, dict)
        else list(enumerate(value))
        if isinstance(value, list)
        else []
    )
    return [(value, key) for key, _ in pairs] + [
        place for _, below in pairs for place in _places(below)
    ]
