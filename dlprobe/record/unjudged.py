"""Rules that could not judge a run, grouped by what kept them from it, so that a reader sees
what would be needed; every screen and format groups here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from dlprobe.dataclass import dataclass

# What a group of reasons is called and what its reasons say, the first that fits; a pattern's group
# is what is missing.
KINDS = {
    "the run is too short": re.compile(r"too few|too short|fewer than"),
    "no such layer, part or class": re.compile(
        r"no such|no classes|no validation|no numbers are learned|no second moment|regression"
    ),
    "not recorded": re.compile(
        r"(?:no |neither )?(.+?) (?:was|were) (?:not )?(?:recorded|stored)\b"
    ),
    "not in the file": re.compile(
        r"the file does not say (?:the |whether |how )?(.+)|the layer table has no (.+)|(.+?) "
        r"(?:is|are) not in the file"
    ),
    "not evaluated on the way": re.compile(r"(.+?) (?:was|were) (?:not|never) evaluated"),
}
NAMED = 3  # of what is missing in a group


@dataclass(frozen=True)
class Unjudged:
    """One kind of reason. reasons: as the rules gave them; codes: of the rules; runs: paths,
    empty where one run is spoken of.
    """

    kind: str
    reasons: tuple[str, ...]
    codes: tuple[str, ...]
    runs: tuple[str, ...] = ()

    def text(self, of: int = 1) -> str:
        """Why, what is missing, how many rules, and in how many `of` so many runs, where that is
        not all.

        >>> Unjudged("not recorded", ("update_ratio was not recorded", "penalty was not recorded"), ("A", "B", "C"), ("x.h5",)).text()
        'not recorded: update_ratio, penalty (3)'
        """  # noqa: E501
        named = list(dict.fromkeys(filter(None, map(missing, self.reasons))))
        one = self.reasons[0].partition(": ")[2]
        more = (
            f": {', '.join(named[:NAMED])}{' …' if len(named) > NAMED else ''}"
            if named
            else f", e.g. {one}"
            if one
            else ""
        )
        why = self.reasons[0] if len(self.reasons) == 1 else f"{self.kind}{more}"
        where = f", in {len(self.runs)} of {of} runs" if 0 < len(self.runs) < of else ""
        return f"{why} ({len(self.codes)}{where})"

    def to_json(self) -> dict[str, Any]:
        """The group as data."""
        return {
            "reason": self.kind,
            "reasons": list(self.reasons),
            "codes": list(self.codes),
            **({"runs": list(self.runs)} if self.runs else {}),
        }


def kind_of(reason: str) -> str:
    """What a reason is a case of; one of its own is what stands before its first colon.

    >>> kind_of("too few steps: 3 were recorded, 10 are needed"), kind_of("gradient_l2 was not recorded"), kind_of("no baseline was given: add --against RUN")
    ('the run is too short', 'not recorded', 'no baseline was given')
    """  # noqa: E501
    return next(
        (kind for kind, pattern in KINDS.items() if pattern.match(reason)), reason.partition(":")[0]
    )


def missing(reason: str) -> str:
    """What a reason says is missing; empty where it names nothing.

    >>> missing("the file does not say the run's optimizer"), missing("too few steps: 3, 10 are needed")
    ("run's optimizer", '')
    """  # noqa: E501
    match = KINDS[kind].match(reason) if (kind := kind_of(reason)) in KINDS else None
    return "" if match is None else next(filter(None, match.groups()), "")


def grouped(entries: Iterable[tuple[str, str, str]]) -> list[Unjudged]:
    """Groups of (reason, code, path of the run; empty: of the only one), the one with the most
    rules first.
    """
    by_reason: dict[str, list[tuple[str, str, str]]] = {}
    for entry in entries:
        by_reason.setdefault(kind_of(entry[0]), []).append(entry)
    groups = []
    for kind, members in by_reason.items():
        reasons, codes, runs = (
            tuple(dict.fromkeys(column)) for column in zip(*members, strict=True)
        )
        groups.append(Unjudged(kind, reasons, codes, tuple(filter(None, runs))))
    return sorted(groups, key=lambda group: -len(group.codes))
