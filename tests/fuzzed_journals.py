"""A coverage-guided search (atheris) for journals that dlprobe reads or packs with another error
than one line: `python -m tests.campaigns fuzzed_journals` runs it in a process of its own.

libFuzzer ends it at 3 GB, at its time and at a wait of 15 minutes: on a busy machine only the time
of the processor says what hangs. Whatever goes wrong is kept by kind, and the search goes on.
"""

from __future__ import annotations

import json
import random
import sys
import time
import traceback
import warnings
import zlib
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["dlprobe.runs", "dlprobe.record", "dlprobe.config"]):
    from dlprobe.runs import pack_journal

from journal_mutations import forged, joined, moved, split
from mutated_journals import read, read_run, run_journal, study_journal, tried
from mutated_runs import MOST

EVERY = 200  # inputs between two notes of how far it is
PACKED = 32  # every so manieth input is packed too


class Search:
    """What was tried and what went wrong."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.began = folder, time.monotonic()
        self.counts = {"inputs": 0, "refused": 0, "damaged": 0, "read": 0, "packed": 0}
        self.wrong: dict[str, str] = {}
        self.slowest = 0.0
        seeds = {"run": run_journal(8), "study": study_journal(folder)}
        self.corpus = folder / "corpus"
        self.corpus.mkdir()
        for name, journal in seeds.items():
            (self.corpus / name).write_bytes(journal)
        self.other = [piece for journal in seeds.values() for piece in split(journal)]

    def one(self, data: bytes) -> None:
        """Read one input, and pack some of them."""
        began, path = time.process_time(), self.folder / "input.h5"
        journal = path.with_name("input.h5.journal")
        journal.write_bytes(data)
        try:
            self.counts[read(journal, read_run)] += 1
            if zlib.crc32(data) % PACKED == 0 and tried(lambda: pack_journal(path)) is not None:
                self.counts["packed"] += 1
                read(path, read_run)
        except Exception as error:  # whatever is wrong is kept
            frame = traceback.extract_tb(error.__traceback__)[-1]
            kind = f"{type(error).__name__} {Path(frame.filename).name}:{frame.name}"
            if kind not in self.wrong:
                self.wrong[kind] = "".join(traceback.format_exception(error))[-1500:]
                (self.folder / f"wrong-{len(self.wrong)}.journal").write_bytes(data)
                self.note()
        path.unlink(missing_ok=True)
        self.slowest = max(self.slowest, time.process_time() - began)
        if self.slowest > MOST:
            self.wrong.setdefault("it took more than 5 s", data.hex()[:1000])
        self.counts["inputs"] += 1
        if self.counts["inputs"] % EVERY == 0:
            self.note()

    def note(self) -> None:
        """How far it is, for whoever started this process."""
        seconds = round(time.monotonic() - self.began, 1)
        found = {**self.counts, "slowest_seconds": round(self.slowest, 2), "of_seconds": seconds}
        (self.folder / "found.json").write_text(json.dumps({**found, "wrong": self.wrong}))

    def changed(self, data: bytes, most: int, seed: int) -> bytes:
        """The next input: garbled, with frames moved, or forged."""
        chance = random.Random(seed)
        kind, pieces = chance.randrange(10), split(data)
        if kind == 0 or not pieces:
            return atheris.Mutate(data, most)
        if kind == 1:
            return joined(moved(pieces, chance, self.other))[:most]
        return forged(data, chance, _scrambled, self.other)[:most]


def _scrambled(data: bytes) -> bytes:
    return bytes(atheris.Mutate(data or b"\0", len(data) + 32))


def main(folder: Path, seconds: int, seed: int) -> None:
    """Search for so many seconds; libFuzzer ends the process."""
    warnings.simplefilter("ignore")
    search = Search(folder)
    limits = [f"-max_total_time={seconds}", "-timeout=900", "-rss_limit_mb=3000", "-max_len=65536"]
    options = [f"-seed={seed + 1}", f"-artifact_prefix={folder}/ended-", "-len_control=0", *limits]
    atheris.Setup(
        [sys.argv[0], str(search.corpus), *options], search.one, custom_mutator=search.changed
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
