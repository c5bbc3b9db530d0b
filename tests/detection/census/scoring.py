"""What a census comes to: shares with exact bounds, a confusion matrix per rule, and the tables
for people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias, TypeVar

from scipy.special import betaincinv

from dlprobe.rules import all_rules

from .measuring import Entry

CONFIDENCE = 0.95
T = TypeVar("T")
Rate: TypeAlias = dict[str, Any]
AIMS = {"recall": 0.90, "accused": 0.02, "cause_proved": 0.80, "action_cures": 0.80}
WORDS = {
    "recall": "ill configurations that got an error or a warning",
    "accused": "healthy configurations that got an error or a warning",
    "cause_proved": (
        "ill configurations whose named causes, undone step by step as `check --prove` does, cure "
        "while a sham does not, in 2 of 3 seeds"
    ),
    "action_cures": "ill configurations that the first action cures in 2 of 3 new seeds",
}


def lower_bound(hits: int, of: int) -> float:
    """One-sided exact 95 % lower bound of a share (Clopper & Pearson 1934, Biometrika 26:404).

    >>> round(lower_bound(300, 300), 6)  # 0.05 ** (1 / 300)
    0.990064
    """
    return float(betaincinv(hits, of - hits + 1, 1 - CONFIDENCE)) if hits else 0.0


def upper_bound(hits: int, of: int) -> float:
    """One-sided exact 95 % upper bound of a share.

    >>> upper_bound(0, 600) == 1 - lower_bound(600, 600)
    True
    """
    return 1.0 - lower_bound(of - hits, of)


def rate(entries: Iterable[T], hit: Callable[[T], bool]) -> Rate:
    """Hits, number, share, and both one-sided bounds."""
    found = list(entries)
    hits, of = sum(map(hit, found)), len(found)
    if not of:
        return {"hits": 0, "of": 0, "share": None, "low": None, "high": None}
    return {
        "hits": hits,
        "of": of,
        "share": round(hits / of, 4),
        "low": round(lower_bound(hits, of), 4),
        "high": round(upper_bound(hits, of), 4),
    }


def summary(entries: Sequence[Entry]) -> dict[str, Any]:
    """All that a census says, as data."""
    ill, healthy = with_label(entries, "ill"), with_label(entries, "learned")
    rates = {
        "recall": rate(ill, lambda each: each.accuses),
        "accused": rate(healthy, lambda each: each.accuses),
        "cause_proved": rate(tried(ill), lambda each: each.cause_proved),
        "action_cures": rate(tried(ill), lambda each: each.action_cures),
    }
    labels = {
        name: len(with_label(entries, name)) for name in ("learned", "ill", "unclear", "impossible")
    }
    more = {
        "before_training": before_training(ill, healthy),
        "rules": confusion(ill, healthy),
        "wrong": wrong(ill, healthy),
    }
    return {"labels": labels, **rates, "reached": reached(rates), **more}


def wrong(ill: Sequence[Entry], healthy: Sequence[Entry]) -> dict[str, list[int]]:
    """Indices of the configurations that went wrong, by what did: they are drawn again from the
    seed.
    """
    found = {
        "recall": [each for each in ill if not each.accuses],
        "accused": [each for each in healthy if each.accuses],
        "cause_proved": [each for each in tried(ill) if not each.cause_proved],
        "action_cures": [each for each in tried(ill) if not each.action_cures],
    }
    return {name: [each.index for each in entries] for name, entries in found.items()}


def tried(ill: Iterable[Entry]) -> list[Entry]:
    """Those of which causes and actions were tried (all but under `--no-cures`)."""
    return [each for each in ill if each.cured is not None]


def with_label(entries: Iterable[Entry], name: str) -> list[Entry]:
    """Those with a label."""
    return [each for each in entries if each.label == name]


def reached(rates: dict[str, Rate]) -> dict[str, bool | None]:
    """Whether each aim is reached, by its bound; None where nothing was counted."""
    found: dict[str, bool | None] = {}
    for name, aim in AIMS.items():
        one = rates[name]
        found[name] = (
            None
            if one["share"] is None
            else one["high"] <= aim
            if name == "accused"
            else one["low"] >= aim
        )
    return found


def before_training(ill: Sequence[Entry], healthy: Sequence[Entry]) -> dict[str, Rate]:
    """How often what was said before training was right: ill ones that were foreseen, healthy
    ones that were warned of.
    """
    return {
        "foreseen": rate(
            [each for each in ill if each.before],
            lambda each: bool(each.before and each.before["fails"]),
        ),
        "warned_of": rate(
            [each for each in healthy if each.before],
            lambda each: bool(each.before and each.before["fails"]),
        ),
    }


def confusion(ill: Sequence[Entry], healthy: Sequence[Entry]) -> dict[str, dict[str, Any]]:
    """Per rule that named something: fired as error or warning among ill and healthy ones,
    blamed first, and what came of its blame.
    """
    table = {}
    for code, rule in all_rules().items():
        blamed = [each for each in ill if each.answer.get("cause") == code]
        row = {
            "severity": rule.severity,
            "ill": sum(code in each.named for each in ill),
            "healthy": sum(code in each.named for each in healthy),
            "blamed": len(blamed),
            "proved": sum(each.cause_proved for each in blamed),
            "cured": sum(each.action_cures for each in blamed),
        }
        if row["ill"] or row["healthy"]:
            table[code] = row
    return table


def markdown(found: dict[str, Any], header: dict[str, Any]) -> str:
    """The tables of the guide's page."""
    labels = found["labels"]
    lines = [
        f"Census of seed {header['seed']}, {header['date']}, commit {header['commit']}: "
        f"{labels['learned']} healthy, {labels['ill']} ill, "
        f"{labels['unclear']} unclear (not scored), {labels['impossible']} refused as impossible.",
        "",
        "| what | share | 95 % bound | aim | reached |",
        "|---|---|---|---|---|",
    ]
    for name, aim in AIMS.items():
        one, upper = found[name], name == "accused"
        bound = (
            "–"
            if one["share"] is None
            else f"{'at most' if upper else 'at least'} {one['high' if upper else 'low']:.3f}"
        )
        share = (
            "–" if one["share"] is None else f"{one['share']:.3f} ({one['hits']} of {one['of']})"
        )
        lines.append(
            f"| {WORDS[name]} | {share} | {bound} | {'≤' if upper else '≥'} {aim:.2f} | "
            f"{_yes(found['reached'][name])} |"
        )
    for name, words in (
        ("foreseen", "ill ones that `check net.toml` foresaw"),
        ("warned_of", "healthy ones that it warned of"),
    ):
        one = found["before_training"][name]
        if one["share"] is not None:
            lines.append(
                f"| {words} | {one['share']:.3f} ({one['hits']} of {one['of']}) | "
                f"{one['low']:.3f} … {one['high']:.3f} | | |"
            )
    lines += [
        "",
        (
            "| rule | severity | fired on ill | fired on healthy | blamed first | proved | first "
            "action cures |"
        ),
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        (
            f"| {code} | {row['severity']} | {row['ill']} | {row['healthy']} | {row['blamed']} | "
            f"{row['proved']} | {row['cured']} |"
        )
        for code, row in found["rules"].items()
    ]
    return "\n".join(lines) + "\n"


def _yes(reached: bool | None) -> str:
    return "–" if reached is None else "yes" if reached else "no"
