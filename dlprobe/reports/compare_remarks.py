"""What stands against a comparison, and what its seeds show beside the ranking."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlprobe.registry import counted
from dlprobe.reports.compare_record import Seeds
from dlprobe.reports.diagnosis import named
from dlprobe.reports.tones import BROKEN

if TYPE_CHECKING:
    from dlprobe.analysis.comparing.comparison import Comparison
    from dlprobe.experiments.compare import Compared
    from dlprobe.rules import Diagnosis


def _remarks(compared: Compared, seeds: Seeds) -> list[str]:
    return [
        sentence
        for sentence in (
            _learned(compared.all, seeds),
            _healed(compared.all, seeds),
            _test(compared.all),
            _power(compared.all),
            *_identical(compared.all),
            _edges(compared),
            _equal(compared),
        )
        if sentence
    ]


def _learned(comparison: Comparison, seeds: Seeds) -> str:
    """What most seeds came to, of the values of which they did not learn well: the best of them
    may be the best of nothing.
    """
    told = [
        (
            f"{value.label} ({name} in {count} of "
            f"{counted(len(value.outcomes), 'seed')}){_cause(seeds.diagnoses.get(value.label, ()))}"
        )
        for value in comparison.values
        for name, count in list(value.states.items())[:1]
        if name != "learned well"
    ]
    return f"most seeds did not learn well beside guessing: {'; '.join(told)}" if told else ""


def _cause(diagnoses: Sequence[Diagnosis]) -> str:
    """The cause that most often stands behind it; empty where there is none."""
    causes = Counter(
        named(diagnosis.cause) for diagnosis in diagnoses if diagnosis.cause is not None
    )
    return f": {causes.most_common(1)[0][0]}" if causes else ""


def _healed(comparison: Comparison, seeds: Seeds) -> str:
    """Which values learned well although their error signal was ill before training, and when
    it was no more.
    """
    told = []
    for value in comparison.values:
        steps, well = seeds.healed.get(value.label, ()), value.states.get("learned well", 0)
        if value.start.verdict in BROKEN and 2 * well > len(value.outcomes):
            when = (
                f"healed at about step {sorted(steps)[len(steps) // 2]:,}"
                if 2 * len(steps) > len(value.outcomes)
                else "not healed"
            )
            told.append(f"{value.label} ({value.start.verdict}, {when})")
    return f"ill at the first step, yet learned well: {'; '.join(told)}" if told else ""


def _test(comparison: Comparison) -> str:
    if not comparison.pairs:
        return ""
    number = f"{len(comparison.pairs)} comparison{'s' if len(comparison.pairs) > 1 else ''}"
    return (
        "values are called different at 5 % by an exact paired test over seeds (signed ranks), "
        f"corrected for {number} (Holm)"
    )


def _power(comparison: Comparison) -> str:
    power = comparison.power
    if not comparison.pairs:
        return ""
    if power.seeds < power.needed:
        return (
            f"{counted(power.seeds, 'seed')} cannot show any difference among "
            f"{counted(len(comparison.values), 'value')}: --seeds {power.needed} is the least"
        )
    if not math.isfinite(power.detectable):
        return ""
    more = f"; half of that would take {counted(power.for_half, 'seed')}" if power.for_half else ""
    return (
        f"as much as seeds scatter here, {power.seeds} of them find a difference of "
        f"{_size(power.detectable, comparison.ratio)} in four of five cases{more}"
    )


def _size(effect: float, ratio: bool) -> str:
    if not ratio:
        return f"{100 * effect:.2g} points"
    share = math.expm1(min(effect, 50.0))
    return f"{100 * share:.2g} %" if share < 1 else f"a factor of {1 + share:.3g}"


def _identical(comparison: Comparison) -> list[str]:
    same = [f"{pair.a} and {pair.b}" for pair in comparison.pairs if pair.identical]
    if same:
        return [
            "the same numbers to the last bit, so the option changes nothing here: "
            f"{'; '.join(same)}"
        ]
    return []


def caveat(compared: Compared) -> str:
    """What stands against the comparison where rates were not tuned; empty where they were, or
    where they are what is compared.
    """
    axes = compared.request.axes
    if any(cell.tuning for cell in compared.request.cells) or "learning_rate" in axes:
        return ""
    return (
        "the learning rate was not tuned per value: one may look worse because this rate suits it "
        "less; --tune-lr gives each the same budget of rates"
    )


def _edges(compared: Compared) -> str:
    edged = [
        cell.label for cell in compared.request.cells if cell.tuning and cell.tuning.at_the_edge
    ]
    if edged:
        return (
            "the best rate stands at the end of those tried, so a better one may lie beyond: "
            f"{', '.join(edged)}"
        )
    return ""


def _equal(compared: Compared) -> str:
    batches = "batch_size" in compared.request.axes
    return {
        "samples": (
            "every value saw the same samples, so smaller batches made more updates: see --equal "
            "updates and --equal seconds too"
        )
        if batches
        else "",
        "updates": (
            "every value made the same number of updates, so larger batches saw more samples"
        ),
        "seconds": (
            "every value got the wall time that the configuration without the axis takes, by a "
            "measurement before; other machines give other numbers"
        ),
    }.get(compared.request.equal, "")
