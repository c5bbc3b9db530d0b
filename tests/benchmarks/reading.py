"""Reading large files: seconds, and the peak of memory beyond the start of the process over what
training holds; a CSV against polars.

Each reading of these is a process of its own, which has read a small file of the same kind before,
so that what is imported is no part of it.
What training holds: the prepared inputs in its precision, and the targets.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from measuring import by_turns, median_ratio, print_table

FEATURES = 100
SMALL = 200
STATUS = Path("/proc/self/status")


def blocks(rows: int, variant: str = "") -> Any:
    """Rows of float32 in blocks, the class (0 or 1) in the last column."""
    rng = np.random.default_rng(0)
    for first in range(0, rows, 100_000):
        block = rng.standard_normal((min(100_000, rows - first), FEATURES + 1), dtype=np.float32)
        block[:, -1] = block[:, -1] > 0
        if variant in ("gaps", "dropped"):
            block[::100, 3] = np.nan
        yield block


def make_npy(path: Path, rows: int, variant: str) -> None:
    whole = np.lib.format.open_memmap(path, "w+", np.float32, (rows, FEATURES + 1))
    first = 0
    for block in blocks(rows, variant):
        whole[first : first + len(block)] = block
        first += len(block)
    whole.flush()


def make_hdf5(path: Path, rows: int, variant: str) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        x, y = (
            file.create_dataset("X", (rows, FEATURES), "f4"),
            file.create_dataset("y", (rows,), "i8"),
        )
        first = 0
        for block in blocks(rows, variant):
            x[first : first + len(block)], y[first : first + len(block)] = (
                block[:, :-1],
                block[:, -1],
            )
            first += len(block)


def make_parquet(path: Path, rows: int, variant: str) -> None:
    import polars

    pieces = [
        polars.DataFrame(block, schema=[*(f"c{k}" for k in range(FEATURES)), "y"], orient="row")
        for block in blocks(rows, variant)
    ]
    table = polars.concat(pieces).with_columns(polars.col("y").cast(polars.Int8))
    if variant == "texts":
        table = table.with_columns(text=polars.format("row {}", polars.int_range(rows)))
    table.write_parquet(path, row_group_size=100_000)


def make_csv(path: Path, rows: int, variant: str) -> None:
    import polars

    polars.concat(
        [
            polars.DataFrame(block, schema=[*(f"c{k}" for k in range(FEATURES)), "y"], orient="row")
            for block in blocks(rows, variant)
        ]
    ).write_csv(path)


MAKERS: dict[str, Callable[[Path, int, str], None]] = {
    "npy": make_npy,
    "h5": make_hdf5,
    "parquet": make_parquet,
    "csv": make_csv,
}


def memory(key: str) -> int:
    """Bytes that this process holds (VmRSS, RssAnon), or held at most (VmHWM)."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) * 1024


# What a reading may also have to do: gaps in every hundredth row, robust scaling, a validation file
# of a fifth of the rows, a column of texts that is dropped (of Parquet).
VARIANTS: dict[str, dict[str, str]] = {
    "numbers": {},
    "gaps": {"missing": "mean"},
    "dropped": {"missing": "drop"},
    "robust": {"scaling": "robust"},
    "given": {"val_data": "val"},
    "texts": {"drop": "text"},
}


def read_once(variant: str, small: str, large: str) -> dict[str, float]:
    """In a process of its own: seconds of loading and preparing, the peak beyond the start, and
    what is held at the end.
    """
    from dlprobe.config.records import DataConfig
    from dlprobe.data import load, prepare

    options: dict[str, Any] = dict(VARIANTS[variant])
    if "val_data" in options:
        options["val_data"] = str(Path(large).with_stem("val"))
    config = DataConfig(data=small, **options)
    prepare(load(config, 0), config, 0, "float32")
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = memory("VmRSS")
    config = DataConfig(data=large, **options)
    began = time.perf_counter()
    data = prepare(load(config, 0), config, 0, "float32")
    seconds = time.perf_counter() - began
    held = sum(data.inputs[part].nbytes + data.targets[part].nbytes for part in data.inputs)
    return {"seconds": seconds, "peak": memory("VmHWM") - before, "held": held}


def in_a_process(*arguments: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, *arguments], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def memory_row(folder: Path, form: str, variant: str, rows: int, rounds: int) -> list[str]:
    small, large = folder / f"small.{form}", folder / f"large.{form}"
    for path, many in ((small, SMALL), (large, rows), (large.with_stem("val"), rows // 5)):
        MAKERS[form](path, many, variant)
    found = [in_a_process("--read", variant, str(small), str(large)) for _ in range(rounds)]
    seconds, ratio = (
        statistics.median(each)
        for each in (
            [one["seconds"] for one in found],
            [one["peak"] / one["held"] for one in found],
        )
    )
    size = large.stat().st_size
    large.unlink()
    return [
        f"{form}, {rows:,} × {FEATURES}, {variant}",
        f"{size / 2**20:,.0f}",
        f"{found[0]['held'] / 2**20:,.0f}",
        f"{seconds:.2f}",
        f"{ratio:.2f}",
        "≤ 1.2",
    ]


def csv_row(folder: Path, rows: int, rounds: int) -> list[str]:
    """dlprobe until the data set is there, polars until its frame is, by turns in this process:
    CPU time of all threads.
    """
    import polars

    from dlprobe.config.records import DataConfig
    from dlprobe.data import load

    large = folder / "large.csv"
    make_csv(large, rows, "")
    found = by_turns(
        {
            "dlprobe": lambda: load(DataConfig(data=str(large)), 0),
            "polars": lambda: polars.read_csv(large),
        },
        rounds,
    )
    ours, theirs = (f"{statistics.median(found[side]):.2f}" for side in ("dlprobe", "polars"))
    ratio = median_ratio(found["dlprobe"], found["polars"])
    return [
        f"csv, {rows:,} × {FEATURES}",
        f"{large.stat().st_size / 2**20:,.0f}",
        ours,
        theirs,
        f"{ratio:.2f}",
        "≤ 1.5",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rows", type=int, default=1_000_000, help="of npy, h5 and parquet, 100 float32 each"
    )
    parser.add_argument("--forms", default="npy,h5,parquet,csv")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--folder", default=None, help="where the files are made; a temporary one by default"
    )
    parser.add_argument(
        "--variants", default="numbers", help=f"commas between: {', '.join(VARIANTS)}"
    )
    parser.add_argument("--read", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read:
        print(json.dumps(read_once(*given.read)))
        return
    with tempfile.TemporaryDirectory(prefix="dlprobe-benchmark-", dir=given.folder) as name:
        forms, folder = given.forms.split(","), Path(name)
        pairs = [
            (form, variant)
            for form in forms
            if form != "csv"
            for variant in given.variants.split(",")
            if variant != "texts" or form == "parquet"
        ]
        rows = [
            memory_row(folder, form, variant, given.rows, given.rounds) for form, variant in pairs
        ]
        if rows:
            columns = ["file", "its MiB", "held MiB", "seconds", "peak/held", "target"]
            print_table(
                (
                    "Reading until training could begin: peak of memory beyond the start over "
                    "what training holds"
                ),
                columns,
                rows,
            )
        if "csv" in forms:
            columns = ["file", "its MiB", "dlprobe", "polars", "ratio", "target"]
            print_table(
                "Reading a CSV, CPU seconds of all threads",
                columns,
                [csv_row(folder, given.rows // 5, given.rounds)],
            )


if __name__ == "__main__":
    main()
