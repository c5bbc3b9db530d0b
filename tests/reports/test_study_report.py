"""The table of a study's runs: as narrow as it can be without losing what tells the runs apart."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from dlprobe.render.document import Table
from dlprobe.reports.inspect_study import RunLine, overview


def line(id: str, status: str = "finished", **coordinates: Any) -> RunLine:
    return RunLine(id, coordinates, status, {"val_error": 0.5}, ("level", "vanishing"))


def header(*lines: RunLine) -> list[str]:
    study: Any = SimpleNamespace(
        path="study.h5", status="finished", damage=None, description={}, axes={}, table={}
    )
    (table,) = (block for block in overview(study, lines).blocks if isinstance(block, Table))
    return [column.name for column in table.columns]


def test_axis_that_the_id_says_already_has_no_column() -> None:
    assert header(
        line("relu-normal_std_1_-seed0", activation="relu", init="normal(std=1)", seed=0)
    ) == ["run", "at first", "at last", "val error"]


def test_axis_that_the_id_does_not_say_has_one() -> None:
    assert header(line("run_a", activation="relu"), line("run_b", activation="tanh"))[:2] == [
        "run",
        "activation",
    ]


def test_status_is_shown_where_it_differs() -> None:
    assert "status" in header(line("a"), line("b", status="diverged"))
    assert "status" not in header(line("a"), line("b"))


def test_empty_study_has_no_table() -> None:
    study: Any = SimpleNamespace(
        path="study.h5",
        status="running",
        damage=None,
        description={"experiment": "gradients"},
        axes={},
        table={},
    )
    assert not any(isinstance(block, Table) for block in overview(study, []).blocks)
