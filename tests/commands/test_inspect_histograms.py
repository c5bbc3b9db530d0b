"""inspect --statistic of histograms, tracked units and instruments; --histograms and --track
are their older names.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import dlprobe

from dlprobe import registry
from dlprobe.runs import open_single

WHATS = registry.get("instrument", "histogram").of
TRAIN = ("train", "--data", "wine", "--layers", "6,5,4,4,3", "--steps", "30", "--quiet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("histograms")
    asked = (
        "--track-unit",
        "hidden_1:2",
        "--track-unit",
        "output:0",
        "--jacobian",
        "3",
        "--sharpness",
        "30",
        "-o",
        str(path / "run.h5"),
    )
    assert dlprobe(*TRAIN, *asked).code == 0
    assert dlprobe(*TRAIN, "--histogram-every", "never", "-o", str(path / "without.h5")).code == 0
    return path


@pytest.fixture(autouse=True)
def _there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


@pytest.mark.parametrize("what", WHATS)
def test_a_few_layers_are_drawn_and_all_are_summed_up(what: str) -> None:
    out = dlprobe("inspect", "run.h5", "--statistic", f"{what}_histogram").out
    assert [line for line in out.splitlines() if line.endswith(f": {what}")] == [
        f"{name}: {what}" for name in ("hidden_1", "hidden_3", "hidden_4", "output")
    ]
    table = out[out.index("all layers, steps 0 and 29") :]
    assert all(name in table for name in ("hidden_1", "hidden_2", "hidden_5", "output"))
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("what", WHATS)
def test_json_holds_what_the_file_holds(what: str) -> None:
    data = dlprobe("inspect", "run.h5", "--statistic", f"{what}_histogram", "--format", "json").data
    with open_single(Path("run.h5")) as run:
        found = run.histograms(what)
        names = run.layers.names
    assert (data["histograms"], data["steps"], data["percents"]) == (
        what,
        found.steps.tolist(),
        [5, 15, 50, 85, 95],
    )
    assert [layer["name"] for layer in data["layers"]] == list(names)
    for index, layer in enumerate(data["layers"]):
        np.testing.assert_array_equal(layer["counts"], found.counts[:, index])
        np.testing.assert_allclose(layer["edges"], found.edges[:, index], rtol=1e-6)
        np.testing.assert_allclose(layer["percentiles"], found.percentiles[:, index], rtol=1e-6)


def test_one_layer_gets_its_percentiles() -> None:
    out = dlprobe(
        "inspect", "run.h5", "--statistic", "preactivation_histogram", "--layers", "hidden_2"
    ).out
    assert "percentiles of the preactivation" in out
    assert "• 5 %" in out
    assert "hidden_1" not in out
    assert out == dlprobe("inspect", "run.h5", "--histograms", "--layer", "hidden_2").out


@pytest.mark.parametrize("format", ["table", "markdown", "json"])
def test_tracked_units_are_shown(format: str) -> None:
    out = dlprobe(
        "inspect", "run.h5", "--statistic", "unit_percentiles", "--format", format
    ).out.replace("\\_", "_")  # Markdown escapes it
    assert "hidden_1:2" in out
    assert "output:0" in out


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, record in registry.records("instrument").items()
        if record.place.startswith("instruments/") or not record.place
    ],
)
def test_every_number_that_instruments_give_is_a_statistic(name: str) -> None:
    data = dlprobe("inspect", "run.h5", "--statistic", name, "--format", "json").data
    assert data["definition"] == registry.get("instrument", name).summary
    assert len(data["values"]) == len(data["steps"]) > 5
    assert name in dlprobe("inspect", "run.h5", "--statistic", name).out


@pytest.mark.parametrize("name", registry.records("instrument"))
def test_explain_says_what_switches_an_instrument_on_and_what_shows_it(name: str) -> None:
    out = " ".join(dlprobe("explain", name).out.split())
    record = registry.get("instrument", name)
    for text in (record.summary, record.asked, record.shown, record.use):
        assert text in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("without.h5", "--histograms"), "holds no histograms: train again with histogram_every"),
        (
            ("without.h5", "--statistic", "unit_percentiles"),
            "tracks no units: train again with --track-unit LAYER:UNIT",
        ),
        (
            ("run.h5", "--statistic", "weight_histogram", "--layers", "hidden_9"),
            "did you mean 'hidden_",
        ),
        (("run.h5", "--statistic", "weight_histogram", "--at", "end"), "leave --at out"),
        (("run.h5", "--layer", "hidden_1"), "give --histograms too"),
        (("run.h5", "--histograms", "--track"), "--histograms and --track are 2 views"),
    ],
)
def test_what_cannot_be_shown_is_said_in_one_line(options: tuple[str, ...], message: str) -> None:
    outcome = dlprobe("inspect", *options)
    assert outcome.code == 2
    assert message in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_a_journal_shows_its_histograms_too(folder: Path, tmp_path: Path) -> None:
    """A run that is killed leaves what was measured up to then."""
    from dlprobe.config import from_options
    from dlprobe.data import load, prepare
    from dlprobe.runs import RunWriter
    from dlprobe.training import describe, trainer

    config = from_options(
        None, {"data": "wine", "layers": "5", "steps": "9", "histogram_every": "2"}
    )
    session = trainer.start(config, prepare(load(config.data, 0), config.data, 0, "float32"))
    with (
        RunWriter.create(tmp_path / "dead.h5", describe.describe(session)) as writer,
        pytest.raises(RuntimeError, match="killed"),
    ):
        trainer.run(session, writer, progress=lambda told: _kill() if told.step == 5 else None)
    data = dlprobe("inspect", str(tmp_path / "dead.h5"), "--histograms", "--format", "json").data
    assert data["steps"] == [0, 2, 4]


def _kill() -> None:
    raise RuntimeError("killed")
