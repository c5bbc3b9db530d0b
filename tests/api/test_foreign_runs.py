"""A run that another program trained and wrote through the public writer is read, judged and
compared like one of dlprobe's own; training it is refused.
"""

from __future__ import annotations

import json
from pathlib import Path

import foreign_runs
import numpy as np
import pytest
from command_line import dlprobe

from dlprobe.analysis.learning.reading import learning
from dlprobe.api import LayerFacts, RunDescription, RunFacts, create_run, open_run
from dlprobe.errors import ConfigError, RunFileError
from dlprobe.rules import judge
from dlprobe.runs import Run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("foreign")
    for kind in ("vanishing", "healthy"):
        foreign_runs.write(where / f"{kind}.h5", kind)
    return where


def opened(path: Path) -> Run:
    run = open_run(path)
    assert isinstance(run, Run)
    return run


def test_what_was_written_is_read_and_nothing_else_is_there(folder: Path) -> None:
    with opened(folder / "healthy.h5") as run:
        assert run.origin == "torch"
        assert run.statistics == foreign_runs_in_order()
        assert run.scalars == ("batch_loss",)
        assert (run.configuration, run.facts, run.initial_parameters, run.final_parameters) == (
            None,
            RunFacts(),
            None,
            None,
        )
        assert run.layer_facts == tuple(
            LayerFacts(name) for name in ("encoder.0", "encoder.1", "encoder.2", "head")
        )
        assert not run.is_recorded("gradient_norm")
        with pytest.raises(RunFileError, match=r"holds no gradient_norm: it was not recorded$"):
            run.scalar("gradient_norm")
        assert run.content_sha256 == run.computed_content_sha256()


def foreign_runs_in_order() -> tuple[str, ...]:
    from dlprobe import registry

    return tuple(name for name in registry.records("statistic") if name in foreign_runs.STATISTICS)


def test_vanishing_is_found_and_health_is_not_accused(folder: Path) -> None:
    ill, well = (
        dlprobe("check", str(folder / f"{kind}.h5"), "--format", "json")
        for kind in ("vanishing", "healthy")
    )
    assert (ill.code, well.code) == (1, 0)
    assert "G001" in [found["code"] for found in json.loads(ill.out)["runs"][0]["findings"]]
    assert json.loads(well.out)["runs"][0]["findings"] == []
    assert {"G001", "G005", "L002", "L003", "L004"} <= set(
        json.loads(well.out)["runs"][0]["passed"]
    )


def test_remedies_of_a_run_without_configuration_are_words(folder: Path) -> None:
    with opened(folder / "vanishing.h5") as run:
        remedies = [remedy for finding in judge(run).findings for remedy in finding.remedies]
    assert remedies
    assert all(remedy.patch == {} for remedy in remedies)
    shown = dlprobe("check", str(folder / "vanishing.h5"))
    assert "Try batch normalization of 10 hidden layers" in " ".join(shown.out.split())
    assert "try :" not in shown.out


def test_a_column_of_nan_is_not_recorded_whoever_asks(tmp_path: Path) -> None:
    """gradient_norm of NaN was judged "exploding, began at nan"."""
    scalars = ("batch_loss", "gradient_norm", "learning_rate")
    path = foreign_runs.write(tmp_path / "nan.h5", "vanishing", scalars=scalars)
    with opened(path) as run:
        assert run.scalars == ("batch_loss",)
        judgement = judge(run)
    assert {"G002", "G004"}.isdisjoint(finding.code for finding in judgement.findings)
    assert (
        judgement.not_evaluated["G002"]
        == judgement.not_evaluated["G004"]
        == "gradient_norm was not recorded"
    )
    outcome = dlprobe("inspect", str(path), "--statistic", "gradient_norm")
    assert (outcome.code, "did not record gradient_norm" in outcome.err) == (2, True)


def test_inspect_says_what_is_known_and_no_more(folder: Path) -> None:
    shown = dlprobe("inspect", str(folder / "vanishing.h5"), "--details")
    assert shown.code == 0
    for words in (
        "torch: PyTorch trained it",
        "11 layers, encoder.0 … head",
        "11 statistics of 11 layers at 120 steps",
        "of encoder.0 is",
        "vanishing",
    ):
        assert words in " ".join(shown.out.split())
    assert not [word for word in ("None", "nan", "hidden_1", "digits", "adam") if word in shown.out]


