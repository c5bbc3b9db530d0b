"""Every ordered list of a run stands once: names, positions and the file's table agree."""

from __future__ import annotations

import ast
import dataclasses

import numpy as np
import pytest
from package_trees import PACKAGE, trees

from dlprobe import registry
from dlprobe.nn import observe
from dlprobe.record import layout, scalars
from dlprobe.record.description import LayerFacts, RunFacts
from dlprobe.record.recorder import Recorder, Snapshots, TwoRecorders
from dlprobe.record.step import StepRow


def test_positions_of_scalars_are_those_of_their_names() -> None:
    named = {name: getattr(scalars, name.upper()) for name in scalars.SCALARS}
    assert list(named.values()) == list(range(len(scalars.SCALARS)))


def test_positions_of_statistics_in_kernels_are_those_of_their_names() -> None:
    assert [getattr(observe, name.upper()) for name in registry.records("statistic")] == list(
        range(len(registry.records("statistic")))
    )


def test_the_file_s_table_has_every_fact_in_its_order() -> None:
    assert layout.names("layers") == tuple(each.name for each in dataclasses.fields(LayerFacts))
    assert layout.names("facts") == tuple(each.name for each in dataclasses.fields(RunFacts))
    assert layout.names("scalars") == tuple(scalars.SCALARS)
    assert layout.names("stats") == ("step", "layer", *registry.records("statistic"))


def test_nobody_reads_the_stored_configuration_as_a_dict_of_texts() -> None:
    """`run.config` is shown, hashed and compared as a whole; what it says is asked of
    configuration, facts and layer_facts.
    """
    readers = []
    for path, tree in trees().items():
        for node in ast.walk(tree):
            what = node.func if isinstance(node, ast.Call) else node
            of = what.value if isinstance(what, ast.Attribute | ast.Subscript) else None
            looked_up = isinstance(node, ast.Subscript) or (
                isinstance(what, ast.Attribute)
                and isinstance(node, ast.Call)
                and what.attr in ("get", "items")
            )
            if (
                looked_up
                and isinstance(of, ast.Attribute)
                and of.attr == "config"
                and path.parent.name != "config"
            ):
                readers.append(
                    f"{path.relative_to(PACKAGE)} line {node.lineno}: {ast.unparse(node)}"
                )
    assert readers == []


def test_a_step_is_read_by_name_whatever_it_is_made_from() -> None:
    names = list(registry.records("statistic"))
    table = np.arange(3 * len(names), dtype=np.float32).reshape(3, len(names))
    table[:, names.index("dead_fraction")] = np.nan
    row = StepRow.of(7, table)
    np.testing.assert_array_equal(row["weight_rms"], table[:, names.index("weight_rms")])
    np.testing.assert_array_equal(row.hidden["weight_rms"], table[:2, names.index("weight_rms")])
    assert row.output("weight_rms") == table[2, names.index("weight_rms")]
    assert (row.step, row.hidden.step) == (7, 7)
    assert row.is_recorded("weight_rms")
    assert not row.is_recorded("dead_fraction")
    assert np.isnan(StepRow.blank(2)["weight_rms"]).all()
    table[:] = -1.0  # the engine's memory is used again
    assert row.output("weight_rms") != -1.0


def test_a_step_of_a_run_without_a_statistic_is_nan_not_an_error() -> None:
    row = StepRow(0, 3, {"weight_rms": np.ones(3)}.get, [1])
    assert np.isnan(row["error_signal_rms"]).all()
    np.testing.assert_array_equal(row.hidden["weight_rms"], [1.0])


@pytest.mark.parametrize(
    ("recorder", "takes"),
    [(Recorder(), False), (Snapshots(), False), (TwoRecorders(Recorder(), Snapshots()), False)],
)
def test_instruments_are_measured_only_for_who_keeps_them(recorder: Recorder, takes: bool) -> None:
    class Keeper(Recorder):
        def instruments(self, step: int, values: object) -> None: ...

    assert recorder.takes_instruments is takes
    assert TwoRecorders(recorder, Keeper()).takes_instruments
    recorder.rows(0, np.arange(0), np.empty((0, 1, 1)), np.empty((0, 1)), 0.0)
    recorder.evaluation_block(np.array([0]), {}, {})
    recorder.instruments(0, {})
    recorder.checkpoint(0, np.empty(0))
    recorder.end("finished", {}, {})
