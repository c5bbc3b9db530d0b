"""`python -m tests.detection.census --seed S`: draw configurations, train them, label them by their
outcome, and count how often dlprobe is right.

--seed S         which configurations (the final seed is chosen after the rules are frozen; 1, 2 and
                 3 are for development)
--count N        the first N configurations; else as many as it takes for 600 healthy and 300 ill
                 ones
--jobs 2         processes
--resume         go on after a kill
--no-cures       label and judge the trained runs only
--causes         for ill ones ask which options, set back alone, cure
--folder DIR     where the census is kept, one line per configuration (runs are not)
--write          write results.json and results.md beside this program
--failures FILE  write what went wrong, configuration by configuration
--references     measure what is reachable on each data set anew, and nothing else
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

from tests.long_runs import commit

from . import families, prior
from .failures import told
from .measuring import Entry
from .scoring import markdown, summary, with_label
from .store import Store
from .workers import Work, measured

HERE = Path(__file__).parent
HEALTHY, ILL = 600, 300


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw, train, judge, count, print."""
    options = parse(arguments)
    if options.references:
        measure_references(options.folder)
        return 0
    header = {
        "seed": options.seed,
        "commit": commit(),
        "cures": not options.no_cures,
        "causes": options.causes,
    }
    try:
        store = Store(options.folder / f"census-{options.seed}.jsonl", header, options.resume)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    began = time.monotonic()
    work = Work(options.seed, options.folder / "data", not options.no_cures, options.causes)
    for entry in measured(
        work, len(store.entries), options.jobs, lambda: enough(store.entries, options.count)
    ):
        store.add(entry)
        if sys.stderr.isatty():
            print(
                f"\r{progress(store.entries)} {time.monotonic() - began:.0f} s\033[K",
                end="",
                file=sys.stderr,
            )
    found, header = summary(store.entries), {**header, "date": datetime.date.today().isoformat()}
    text = markdown(found, header)
    print(text)
    if options.write:
        (HERE / "results.json").write_text(
            json.dumps({**header, **found}, indent=1) + "\n", encoding="utf-8"
        )
        (HERE / "results.md").write_text(text, encoding="utf-8")
    if options.failures:
        options.failures.write_text(told(store.entries, text), encoding="utf-8")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.detection.census",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=None)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "dlprobe-census"
    )
    parser.add_argument("--failures", type=Path, default=None)
    for flag in ("--resume", "--no-cures", "--causes", "--write", "--references"):
        parser.add_argument(flag, action="store_true")
    return parser.parse_args(arguments)


def enough(entries: Sequence[Entry], count: int | None) -> bool:
    """Whether no more are needed: so many, or so many healthy and ill ones."""
    if count is not None:
        return len(entries) >= count
    return len(with_label(entries, "learned")) >= HEALTHY and len(with_label(entries, "ill")) >= ILL


def progress(entries: Sequence[Entry]) -> str:
    return (
        f"{len(entries)}: {len(with_label(entries, 'learned'))} healthy, "
        f"{len(with_label(entries, 'ill'))} ill"
    )


def measure_references(folder: Path) -> None:
    """Write `reachable.json`."""
    found = {}
    for name, skill in families.measured(tuple(prior.NOISES), families.made(folder / "data")):
        found[name] = skill
        print(f"{name}: {skill}", flush=True)
    families.REACHABLE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