def test_diff_of_two_names_what_differs(folder: Path) -> None:
    shown = dlprobe("diff", str(folder / "healthy.h5"), str(folder / "vanishing.h5"))
    assert shown.code == 0
    assert "new: variance-collapse (A003), vanishing-gradient (G001)" in " ".join(shown.out.split())
    assert "layers.name" in shown.out


@pytest.mark.parametrize(
    "command",
    [
        ["train", "{}"],
        ["train", "{}", "--dry-run"],
        ["prescribe", "{}"],
        ["check", "{}", "--prove"],
        ["bias-variance", "{}", "--replicas", "3"],
        ["lr-find", "{}"],
        ["inspect", "{}", "--show", "config"],
    ],
    ids=lambda command: " ".join(command),
)
def test_what_needs_a_configuration_is_refused_in_one_line(
    command: list[str], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`dlprobe train foreign.h5` silently trained digits."""
    monkeypatch.chdir(tmp_path)
    outcome = dlprobe(*(each.format(folder / "vanishing.h5") for each in command))
    assert (outcome.code, outcome.out) == (2, "")
    assert len(outcome.err.strip().splitlines()) == 1
    assert "was trained by another program (origin torch)" in outcome.err
    assert "dlprobe check" in outcome.err
    assert not list(tmp_path.iterdir())


def test_learning_is_told_from_windows_of_the_batch_loss_where_nothing_else_is_there(
    tmp_path: Path,
) -> None:
    """A loss of 1, 2, … 100 and four times noise of 1000: the medians of ten windows of ten are
    5.5, 15.5, … as noise does not move a median.
    """
    loss = np.arange(1.0, 101.0)
    loss[[3, 33, 63, 93]] = [
        1000.0,
        1000.0,
        1000.0,
        1000.0,
    ]  # above the window's median, as what stood there was not: half a place up
    with create_run(
        tmp_path / "a.h5",
        RunDescription([LayerFacts("one"), LayerFacts("out")], origin="arrays", statistics=()),
    ) as writer:
        for step, value in enumerate(loss):
            writer.step(step, {}, {"batch_loss": float(value)})
        path = writer.finish()
    with opened(path) as run:
        found = learning(run)
        outcome = judge(run)
    assert found is not None
    assert not found.evaluated
    np.testing.assert_array_equal(found.steps, np.arange(5, 100, 10))
    np.testing.assert_array_equal(found.loss, [np.median(part) for part in np.split(loss, 10)])
    assert found.updates == 100
    (diverging,) = [finding for finding in outcome.findings if finding.code == "L002"]
    assert diverging.measured == pytest.approx(95.5 / 6.5, rel=0.02)


def test_where_nothing_of_gradients_activations_and_learning_was_recorded_check_exits_2(
    tmp_path: Path,
) -> None:
    description = RunDescription(
        [LayerFacts("one"), LayerFacts("two"), LayerFacts("out")],
        origin="keras",
        statistics=("weight_rms",),
        scalars=(),
    )
    with create_run(tmp_path / "a.h5", description) as writer:
        for step in range(5):
            writer.step(step, {"weight_rms": [1.0, 1.0, 1.0]}, {})
        path = writer.finish()
    outcome = dlprobe("check", str(path))
    assert outcome.code == 2
    assert "the run was never evaluated, and its batch_loss was not recorded" in outcome.err
    assert dlprobe("inspect", str(path)).code == 0


def test_facts_that_are_given_are_judged_by(tmp_path: Path) -> None:
    """Remedies name the rate that was recorded; what the run has already is no remedy."""
    layers = [
        LayerFacts(name, fan_in=8, fan_out=8, units=8, activation="relu", normalization="batch")
        for name in ("one", "two", "out")
    ]
    facts = RunFacts(batch_size=16, optimizer="sgd", momentum=0.0, learning_rate=0.25)
    description = RunDescription(
        layers,
        origin="torch",
        facts=facts,
        statistics=("error_signal_rms",),
        scalars=("batch_loss", "learning_rate"),
    )
    with create_run(tmp_path / "a.h5", description) as writer:
        for step in range(200):
            writer.step(
                step,
                {"error_signal_rms": [1e-5, 1e-2, 1.0]},
                {"batch_loss": 1.0 + step, "learning_rate": 0.5},
            )
        path = writer.finish()
    with opened(path) as run:
        assert run.facts == facts
        assert run.layer_facts == tuple(layers)
        found = {
            finding.code: [remedy.why for remedy in finding.remedies]
            for finding in judge(run).findings
        }
    assert found["L002"][0].startswith(
        "a learning rate of 0.01 in place of 0.5: "
    )  # of SGD, whose usual rate is less than a tenth
    assert not [why for why in found["G001"] if why.startswith(("ReLU", "batch"))]


def test_layers_of_which_one_is_not_known_are_read_as_they_were_given(tmp_path: Path) -> None:
    layers = (
        LayerFacts("conv", activation="relu", dropout=0.5),
        LayerFacts("linear", fan_in=4, fan_out=3, units=3, bias_initializer=""),
        LayerFacts("out"),
    )
    with create_run(tmp_path / "a.h5", RunDescription(layers, origin="torch")) as writer:
        path = writer.finish()
    with opened(path) as run:
        assert run.layer_facts == layers


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: RunDescription([], origin="torch"), "layers: .* found none"),
        (lambda: RunDescription([LayerFacts("a"), LayerFacts("a")], origin="torch"), "'a' twice"),
        (
            lambda: RunDescription([LayerFacts("a")], origin="pytorch"),
            "unknown origin 'pytorch': did you mean 'torch'",
        ),
        (lambda: RunDescription([LayerFacts("a")]), "initial_parameters: .* found none"),
        (
            lambda: RunDescription([LayerFacts("a")], origin="torch", config={"model": {}}),
            "give facts",
        ),
        (
            lambda: RunDescription([LayerFacts("a")], origin="torch", statistics=["weight_rm"]),
            "did you mean 'weight_rms'",
        ),
        (lambda: LayerFacts(""), "no name"),
        (lambda: LayerFacts("a", fan_in=0), "layer a: fan_in is 0"),
    ],
)
def test_a_wrong_description_names_what_is_wrong(wrong: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        wrong()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("statistics", "scalars", "words"),
    [
        (
            {"weight_rms": [1.0]},
            {},
            r"weight_rms has shape \(1,\), expected \(2,\): one number for each layer",
        ),
        ({"weight_l2": [1.0, 2.0]}, {}, "unknown statistic 'weight_l2'"),
        ({}, {"batch_los": 1.0}, "did you mean 'batch_loss'"),
        ({}, {"batch_loss": [1.0, 2.0]}, "batch_loss is not a number"),
    ],
)
def test_a_wrong_row_names_what_is_wrong(
    statistics: dict[str, list[float]], scalars: dict[str, float], words: str, tmp_path: Path
) -> None:
    description = RunDescription(
        [LayerFacts("one"), LayerFacts("out")],
        origin="arrays",
        statistics=["weight_rms"],
        scalars=["batch_loss"],
    )
    with (
        create_run(tmp_path / "a.h5", description) as writer,
        pytest.raises(ValueError, match=words),
    ):
        writer.step(0, statistics, scalars)


def test_the_origin_of_a_run_in_its_journal_is_that_of_its_file(tmp_path: Path) -> None:
    with create_run(tmp_path / "a.h5", foreign_runs.description(2)) as writer:
        writer.step(0, {"weight_rms": [1.0, 1.0, 1.0]}, {"batch_loss": 1.0})
        writer.flush()
        with opened(tmp_path / "a.h5.journal") as live:
            assert (live.origin, live.status, live.statistics) == (
                "torch",
                "running",
                ("weight_rms",),
            )
        writer.finish("interrupted")
    with opened(tmp_path / "a.h5") as run:
        assert (run.origin, run.status, run.statistics) == ("torch", "interrupted", ("weight_rms",))
        with pytest.raises(ConfigError, match="origin torch"):
            run.required_configuration()
