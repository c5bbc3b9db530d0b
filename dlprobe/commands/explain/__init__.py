"""Explain a word, rule, option or page of the manual.

Without a name, the topics: words, the manual's pages, and what is registered. A word has a picture,
a formula and where dlprobe shows it. With the name of a kind, what there is of it. Formula,
parameters, source, use and traps of a thing come from its own record; an activation is plotted too,
with its mean-field numbers. Parameters can be filled in. Where several kinds have a name, kind:name
says which is meant; a page goes first.

Examples:
  dlprobe explain
  dlprobe explain vanishing
  dlprobe explain "error signal"
  dlprobe explain activation
  dlprobe explain "leaky_relu(slope=0.2)"
  dlprobe explain cross_entropy --example
  dlprobe explain error_signal_rms
  dlprobe explain batch size
  dlprobe explain activation:linear
  dlprobe explain N001
  dlprobe explain json
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from dlprobe import registry
from dlprobe.commands.base.arguments import option
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.explain.names import CONCEPT, KEY, PAGE, SCHEMA, complete_name, find_thing
from dlprobe.errors import ConfigError
from dlprobe.registry import Spec

if TYPE_CHECKING:
    from dlprobe.render.document import Document
    from dlprobe.reports.explanation import ActivationNumbers

LISTED = ("Learn", 1)
ALIASES = {"list": ()}
DRAWS = True  # its results have pictures, which --figure writes to files

Name = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME]",
        help="a name with parameters or without, kind:name, or a kind; without it, all topics",
        autocompletion=complete_name,
    ),
]


Example = Annotated[
    bool,
    option("--example", "a small example worked by hand, of a loss, the error, or a normalization"),
]


def command(name: Name = None, example: Example = False, *, screen: Screen) -> None:
    """Find, work out the numbers, show."""
    from dlprobe.analysis.worked_examples import worked_example
    from dlprobe.reports import guide
    from dlprobe.reports.concept import concept
    from dlprobe.reports.explanation import explanation
    from dlprobe.reports.lesson import lesson
    from dlprobe.reports.listing import one_kind

    def listed(kind: str) -> Document:
        keys = [key for key in registry.records(KEY).values() if key.kind == kind]
        return one_kind(kind, registry.records(kind), keys)

    text = " ".join(name or ())
    thing = find_thing(text) if name else None
    if example:
        screen.show(_example(thing))
    elif thing is None:
        shelves = {kind: registry.records(kind) for kind in registry.kinds()}
        screen.show(guide.topics(shelves.pop(PAGE), shelves.pop(CONCEPT), shelves))
    elif isinstance(thing, str):
        screen.show(listed(thing))
    elif thing.kind == PAGE and registry.tidied(text) in registry.kinds():
        screen.show(replace(guide.page(thing.record), data=listed(thing.name).data))
    else:
        own = {PAGE: guide.page, CONCEPT: concept, SCHEMA: guide.schema, "rule": lesson}
        shown = own.get(thing.kind)
        screen.show(
            shown(thing.record)
            if shown
            else explanation(thing, _activation_numbers(thing), worked_example(thing) is not None)
        )


def _example(thing: Spec | str | None) -> Document:
    """The worked example of a thing. Raises ConfigError where it has none, with those that have."""
    from dlprobe.analysis.worked_examples import EXAMPLES, worked_example
    from dlprobe.reports import worked_example as report

    example = worked_example(thing) if isinstance(thing, Spec) else None
    if example is None or not isinstance(thing, Spec):
        what = f"{thing} has no worked example" if thing else "--example needs a name"
        raise ConfigError(
            f"{what}: those are of {', '.join(f'{kind}:{name}' for kind, name in EXAMPLES)}"
        )
    return report.worked_example(thing, example)


def _activation_numbers(thing: Spec) -> ActivationNumbers | None:
    from dlprobe.parts.activations import Activation

    if not isinstance(thing.record, Activation):
        return None
    import numpy as np

    from dlprobe.analysis.theory.fixed_points import critical_sigma_w
    from dlprobe.analysis.theory.gaussian import moments, tabulate
    from dlprobe.reports.explanation import ActivationNumbers

    points = np.linspace(-4.0, 4.0, 161)
    values, slopes = tabulate(
        thing.record, tuple(float(value) for value in thing.parameters.values()), points
    )
    return ActivationNumbers(
        points.tolist(),
        values.tolist(),
        slopes.tolist(),
        moments(thing, 1.0),
        critical_sigma_w(thing),
    )
