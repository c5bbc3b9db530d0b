"""List what there is: activations, initializers, losses, data sets …

Without a kind, the names of all kinds; with one, what each thing is and which parameters it takes.

Examples:
  dlprobe list
  dlprobe list activation
  dlprobe list data --format json
"""

from __future__ import annotations

from typing import Annotated

import typer

from dlprobe.commands.base.names import complete_kind, find_kind
from dlprobe.commands.base.screen import Screen

Kind = Annotated[str | None, typer.Argument(metavar="KIND", help="one kind of things; without it, all kinds", autocompletion=complete_kind)]


def command(kind: Kind = None, *, screen: Screen) -> None:
    """Look up, show."""
    from dlprobe import registry
    from dlprobe.reports.listing import all_kinds, one_kind

    if kind is None:
        screen.show(all_kinds({each: registry.records(each) for each in registry.kinds()}))
    else:
        found = find_kind(kind)
        screen.show(one_kind(found, registry.records(found)))
