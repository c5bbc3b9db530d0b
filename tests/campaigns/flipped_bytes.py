"""One byte changed at places all over a packed run and a packed study: what Python reads of it, and
what `inspect --format json` says of it, is as it was or refused, never another thing.

A byte that only one of the two reads is refused by that one; what neither reads lies in no data.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from command_line import ROOT, dlprobe
from mutated_runs import equal, everything

from dlprobe.errors import RunFileError

COUNT = 1000
TRAIN = ("train", "--data", "wine", "--layers", "6,5", "--steps", "70", "--quiet")
INSTRUMENTS = ("--histogram-every", "20", "--track-unit", "hidden_1:0", "--jacobian", "4")


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """`count` places in each file, the first drawn from the seed. answers: what Python and inspect
    came to, by file.
    """
    sources = {"run": folder / "run.h5", "study": folder / "study.h5"}
    assert dlprobe(*TRAIN, *INSTRUMENTS, "-o", str(sources["run"])).code == 0
    shutil.copy(ROOT / "sample_runs" / "initializers.h5", sources["study"])
    answers: dict[str, dict[str, int]] = {}
    failed = []
    for name, source in sources.items():
        content, original, shown = source.read_bytes(), everything(source), _shown(source)
        step, found = max(1, len(content) // count), Counter[str]()
        for number, at in enumerate(range(seed % step, len(content), step)):
            changed = bytearray(content)
            changed[at] ^= 1 << number // 2 % 8 if number % 2 else 0xFF
            path = folder / f"{name}-{number}.h5"  # HDF5 remembers a path
            path.write_bytes(changed)
            answer = f"read {_answer(path, original)}, inspect {_compared(_shown(path), shown)}"
            found[answer] += 1
            failed += [f"{name}, byte {at}: {answer}"] if "otherwise" in answer else []
            path.unlink()
        answers[name] = dict(sorted(found.items()))
    return {"answers": answers, "failed": failed}


def _answer(path: Path, original: list[object]) -> str:
    try:
        found = everything(path)
    except RunFileError as error:
        return "refused" if "\n" not in str(error) else "otherwise: in several lines"
    return "as it was" if all(map(equal, original, found)) else "otherwise"


def _shown(path: Path) -> tuple[int, str]:
    outcome = dlprobe("inspect", str(path), "--format", "json")
    return outcome.code, outcome.out.replace(str(path), "")


def _compared(found: tuple[int, str], original: tuple[int, str]) -> str:
    return "refused" if found[0] == 2 else "as it was" if found == original else "otherwise"
