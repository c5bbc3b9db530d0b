"""Power lost at drawn moments while runs and studies are written, packed and gone on with.

Since its last fsync a file has each of its pages of 4 KiB from before or after, and any length in
between; what was made, renamed and removed since the folder's last fsync has happened or not, each
by itself. What an fsync had confirmed must be there, and nothing may be told that was not written;
damage behind it is told as such. COUNT: cuts of each scenario.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from file_calls import Call, recorded
from write_scenarios import Scenario, scenarios, state_of

COUNT, PAGE = 50, 4096


class Inode:
    """A file's bytes: those that are on the disk for certain, and those that programs see."""

    def __init__(self, content: bytes = b"") -> None:
        self.synced, self.seen = content, bytearray(content)

    def write(self, offset: int, data: bytes) -> None:
        """As a program does."""
        self.seen.extend(bytes(max(0, offset + len(data) - len(self.seen))))
        self.seen[offset : offset + len(data)] = data

    def truncate(self, size: int) -> None:
        """As a program does."""
        self.seen.extend(bytes(max(0, size - len(self.seen))))
        del self.seen[size:]

    def sync(self) -> None:
        """All that programs see is on the disk."""
        self.synced = bytes(self.seen)

    def left(self, chance: random.Random) -> bytes:
        """What a power cut leaves: page by page old or new, zeros where neither was written."""
        sizes = sorted((len(self.synced), len(self.seen)))
        size = chance.choice((*sizes, chance.randint(*sizes)))
        share, content = chance.random(), bytearray()
        for start in range(0, size, PAGE):
            source = self.seen if chance.random() < share else self.synced
            page = bytes(source[start : start + PAGE])
            content += page + bytes(PAGE - len(page))
        return bytes(content[:size])


class Disk:
    """The files of one folder."""

    def __init__(self, folder: Path) -> None:
        files = {str(path): Inode(path.read_bytes()) for path in folder.resolve().iterdir()}
        self.folder, self.names, self.synced_names = str(folder.resolve()), files, dict(files)
        self._changes: list[tuple[Call, Inode | None]] = []

    def take(self, call: Call) -> None:
        """The next call of a program."""
        if call.name == "fsync" and call.path == self.folder:
            self.synced_names, self._changes = dict(self.names), []
        elif call.name == "fsync":
            self.names[call.path].sync()
        elif call.name == "write":
            self.names[call.path].write(call.offset, call.data)
        elif call.name == "ftruncate":
            self.names[call.path].truncate(call.offset)
        else:
            inode = Inode() if call.name == "open" else self.names[call.path]
            self._changes.append((call, inode))
            _rename(self.names, call, inode)

    def cut(self, into: Path, chance: random.Random) -> None:
        """Write what a power cut leaves into another folder."""
        names, share = dict(self.synced_names), chance.random()
        for call, inode in self._changes:
            if chance.random() < share:
                _rename(names, call, inode)
        for name, inode in names.items():
            (into / Path(name).name).write_bytes(inode.left(chance))


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """left: how often each state was left; to_the_end: how often the work went on from it."""
    chance, failed = random.Random(seed), []
    left: Counter[str] = Counter()
    ends: dict[str, int] = {}
    for name in ("kept", "cut"):
        (folder / name).mkdir()
    for name, scenario in scenarios(folder / "kept", seed).items():
        calls, before = _recorded(scenario, folder)
        ends[name] = 0
        of_names = [n for n, call in enumerate(calls) if not call.path.endswith(".tmp")]
        for number in range(count):
            every_second = number % 2  # else nearly all would fall into packing
            moment = chance.choice(of_names) if every_second else chance.randrange(len(calls) + 1)
            synced = _cut(before, calls[:moment], folder / "tried", chance)
            left[state_of(folder / "tried")] += 1
            try:
                ends[name] += scenario.check(folder / "tried", synced, True)
            except Exception as error:  # whatever is wrong belongs into the result
                text = f"{type(error).__name__}: {error}"
                failed.append(f"{name}: cut before call {moment} of {len(calls)}: {text}")
    return {"left": dict(sorted(left.items())), "to_the_end": ends, "failed": failed}


def _recorded(scenario: Scenario, folder: Path) -> tuple[list[Call], Path]:
    """The calls of the work, and a folder as it is before it, both with the paths of `tried`."""
    tried, before = folder / "tried", folder / "before"
    for path in (tried, before):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        scenario.prepare(path)
    return recorded(tried, lambda: scenario.work(tried)), before


def _cut(before: Path, calls: Sequence[Call], tried: Path, chance: random.Random) -> list[Call]:
    """Leave in `tried` what a cut after these calls leaves; those that an fsync had confirmed."""
    shutil.rmtree(tried)
    shutil.copytree(before, tried)
    disk, left = Disk(tried), tried.with_name("left")
    for call in calls:
        disk.take(call)
    left.mkdir()
    disk.cut(left, chance)
    shutil.rmtree(tried)
    left.rename(tried)
    last = {call.path: number for number, call in enumerate(calls) if call.name == "fsync"}
    made = {call.path: number for number, call in enumerate(calls) if call.name == "open"}
    named = last.get(disk.folder, -1)
    kept = {path: end for path, end in last.items() if made.get(path, -1) <= named}
    return [call for number, call in enumerate(calls) if number < kept.get(call.path, 0)]


def _rename(names: dict[str, Inode], call: Call, inode: Inode) -> None:
    """What one call does to the names of a folder."""
    if call.name == "open":
        names[call.path] = inode
        return
    names.pop(call.path, None)
    if call.name == "replace":
        names[call.to] = inode
