"""What `doctor` says: the installation, and which kernels give other numbers than their plain
form.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dlprobe.registry import counted
from dlprobe.render.document import (
    Block,
    Bullets,
    Cell,
    Column,
    Document,
    Facts,
    Hint,
    Paragraph,
    Table,
    Toned,
    Verdict,
)

if TYPE_CHECKING:
    from dlprobe.experiments.doctor import Examination

SCHEMA = "dlprobe-doctor/1"


def document(examination: Examination, whole: bool) -> Document:
    """The whole answer; `whole`: all of the registry was asked for."""
    blocks: list[Block] = [Facts(list(_facts(examination))), *_about_cache(examination)]
    if examination.faults:
        blocks += [
            _table(examination),
            Bullets(
                [
                    f"{outcome.name} ({outcome.dtype}): {outcome.reason}"
                    for outcome in examination.of("cannot run")
                ]
            ),
        ]
    blocks += _verdicts(examination, whole)
    return Document("doctor", blocks, _data(examination))


def _facts(examination: Examination) -> Iterator[tuple[str, Cell]]:
    here = examination.installation
    yield "versions", ", ".join(f"{name} {version}" for name, version in here.versions.items())
    yield "machine", f"{here.machine}, {here.processor}"
    used = (
        f"registers of {here.vector_bytes} bytes are used"
        if here.vector_bytes
        else "none are used: matrix products are left to BLAS"
    )
    yield "vector instructions", f"{', '.join(here.vector_instructions) or 'none known'}; {used}"
    yield (
        "threads",
        (
            f"{here.processors_here} of {here.processors} processors may be used; BLAS keeps to "
            f"{here.blas_threads}"
        ),
    )
    yield "kernel cache", str(here.cache.folder)
    yield "in it", f"{counted(here.cache.kernels, 'kernel')}, {_megabytes(here.cache.bytes)}"
    if here.cache.older:
        yield (
            "of other versions",
            (
                f"{counted(here.cache.older, 'folder')}, {_megabytes(here.cache.older_bytes)}; "
                "removed a week after their last use"
            ),
        )


def _about_cache(examination: Examination) -> list[Block]:
    cache = examination.installation.cache
    if cache.kept:
        return []
    text = (
        f"{cache.wanted} cannot be written: every process compiles its kernels anew. Set "
        "DLPROBE_CACHE_DIR to a folder that can."
    )
    return [Verdict(text, "warning")]


def _table(examination: Examination) -> Table:
    columns = [
        Column("kernel"),
        Column("of"),
        Column("quantity"),
        *(Column(name, align="right") for name in ("measured", "expected", "off by", "allowed")),
    ]
    rows: list[list[Cell]] = [
        [
            outcome.name,
            f"{outcome.kind}, {outcome.dtype}",
            outcome.quantity,
            Toned(outcome.measured, "bad"),
            outcome.expected,
            _share(outcome.deviation),
            _share(outcome.allowed),
        ]
        for outcome in examination.of("differs")
    ]
    rows += [
        [
            outcome.name,
            f"{outcome.kind}, {outcome.dtype}",
            Toned("cannot run", "bad"),
            None,
            None,
            "",
            "",
        ]
        for outcome in examination.of("cannot run")
    ]
    caption = (
        "Kernels beside their plain form in float64, where they lie furthest apart; as shares of "
        "the largest number"
    )
    return Table(columns, rows, caption=caption)


def _share(value: float) -> str:
    return f"{value:.1e}" if math.isfinite(value) else "infinity"


def _verdicts(examination: Examination, whole: bool) -> list[Block]:
    compared, faults = examination.of("agrees", "differs"), examination.faults
    blocks: list[Block] = (
        []
        if examination.complete
        else [
            Verdict(
                f"stopped early: {counted(len(examination.outcomes), 'record')} had been looked at",
                "warning",
            )
        ]
    )
    if examination.uncompared and not faults:
        blocks.append(
            Paragraph(
                f"Not compared: {counted(len(examination.uncompared), 'kernel')} of no registered "
                "record, or without the other half of its pair."
            )
        )
    if faults:
        looked_at = len(compared) + len(examination.of("cannot run"))
        blocks.append(
            Verdict(
                f"the kernels of {counted(len(faults), 'record')} of {looked_at} are wrong or "
                "cannot be read",
                "bad",
            )
        )
        blocks.append(
            Paragraph(
                "Results on this machine cannot be trusted. Remove "
                f"{examination.installation.cache.folder}; kernels are then compiled anew."
            )
        )
        blocks.append(Hint("dlprobe doctor --all"))
    elif compared:
        where = "of the registry" if whole else "in the cache"
        blocks.append(
            Verdict(
                f"every kernel {where} gives the numbers of its plain form: "
                f"{counted(len(compared), 'record')} compared",
                "good",
            )
        )
        closest = max(outcome.deviation / outcome.allowed for outcome in compared)
        blocks.append(
            Paragraph(
                f"None is further off than {closest:.0%} of the rounding errors that are allowed."
            )
        )
    else:
        blocks.append(Verdict("no kernel is in the cache: nothing was compared", "neutral"))
    if examination.of("not cached") and not faults:
        blocks.append(Hint("dlprobe doctor --all   # compiles and compares the other records too"))
    return blocks


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _data(examination: Examination) -> dict[str, Any]:
    here, cache = examination.installation, examination.installation.cache
    keys = (
        "kind",
        "name",
        "dtype",
        "state",
        "quantity",
        "measured",
        "expected",
        "deviation",
        "allowed",
        "reason",
    )
    return {
        "schema": SCHEMA,
        "complete": examination.complete,
        "versions": here.versions,
        "machine": here.machine,
        "processor": here.processor,
        "vector_instructions": list(here.vector_instructions),
        "vector_bytes": here.vector_bytes,
        "processors": here.processors,
        "processors_here": here.processors_here,
        "blas_threads": here.blas_threads,
        "cache": {
            "folder": str(cache.folder),
            "kept": cache.kept,
            "kernels": cache.kernels,
            "bytes": cache.bytes,
            "older": cache.older,
            "older_bytes": cache.older_bytes,
        },
        "kernels": [
            {key: getattr(outcome, key) for key in keys}
            for outcome in examination.outcomes
            if outcome.state != "not cached"
        ],
        "not_cached": len(examination.of("not cached")),
        "not_compared": list(examination.uncompared),
        "exit_code": 1 if examination.faults else 0,
    }
