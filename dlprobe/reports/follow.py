"""What `inspect --follow` shows of a run or study while it is written: a screen that is drawn
again and again, and a line for where nobody looks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any

from dlprobe.dataclass import dataclass
from dlprobe.render.document import (
    Block,
    Document,
    Facts,
    Heights,
    LayerValues,
    Paragraph,
    StepMap,
    Toned,
    Verdict,
)
from dlprobe.reports.diagnosis import diagnosis_blocks, head, named, tone_of
from dlprobe.reports.statistic import SCHEMA
from dlprobe.reports.tones import STATE_TONES

if TYPE_CHECKING:
    from dlprobe.rules import Diagnosis, Finding

BARS = 40  # heights of the loss over the steps
LAYERS, COLUMNS = 10, 98  # of the map


@dataclass(frozen=True)
class Pace:
    """How far it is. unit: what is counted; total: how many are planned, None where that is not
    known; per_second: NaN where it is not known yet.
    """

    done: int
    total: int | None
    per_second: float
    unit: str = "steps"

    @property
    def left(self) -> float:
        """Seconds to the end at this pace; NaN where it is not known."""
        return (
            math.nan
            if self.total is None or not self.per_second > 0
            else max(self.total - self.done, 0) / self.per_second
        )

    def __str__(self) -> str:
        of, share = (
            ("", "")
            if self.total is None
            else (f" of {self.total:,}", f" ({100 * self.done / max(self.total, 1):.0f} %)")
        )
        rate = f"{self.per_second:,.0f}" if self.per_second >= 10 else f"{self.per_second:.1f}"
        told = [
            f"{self.done:,}{of} {self.unit}{share}",
            *([f"{rate} {self.unit}/s"] if self.per_second > 0 else []),
        ]
        return ", ".join([*told, *([f"{clock(self.left)} left"] if self.left > 0 else [])])


def clock(seconds: float) -> str:
    """Seconds as people read them on a clock.

    >>> clock(7), clock(605), clock(7322)
    ('0:07', '10:05', '2:02:02')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@dataclass(frozen=True)
class RunLook:
    """A run at one moment. loss: means of the batch loss over stretches of its steps; val_loss: the
    last one, None where there is none.

    layers, steps, profile: names, steps and the error signal's RMS, (step, layer). judged: the last
        step that the diagnosis knows of; None for no diagnosis yet. behind: bytes that are written
        and not read yet.
    """

    path: str
    pace: Pace
    loss: Sequence[float] = ()
    val_loss: float | None = None
    layers: Sequence[str] = ()
    steps: Sequence[int] = ()
    profile: Sequence[Sequence[float]] = ()
    diagnosis: Diagnosis | None = None
    judged: int = 0
    behind: int = 0

    @property
    def state(self) -> str:
        """What has been found so far, in a few words."""
        return (
            ""
            if self.diagnosis is None
            else "; ".join([self.diagnosis.state.name, *faults(self.diagnosis)])
        )


@dataclass(frozen=True)
class StudyLook:
    """A study at one moment. states: how many of the runs that ended came to what; last: the
    ones that ended last, with the state of each; behind: as of a run.
    """

    path: str
    pace: Pace
    states: Mapping[str, int] = field(default_factory=dict)
    last: Sequence[tuple[str, str]] = ()
    behind: int = 0

    @property
    def state(self) -> str:
        """The states of the runs with their numbers, the best first."""
        return ", ".join(
            f"{name} {self.states[name]}" for name in STATE_TONES if name in self.states
        )


Look = RunLook | StudyLook


def faults(diagnosis: Diagnosis) -> list[str]:
    """The cause, or what only says again how the run goes, as short as can be."""
    heads = [diagnosis.cause] if diagnosis.cause is not None else list(diagnosis.symptoms)
    return [named(finding) for finding in heads if finding is not None]


def line(look: Look) -> str:
    """A look on one line."""
    told = [f"{look.path}: {_pace(look)}"]
    if isinstance(look, RunLook) and len(look.loss):
        told.append(f"loss {f'{look.loss[-1]:.3g}'}")
    return "; ".join(filter(None, [", ".join(told), look.state]))


def _pace(look: Look) -> str:
    """How far it is, as far as the file has been read."""
    behind = f"; {math.ceil(look.behind / 1e6):,} MB more are to be read" if look.behind else ""
    return f"{look.pace}{behind}"


def screen(look: Look) -> Document:
    """A look as a screen of 24 lines at most, where it is 80 wide."""
    return Document("", _of_run(look) if isinstance(look, RunLook) else _of_study(look))


def stopped(where: str, look: Look | None, finding: Finding, diagnosis: Diagnosis) -> Document:
    """What made `--until error` end: the run that has the error, as far as it is known. look:
    None where it had ended before.
    """
    told = f"; {look.pace}" if look is not None else ""
    certain = Verdict(f"certain: {named(finding)}{told}", "bad", apart=True)
    pace = {"done": look and look.pace.done, "planned": look and look.pace.total}
    data = {
        "schema": SCHEMA,
        "kind": "certain",
        "path": where,
        **pace,
        "certain": finding.to_json(),
    }
    return Document(
        "", [*diagnosis_blocks(diagnosis, 1), certain], {**data, "diagnosis": diagnosis.to_json()}
    )


def _of_run(look: RunLook) -> list[Block]:
    facts: list[tuple[str, Any]] = [("trained", _pace(look))]
    if len(look.loss):
        validation = "" if look.val_loss is None else f", validation {f'{look.val_loss:.3g}'}"
        facts += [
            ("loss", f"{f'{look.loss[-1]:.3g}'}{validation}"),
            ("", Heights(_heights(look.loss))),
        ]
    blocks: list[Block] = [Verdict(f"{look.path} is being trained"), Facts(facts)]
    if look.layers and len(look.steps):
        blocks.append(
            StepMap(look.steps, look.layers, [LayerValues("error signal RMS", look.profile)])
        )
    if look.diagnosis is None:
        return [*blocks, Paragraph("no diagnosis yet")]
    diagnosis = look.diagnosis
    blocks.append(
        Verdict(f"at step {look.judged:,}: {diagnosis.state.sentence}", tone_of(diagnosis))
    )
    finding = diagnosis.cause or next(iter(diagnosis.symptoms), None)
    return [
        *blocks,
        *(
            []
            if finding is None
            else [
                Paragraph(
                    head(finding), "bad" if finding.severity == "error" else "warning", below=True
                )
            ]
        ),
    ]


def _of_study(look: StudyLook) -> list[Block]:
    blocks: list[Block] = [
        Verdict(f"{look.path} is being trained"),
        Facts([("trained", _pace(look))]),
    ]
    states = [
        (name, Toned(look.states[name], tone))
        for name, tone in STATE_TONES.items()
        if name in look.states
    ]
    blocks += [Facts(states)] if states else []
    return (
        [
            *blocks,
            Facts(
                [(id, Toned(state, STATE_TONES.get(state, "neutral"))) for id, state in look.last]
            ),
        ]
        if look.last
        else blocks
    )


def _heights(loss: Sequence[float]) -> list[float]:
    """Bars of the loss above its smallest, so that the curve is seen; what is not finite has
    none.
    """
    finite = [value for value in loss if math.isfinite(value)]
    if not finite:
        return []
    low, high = min(finite), max(finite)
    return [
        (value - low) / (high - low) + 1e-3 if high > low and math.isfinite(value) else 1e-3
        for value in loss
    ]
