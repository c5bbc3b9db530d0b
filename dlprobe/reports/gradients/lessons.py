"""What the grid's numbers say, in sentences, each only where they say it."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from dlprobe.record.sizes import factor_text
from dlprobe.registry import counted, first_of
from dlprobe.render.document import Block, Bullets, Paragraph, Verdict
from dlprobe.reports.diagnosis import cause_blocks, opening, states_text
from dlprobe.reports.gradients.grid import Grid, Row
from dlprobe.reports.tones import BROKEN, VERDICT_TONES

if TYPE_CHECKING:
    from dlprobe.analysis.profiles.depth_choice import DepthChoice

SPOKEN_OF = 2  # failed cells whose cause is told
NAMED = 3  # cells that a sentence names


def conclusion(grid: Grid, choices: Sequence[DepthChoice]) -> list[Block]:
    """In three lines: what to use at the largest depth at which anything learned, what breaks
    first and where, and why.
    """
    good = {(choice.depth, label) for choice in choices for label in choice.alike}
    return [*([Verdict(_use(choices), "neutral")] if choices else []), *_breaks(grid, good)]


def _use(choices: Sequence[DepthChoice]) -> str:
    """The advice for the deepest nets that learned, and from which depth on there is none."""
    advised = [choice for choice in choices if choice.use is not None]
    failing = min((choice.depth for choice in choices if choice.use is None), default=None)
    rest = "" if failing is None else f"; at {failing} nothing learned in every seed"
    if not advised:
        return (
            "nothing of this learned in every seed, at "
            f"{counted(failing or 0, 'hidden layer')} or more"
        )
    deepest = max(advised, key=lambda choice: choice.depth)
    assert deepest.use is not None
    return (
        f"at {counted(deepest.depth, 'layer')} use {deepest.use.label} "
        f"({deepest.use.told()} {deepest.use.part}){deepest.as_good}{rest}"
    )


def _breaks(grid: Grid, good: Collection[tuple[int, str]]) -> list[Block]:
    """good: depth and label of what learned as well as the best of its depth."""
    row = grid.first_broken
    if row is None:
        return [
            Verdict(
                "every error signal stays within its band, down to "
                f"{counted(grid.deepest, 'hidden layer')}",
                "neutral",
            )
        ]
    cell, result = row
    ratio, initial = result.initial.log10_error_signal_ratio.median, result.initial
    size = (
        initial.verdict.verdict
        if math.isnan(ratio)
        else f"error signal ×{factor_text(10.0 ** min(ratio, 300.0))} at hidden_1"
    )
    yet = ", yet it learned as well as the best" * ((cell.depth, grid.label(cell)) in good)
    lines: list[Block] = [
        Verdict(
            f"{grid.label(cell)} breaks first, at {counted(cell.depth, 'layer')}: {size}{yet}",
            VERDICT_TONES[initial.verdict.verdict],
        )
    ]
    if initial.because:
        return [*lines, Paragraph(f"because per layer, {initial.because}", below=True)]
    return lines


def lessons(grid: Grid) -> list[Block]:
    """What these numbers say, each sentence only where they say it."""
    counts = {
        name: sum(result.verdict == name for _, result in grid.rows) for name in VERDICT_TONES
    }
    said = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    nets = counted(len(grid.rows), "net")
    blocks: list[Block] = [
        Verdict(
            states_text([diagnosis for seeds in grid.diagnoses for diagnosis in seeds]),
            "warning" if grid.failed else "neutral",
        ),
        Verdict(
            f"{nets}: {said} (their error signal over depth, measured before training)", "neutral"
        ),
    ]
    bullets = [
        sentence
        for sentence in (
            _hidden_by_weights(grid),
            _outside_theory(grid),
            _healed(grid),
            _relapsed(grid),
            _level_but_unlearned(grid),
            _broken_but_learned(grid),
        )
        if sentence
    ]
    if bullets:
        blocks.append(Bullets(bullets))
    for _, diagnoses in grid.failed[:SPOKEN_OF]:
        blocks += [*opening(diagnoses[0]), *cause_blocks(diagnoses[0], 1)]
    return blocks


def _names(rows: Sequence[Row], grid: Grid) -> str:
    return first_of([f"{grid.label(cell)} at {cell.depth}" for cell, _ in rows], NAMED, "; ")


def _hidden_by_weights(grid: Grid) -> str:
    """Vanishing that the weight gradients' first/last ratio would not show."""
    sentences = []
    for cell, result in grid.rows:
        gradients = result.initial.flow.gradient_rms[:-1]
        if (
            result.verdict == "vanishing"
            and len(gradients) > 2
            and gradients[-1] > 0
            and 1 / 3 < gradients[1] / gradients[-1] < 3
        ):
            sentences.append((cell, result))
    if sentences:
        return (
            "vanishing that the ratio of weight gradients hides (it stays within a factor of 3): "
            f"{_names(sentences, grid)}"
        )
    return ""


