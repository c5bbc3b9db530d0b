"""A findings baseline: what is known and accepted, kept in a JSON file, so that only what is new
fails.

A finding is known by the path of its run (relative to the baseline's folder), its code, and no
milder a severity. Layers and numbers may move.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from dlprobe.config.toml_text import read_start
from dlprobe.dataclass import dataclass
from dlprobe.errors import RunFileError
from dlprobe.registry import nearby
from dlprobe.rules.files import JudgedRun
from dlprobe.rules.outcome import SEVERITIES
from dlprobe.runs.text_file import write_whole

SCHEMA = "dlprobe-baseline/1"
LARGEST_FILE = 16_000_000  # bytes
Key: TypeAlias = tuple[str, str]


@dataclass(frozen=True)
class Known:
    """The accepted findings: by run and code, the index of the worst accepted severity."""

    folder: Path
    findings: dict[Key, int]

    def without_known(self, judged: JudgedRun) -> JudgedRun:
        """The run with its new findings only."""
        place = _place(judged.path, self.folder)
        new = tuple(
            finding
            for finding in judged.judgement.findings
            if SEVERITIES.index(finding.severity or "info")
            < self.findings.get((place, finding.code), len(SEVERITIES))
        )
        return replace(
            judged,
            judgement=replace(judged.judgement, findings=new),
            known=len(judged.judgement.findings) - len(new),
        )


def _place(path: str, folder: Path) -> str:
    file, mark, id = path.partition("#")
    return Path(os.path.relpath(file, folder)).as_posix() + mark + id


def baseline_text(findings: Mapping[Key, int]) -> str:
    """The content of a baseline file that knows these findings."""
    records = [
        {"run": run, "code": code, "severity": SEVERITIES[index]}
        for (run, code), index in sorted(findings.items())
    ]
    return json.dumps({"schema": SCHEMA, "findings": records}, indent=2) + "\n"


def update_baseline(path: Path, judged: Sequence[JudgedRun]) -> None:
    """Write the findings of these runs as known and keep what the file knows of other runs.
    Raises RunFileError or OSError; the file is then as it was.
    """
    kept = read_baseline(path).findings if path.is_file() else {}
    places = {_place(run.path, path.parent) for run in judged}
    known = {key: index for key, index in kept.items() if key[0] not in places}
    write_whole(path, baseline_text(known | findings_of(judged, path.parent)))


def findings_of(judged: Sequence[JudgedRun], folder: Path) -> dict[Key, int]:
    """Index in SEVERITIES of the worst finding per (run, code), the run given as its path from
    `folder`.
    """
    worst: dict[Key, int] = {}
    for run in judged:
        for finding in run.judgement.findings:
            key = (_place(run.path, folder), finding.code)
            worst[key] = min(
                worst.get(key, len(SEVERITIES)), SEVERITIES.index(finding.severity or "info")
            )
    return worst


def read_baseline(path: Path) -> Known:
    """The known findings of a file. Raises RunFileError, one line, where it is missing or not a
    findings baseline.
    """
    again = f"write it with dlprobe check RUN --write-baseline {path}"
    try:
        text = read_start(path, LARGEST_FILE + 1)
        if text.startswith(b"\x89"):
            raise RunFileError(
                f"{path} is a run file, not a findings baseline: compare numbers with "
                f"--against {path}"
            )
        record = json.loads(text) if len(text) <= LARGEST_FILE else None
    except FileNotFoundError:
        raise RunFileError(f"{path}: no such baseline: {nearby(path)}{again}") from None
    except OSError as error:
        raise RunFileError(f"{path}: cannot be read: {error.strerror or error}: {again}") from None
    except (ValueError, RecursionError):
        record = None
    if (
        not isinstance(record, dict)
        or record.get("schema") != SCHEMA
        or not isinstance(record.get("findings"), list)
    ):
        raise RunFileError(f"{path} is not a findings baseline ({SCHEMA}): {again}")
    return Known(path.parent, dict(_entry(finding, path, again) for finding in record["findings"]))


def _entry(record: Any, path: Path, again: str) -> tuple[Key, int]:
    if (
        isinstance(record, dict)
        and isinstance(record.get("run"), str)
        and isinstance(record.get("code"), str)
        and record.get("severity") in SEVERITIES
    ):
        return (record["run"], record["code"]), SEVERITIES.index(record["severity"])
    raise RunFileError(
        f"{path} is not a findings baseline ({SCHEMA}): an entry lacks run, code or "
        f"severity: {again}"
    )
