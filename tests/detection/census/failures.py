"""What a census found wrong, configuration by configuration, the commonest kind first: for the
one who mends it.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from .measuring import Entry
from .scoring import with_label

SHOWN = 12
KINDS: tuple[tuple[str, str, Callable[[Entry], bool], Callable[[Entry], str]], ...] = (
    ("Healthy, accused", "learned", lambda each: each.accuses, lambda each: " ".join(each.named)),
    (
        "Ill, not named",
        "ill",
        lambda each: not each.accuses,
        lambda each: f"{each.answer['state']}; {undone(each)}",
    ),
    (
        "Ill, named, no action",
        "ill",
        lambda each: each.accuses and each.answer["action"] is None,
        lambda each: each.answer["cause"],
    ),
    (
        "Ill, first action does not cure",
        "ill",
        lambda each: (
            each.answer.get("action") is not None
            and not each.action_cures
            and each.cured is not None
        ),
        lambda each: f"{each.answer['cause']} → {patch(each)}",
    ),
    (
        "Ill, cause not proved although the action cures",
        "ill",
        lambda each: each.action_cures and not each.cause_proved,
        lambda each: f"{each.answer['cause']} → {patch(each)}",
    ),
)


def told(entries: Sequence[Entry], counts: str) -> str:
    """The counts, then each kind with its groups and their first configurations."""
    lines = ["# What the census found wrong", "", counts]
    for title, label, belongs, group in KINDS:
        found = [each for each in with_label(entries, label) if belongs(each)]
        lines += ["", f"## {title}: {len(found)} of {len(with_label(entries, label))} {label}", ""]
        groups = grouped(found, group)
        lines += [f"- {len(members)} × {name}" for name, members in groups]
        for name, members in groups:
            lines += ["", f"### {name} ({len(members)})", ""]
            lines += [line(each) for each in members[:SHOWN]]
    return "\n".join(lines) + "\n"


def grouped(
    entries: Iterable[Entry], group: Callable[[Entry], str]
) -> list[tuple[str, list[Entry]]]:
    """Groups, the largest first."""
    found: dict[str, list[Entry]] = defaultdict(list)
    for each in entries:
        found[group(each)].append(each)
    return sorted(found.items(), key=lambda pair: -len(pair[1]))


def line(entry: Entry) -> str:
    """One configuration in two lines: the command and what came of it."""
    numbers = (
        f"skill {_number(entry.skill)} of {_number(entry.reachable)}, loss over guessing "
        f"{_number(entry.excess)}"
    )
    cured = (
        ""
        if entry.cured is None
        else (
            f"; first action {entry.answer['action']} cures in {entry.cured} of 3, proof "
            f"{entry.proved}"
        )
    )
    said = (
        f"{entry.answer['state']}; {' '.join(entry.named) or 'silent'}; {entry.answer['evidence']}"
    )
    return (
        f"- #{entry.index} `{command(entry)}`\n  {numbers}; {said}{cured}; {undone(entry)}; "
        f"actions {[*entry.answer['actions']]}"
    )


def command(entry: Entry) -> str:
    """What to type; {made} stands for the folder of the data sets made for the benchmark."""
    return shlex.join(
        [
            "dlprobe",
            "train",
            *(
                word
                for key, text in entry.options.items()
                for word in (f"--{key.replace('_', '-')}", text)
            ),
        ]
    )


def patch(entry: Entry) -> str:
    """The keys that the first action changes."""
    return " ".join(entry.answer["action"])


def undone(entry: Entry) -> str:
    """The options that alone are at fault."""
    return "" if entry.undone is None else f"set back alone, cures: {' '.join(entry.undone)}"


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.3g}"
