"""A document refuses blocks that do not fit together, where they are built and not where they
are drawn.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dlprobe.render import document as doc


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: doc.Table([], []), "needs a column"),
        (lambda: doc.Table([doc.Column("a")], [[1, 2]]), "row 0 has 2 cells for 1 columns"),
        (lambda: doc.HeatTable(["a"], ["5"], [], "ratio"), "0 rows of cells for 1 row names"),
        (lambda: doc.HeatTable(["a"], ["5"], [[]], "ratio"), "row 'a' has 0 cells for 1 columns"),
        (lambda: doc.HeatTable([], [], [], "ratio", low=1.0), "from below 0"),
        (lambda: doc.Series("loss", [1.0, 2.0], [1.0]), "2 x and 1 y"),
        (
            lambda: doc.Profile([doc.LayerSeries("step 0", [1.0])], ["hidden_1", "output"]),
            "1 values for 2 layers",
        ),
        (lambda: doc.Document("title", [], {"cells": []}), "'schema'"),
    ],
)
def test_blocks_that_do_not_fit_together_are_refused(
    build: Callable[[], object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build()