def _outside_theory(grid: Grid) -> str:
    sentences = []
    for cell, result in grid.rows:
        band = result.prediction.log10_error_signal_ratio
        seen = result.initial.log10_error_signal_ratio.median
        if (
            result.prediction.applicable
            and math.isfinite(seen)
            and not band.low <= seen <= band.high
        ):
            sentences.append((cell, result))
    judged = sum(
        result.prediction.applicable
        and math.isfinite(result.initial.log10_error_signal_ratio.median)
        for _, result in grid.rows
    )
    if not judged:
        return ""
    inside = (
        f"mean-field theory's band for this width holds {judged - len(sentences)} of the {judged} "
        "measured ratios"
    )
    return f"{inside}; outside: {_names(sentences, grid)}" if sentences else inside


def _healed(grid: Grid) -> str:
    healed = [
        (c, r)
        for c, r in grid.rows
        if r.initial.verdict.verdict in ("vanishing", "exploding")
        and 2 * r.development.healed.seeds > len(r.seeds)
    ]
    if healed:
        return (
            "broken at initialization, within the band from about the step given: "
            f"{_when(healed, grid, healed=True)}"
        )
    return ""


def _relapsed(grid: Grid) -> str:
    relapsed = [(c, r) for c, r in grid.rows if 2 * r.development.relapsed.seeds > len(r.seeds)]
    if relapsed:
        return (
            "leaves the band while training, from about the step given: "
            f"{_when(relapsed, grid, healed=False)}"
        )
    return ""


def _when(rows: Sequence[Row], grid: Grid, healed: bool) -> str:
    steps = [
        (result.development.healed if healed else result.development.relapsed).step
        for _, result in rows
    ]
    return first_of(
        [
            f"{grid.label(cell)} at depth {cell.depth} (step {step:.0f})"
            for (cell, _), step in zip(rows, steps, strict=True)
        ],
        NAMED,
        "; ",
    )


def _level_but_unlearned(grid: Grid) -> str:
    unlearned = [(c, r) for (c, r), _ in grid.failed if r.verdict == "level"]
    if unlearned:
        return (
            "level at initialization, yet they did not learn (a level error signal is no "
            f"promise): {_names(unlearned, grid)}"
        )
    return ""


def _broken_but_learned(grid: Grid) -> str:
    learned = [(c, r) for c, r in grid.learned("learned well") if r.verdict in BROKEN]
    return (
        f"ill at initialization, yet they learned well: {_coped(learned, grid)}" if learned else ""
    )


def _coped(rows: Sequence[Row], grid: Grid) -> str:
    """Which, what of the signal was ill, and from which step on it was no more."""
    told = []
    for cell, result in rows:
        healed = result.development.healed
        when = (
            f"healed at about step {healed.step:.0f}"
            if 2 * healed.seeds > len(result.seeds)
            else "not healed"
        )
        told.append(f"{grid.label(cell)} at {cell.depth} ({result.verdict}, {when})")
    return first_of(told, NAMED, "; ")
