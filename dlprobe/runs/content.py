"""The two hashes of a run: of everything recorded, and of the final parameters.

The content hash covers, in the order of the layout table, path, dtype, shape and the SHA-256 of the
little-endian bytes of every hashed data set, and before them the configuration without thread count
and paths. One digest per data set, so that a journal, whose blocks mix all statistics, is hashed in
one pass, and so that two runs can be compared data set by data set.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlprobe.record import layout
from dlprobe.runs.contents import Contents, Shapes

# change where and how fast a run is made, not what is recorded
_NOT_CONTENT = ("threads", "output", "force")
_NAME_SPEC = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(\(.*\))?")


class ContentDigest:
    """Takes pieces of data sets in any mixture; pieces of one data set must come in order."""

    def __init__(self) -> None:
        self._digests: dict[str, Any] = {}

    def update(self, path: str, array: NDArray[Any]) -> None:
        """The next piece of a data set; data sets that are not hashed are passed over."""
        if layout.data_sets()[path].hashed:
            self._digests.setdefault(path, hashlib.sha256()).update(_bytes(array))

    def hexdigest(self, shapes: Shapes, config: Mapping[str, Any]) -> str:
        """The content hash. `shapes` are those of the whole data sets."""
        whole = hashlib.sha256(canonical(config).encode())
        for path, line in layout.data_sets().items():
            if line.hashed and path in shapes:
                dtype, shape = shapes[path]
                digest = self._digests.get(path) or hashlib.sha256()
                whole.update(f"\n{path} {_code(dtype)} {list(shape)} {digest.hexdigest()}".encode())
        return whole.hexdigest()


def content_sha256(contents: Contents) -> str:
    """The content hash of a stored run, computed from its bytes."""
    digest = ContentDigest()
    for path, piece in contents.slabs():
        digest.update(path, piece)
    return digest.hexdigest(contents.shapes(), contents.facts.config)


def parameters_sha256(parameters: NDArray[Any] | None) -> str:
    """SHA-256 over dtype, shape and bytes of the final parameters; empty where there are none."""
    if parameters is None:
        return ""
    digest = ParametersDigest(parameters.dtype, parameters.shape)
    digest.update(parameters)
    return digest.hexdigest


class ParametersDigest:
    """`parameters_sha256` of the last of several parameters of one dtype and shape, which come one
    after the other in pieces.
    """

    def __init__(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        self._head = f"{_code(dtype)} {list(shape)}\n".encode()
        self._size, self._taken = math.prod(shape), 0
        self._digest = hashlib.sha256(self._head)

    def update(self, piece: NDArray[Any]) -> None:
        """The next numbers, of no more than one."""
        if self._taken >= self._size:
            self._digest, self._taken = hashlib.sha256(self._head), 0
        self._digest.update(_bytes(piece))
        self._taken += piece.size

    @property
    def hexdigest(self) -> str:
        """The hash, once all numbers are taken."""
        return self._digest.hexdigest()


def canonical(config: Mapping[str, Any]) -> str:
    """The configuration as one JSON text without what is no content: thread count, paths. A data
    file counts by its contents, which /data holds.

    `record_every = auto` counts as 1, which it is but for long runs, whose rows say so.
    """
    return json.dumps(_stripped(config), sort_keys=True, separators=(",", ":"))


def _stripped(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    kept = {
        key: _stripped(item)
        for key, item in value.items()
        if key not in _NOT_CONTENT and not _is_path(key, item)
    }
    return kept | {"record_every": 1} if kept.get("record_every") == "auto" else kept


def _is_path(key: str, value: Any) -> bool:
    return key in ("val_data", "test_data") or (
        key == "data" and isinstance(value, str) and not _NAME_SPEC.fullmatch(value)
    )


@cache
def _code(dtype: np.dtype[Any]) -> str:
    return dtype.newbyteorder("<").str


def _bytes(array: NDArray[Any]) -> bytes | memoryview:
    """The little-endian bytes of an array, its own where it holds them."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1)
    return little.view("u1").data if little.nbytes else b""
