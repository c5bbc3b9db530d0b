"""Show a page of the manual, or explain a rule, activation, optimizer, statistic …

Without a name, the topics: the manual's pages, and what is registered. Formula, parameters, source, use and traps of a thing come from its own record; an
activation is plotted too, with its mean-field numbers. Parameters can be filled in. Where several kinds have a name, kind:name says which is meant; a page
goes first.

Examples:
  dlprobe explain
  dlprobe explain json
  dlprobe explain relu
  dlprobe explain "leaky_relu(slope=0.2)"
  dlprobe explain error_signal_rms
  dlprobe explain activation:linear
  dlprobe explain N001
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dlprobe import registry
from dlprobe.commands.base.names import PAGE, complete_name, find_thing
from dlprobe.commands.base.screen import Screen

if TYPE_CHECKING:
    from dlprobe.registry import Spec
    from dlprobe.reports.explanation import ActivationNumbers

DRAWS = True  # its results have pictures, which --figure writes to files
Name = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="a page, or a name with parameters or without, or kind:name; without it, all topics", autocompletion=complete_name),
]


def command(name: Name = None, *, screen: Screen) -> None:
    """Find, work out the numbers, show."""
    from dlprobe.reports import guide
    from dlprobe.reports.explanation import explanation
    from dlprobe.reports.lesson import lesson

    if name is None:
        shelves = {kind: registry.records(kind) for kind in registry.kinds()}
        screen.show(guide.topics(shelves.pop(PAGE), shelves))
        return
    thing = find_thing(name)
    own = {PAGE: guide.page, "schema": guide.schema, "rule": lesson}
    screen.show(own[thing.kind](thing.record) if thing.kind in own else explanation(thing, _activation_numbers(thing)))


def _activation_numbers(thing: Spec) -> ActivationNumbers | None:
    """Curve and Gaussian averages of an elementwise activation; None for everything else."""
    from dlprobe.parts.activations import Activation

    if not isinstance(thing.record, Activation):
        return None
    import numpy as np

    from dlprobe.analysis.theory.fixed_points import critical_sigma_w
    from dlprobe.analysis.theory.gaussian import moments, tabulate
    from dlprobe.reports.explanation import ActivationNumbers

    points = np.linspace(-4.0, 4.0, 161)
    values, slopes = tabulate(thing.record, tuple(float(value) for value in thing.parameters.values()), points)
    return ActivationNumbers(points.tolist(), values.tolist(), slopes.tolist(), moments(thing, 1.0), critical_sigma_w(thing))
