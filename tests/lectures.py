"""Measure all recipes in their full form and write what the guide says of them: `lectures.md`, and
in `recipes.json` the seconds that each takes. Ten minutes of one processor.

    python -m tests.lectures --seed 40 [NAME …]    # verdicts on other seeds go into recipes.json
    python -m tests.lectures                       # writes both, with the other verdicts

CPU time of a whole process, its start included.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlprobe import registry

GUIDE = Path(__file__).parents[1] / "dlprobe" / "guide"
SEED, SEEDS = 10, 5
AFRESH = 20  # first seed of recipes whose cases or goals were changed after a look at SEED
CHANGED = ("optimizer_stars", "batch_norm_starts", "batch_sizes", "bowl_paths")
HEAD = """# Lectures: what was measured

What lectures and textbooks say of training, each claim with the verdict that its inequalities
gave over five seeds.

`dlprobe recipe` lists the claims by topic, `dlprobe recipe NAME` measures one and draws it,
`dlprobe recipe --wrong` lists what somebody said and does not simply hold, and
`dlprobe recipe --quiz` asks about profiles.
"""
WRITTEN = (
    "The inequalities were written before, on other seeds; medians over seeds are judged. In "
    "brackets: what was measured beside what the claim asks."
)


def measured(name: str, seed: int) -> dict[str, Any]:
    """What a recipe comes to, and the seconds of one processor that it took."""
    options = ("--seed", str(seed), "--seeds", str(SEEDS), "--format", "json", "--quiet")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = subprocess.run(
        [sys.executable, "-m", "dlprobe", "recipe", name, *options], check=True, capture_output=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {**json.loads(told.stdout), "spent": float(f"{spent:.2g}")}


def verdict(record: dict[str, Any]) -> str:
    return f"{record['verdict']} {record['condition']}".strip()


def shown(check: dict[str, Any]) -> str:
    """A measured value; JSON has null for infinity, which may hold, and NaN, which never does."""
    if check["value"] is None:
        return "inf" if check["holds"] else "not finite"
    return format(check["value"], ".4g")


def entry(record: dict[str, Any], again: dict[str, Any]) -> str:
    """A claim as the page has it. again: verdicts with another first seed."""
    numbers = [
        f"{shown(check)} {check['relation']} {check['bound']:.4g}" for check in record["checks"]
    ]
    first = ", ".join([*numbers[:4], *["…"] * (len(numbers) > 4)])
    claim = record["claim"].replace("*", "\\*")
    said = f"* `{record['name']}` ({record['support']}): {claim}"
    text = f"{said} **It {verdict(record)}** [{first}]."
    other = again["verdicts"].get(record["name"], verdict(record))
    if other != verdict(record):
        text += f" With `--seed {again['seed']}` it {other}."
    return wrapped(text, "  ")


def wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text, 98, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def page(records: list[dict[str, Any]], again: dict[str, Any]) -> Iterator[str]:
    """The lines of lectures.md."""
    yield HEAD
    command, others = (
        f"dlprobe recipe NAME --seed {SEED} --seeds {SEEDS}",
        ", ".join(f"`{name}`" for name in CHANGED),
    )
    yield wrapped(
        f"Measured on {datetime.now(UTC).date()} with `{command}`; {others} with "
        f"`--seed {AFRESH}`: their cases, goals or data were changed after the first "
        f"look. {WRITTEN} {len(again['verdicts'])} recipes were measured with `--seed "
        f"{again['seed']}` too, another split of the data: another verdict is said."
    )
    for topic in dict.fromkeys(record["topic"] for record in records):
        yield f"\n## {topic.capitalize()}\n"
        yield from (entry(record, again) for record in records if record["topic"] == topic)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="with --seed: these recipes alone")
    parser.add_argument("--seed", type=int, help="first seed of a comparison")
    asked = parser.parse_args()
    if asked.names and asked.seed is None:
        parser.error("the page is of all recipes: expected --seed with names")
    records = []
    for name in asked.names or registry.records("recipe"):
        seed = asked.seed or (AFRESH if name in CHANGED else SEED)
        records.append(measured(name, seed))
        print(f"{records[-1]['spent']:6.3g} s  {name}: {verdict(records[-1])}", flush=True)
    file = GUIDE / "recipes.json"
    known = json.loads(file.read_text(encoding="utf-8"))
    if asked.seed is not None:
        verdicts = {record["name"]: verdict(record) for record in records}
        known["again"] = {"seed": asked.seed, "verdicts": verdicts}
    else:
        known["seconds"] = {record["name"]: record["spent"] for record in records}
        text = "\n".join(page(records, known["again"])) + "\n"
        (GUIDE / "lectures.md").write_text(text, encoding="utf-8")
    file.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
