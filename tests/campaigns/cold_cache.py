"""Eight trainings of different configurations at once with one empty kernel cache, and again, one
after the other, with what they have left in it: each gives the content that this process gives with
a cache of its own.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

from command_line import command_of, dlprobe, environment
from resumed_runs import arguments, content_of, draw

COUNT, AT_ONCE = 10, 8


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """`count` rounds, fewer where Ctrl-C ends them, each with a new empty cache. optimizers: how
    many different ones were trained.
    """
    chance, failed, rounds = random.Random(seed), [], 0
    optimizers = set()
    try:
        for rounds in range(count):
            drawn = [draw(chance) for _ in range(AT_ONCE)]
            failed += [f"round {rounds}: {fault}" for fault in _faults(drawn, folder / str(rounds))]
            optimizers |= {options["optimizer"] for options in drawn}
            shutil.rmtree(folder / str(rounds))
        rounds = count
    except KeyboardInterrupt:
        pass
    return {"rounds": rounds, "optimizers": len(optimizers), "failed": failed}


def _faults(drawn: list[dict[str, str]], folder: Path) -> list[str]:
    typed = [("train", "--quiet", *arguments(options)) for options in drawn]
    names = [f"{number}.h5" for number in range(len(drawn))]
    for place in ("cold", "warm", "alone"):
        (folder / place).mkdir(parents=True)

    def begun(place: str, number: int) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*command_of(*typed[number]), "-o", str(folder / place / names[number])],
            env=environment(DLPROBE_CACHE_DIR=str(folder / "cache")),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    numbers = range(len(drawn))
    told = [process.communicate()[1] for process in [begun("cold", number) for number in numbers]]
    told += [begun("warm", number).communicate()[1] for number in numbers]
    faults = [f"{text[-300:]}" for text in told if "rror" in text or "warning" in text]
    for number, name in enumerate(names):
        dlprobe(*typed[number], "-o", str(folder / "alone" / name))
        alone = content_of(folder / "alone" / name)
        faults += [
            f"{place}: another content: {drawn[number]}"
            for place in ("cold", "warm")
            if not (folder / place / name).exists() or content_of(folder / place / name) != alone
        ]
    return faults
