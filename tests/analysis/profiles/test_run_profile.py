"""The depth profiles of a run: what the file holds, judged, with theory beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command_line import ROOT

from dlprobe import registry
from dlprobe.analysis.learning.loss_curve import smoothed
from dlprobe.analysis.profiles.run_profile import LEAST_KAPPA, run_profile, verdict_names
from dlprobe.analysis.theory.gaussian import moments
from dlprobe.config import from_options, parse_spec
from dlprobe.data import load, prepare
from dlprobe.parts.activations import Activation
from dlprobe.runs import Run, RunWriter, open_single
from dlprobe.training import describe, trainer

Train = Callable[..., Run]


@pytest.fixture
def train(tmp_path: Path) -> Train:
    """A function that trains with option texts and opens the run."""

    def make(**options: str) -> Run:
        config = from_options(
            None,
            {
                "data": "gaussian(samples=100, features=64)",
                "layers": "64x8",
                "steps": "3",
                **options,
            },
        )
        session = trainer.start(
            config, prepare(load(config.data, 0), config.data, 0, config.training.dtype)
        )
        with RunWriter.create(
            tmp_path / "run.h5", describe.describe(session), force=True
        ) as writer:
            trainer.run(session, writer)
            return open_single(writer.pack())

    return make


def test_profiles_are_the_rows_of_the_file_without_the_output_layer(train: Train) -> None:
    run = train()
    found = run_profile(run)
    assert found is not None
    assert found.layers == tuple(f"hidden_{k}" for k in range(1, 9))
    assert (found.first.step, found.last.step) == (0, 2)
    np.testing.assert_array_equal(
        found.first.flow.error_signal_rms, run.statistic("error_signal_rms")[0, :-1]
    )
    np.testing.assert_array_equal(
        found.last.flow.activation_variance, run.statistic("activation_variance")[2, :-1]
    )


@pytest.mark.parametrize(
    ("options", "verdict"),
    [
        ({}, "level"),
        ({"activation": "sigmoid"}, "vanishing"),
        ({"init": "normal(std=1)"}, "exploding"),
        ({"norm": "batch"}, "level"),
        ({"norm": "layer", "norm_position": "after"}, "level"),
    ],
)
def test_first_step_is_judged_as_theory_expects(
    options: dict[str, str], verdict: str, train: Train
) -> None:
    found = run_profile(train(**options))
    assert found is not None
    assert found.theory is not None
    assert found.first.verdict.verdict == verdict
    band = found.theory.log10_error_signal_ratio
    assert (
        band.low - 0.3 < found.first.verdict.log10_ratio < band.high + 0.3
    )  # 64 units and a batch of 32 are not wide


@pytest.mark.parametrize(
    "name", ["healthy", "vanishing", "exploding", "diverged", "saturated", "lost"]
)
def test_verdicts_alone_are_those_of_the_profile(name: str) -> None:
    with open_single(ROOT / "sample_runs" / f"{name}.h5") as run:
        profile = run_profile(run)
        assert profile is not None
        assert verdict_names(run) == (profile.first.verdict.verdict, profile.last.verdict.verdict)


def test_no_activation_has_a_kappa_below_that_of_a_linear_one() -> None:
    """Jensen: E φ'⁴ is at least (E φ'²)², so κ = 3 E φ'⁴/(E φ'²)² − 1 is at least 2, and the
    band of 2 is the narrowest.
    """
    for name, record in registry.records("activation").items():
        if isinstance(record, Activation):
            found = [moments(parse_spec("activation", name), q).kappa for q in (0.01, 1.0, 30.0)]
            assert min(
                [kappa for kappa in found if not np.isnan(kappa)], default=LEAST_KAPPA
            ) >= LEAST_KAPPA * (1 - 1e-12), name


def test_theory_sees_the_biases_that_the_run_drew(train: Train) -> None:
    plain, biased = (
        run_profile(train(**options))
        for options in (
            {"activation": "tanh"},
            {"activation": "tanh", "bias_init": "normal(std=0.5)"},
        )
    )
    assert plain is not None
    assert biased is not None
    assert plain.theory is not None
    assert biased.theory is not None
    assert biased.theory.preactivation_mean_square[0] == pytest.approx(
        plain.theory.preactivation_mean_square[0] + 0.25
    )


def test_diverged_run_names_the_step_and_layer(train: Train) -> None:
    found = run_profile(train(optimizer="sgd", lr="1e30", steps="5"))
    assert found is not None
    assert found.first.verdict.verdict == "level"
    assert found.last.verdict.verdict == "diverged"
    assert "at step 1, forward in hidden_" in found.last.verdict.reason


def test_net_without_hidden_layers_has_nothing_to_compare(train: Train) -> None:
    found = run_profile(train(layers=""))
    assert found is not None
    assert found.layers == ()
    assert found.theory is None
    assert found.first.verdict.verdict == "not evaluated"


def test_activation_of_a_newer_version_is_judged_without_theory(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train()
    columns = dict(run.layers.columns)
    columns["activation"] = ("not_yet_known",) * 9
    monkeypatch.setitem(run.__dict__, "layers", type(run.layers)(run.layers.names, columns))
    found = run_profile(run)
    assert found is not None
    assert found.theory is None
    assert found.first.verdict.verdict == "level"


def test_file_that_says_little_of_its_layers_is_judged_all_the_same(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train()
    monkeypatch.setitem(
        run.__dict__,
        "layers",
        type(run.layers)(
            run.layers.names, {"name": run.layers.names, "units": run.layers["units"]}
        ),
    )
    found = run_profile(run)
    assert found is not None
    assert found.theory is None
    assert found.first.verdict.verdict == "level"


def test_smoothed_curve_keeps_the_mean_and_the_order() -> None:
    values = np.random.default_rng(1).random(1000)
    curve = smoothed(np.arange(1000), values, 64)
    assert len(curve.steps) == 64
    assert (np.diff(curve.steps) > 0).all()
    sizes = np.diff([*np.unique(np.linspace(0, 1000, 64, endpoint=False).astype(int)), 1000])
    assert np.average(curve.values, weights=sizes) == pytest.approx(values.mean())


@pytest.mark.parametrize("count", [0, 1, 2, 99, 101])
def test_short_curves_are_what_they_are(count: int) -> None:
    curve = smoothed(range(count), range(count))
    assert len(curve.steps) == min(count, 100)
    if count <= 100:
        np.testing.assert_array_equal(curve.values, range(count))


@pytest.mark.parametrize(
    "written",
    [
        {"noise": [1]},
        {"input_noise": {"std": 1}},
        {"dropout": True},
        {"dropout": -1.0},
        {"drop_connect": "much"},
    ],
)
def test_settings_that_no_net_could_have_leave_the_profile_without_theory(
    written: dict[str, object], train: Train
) -> None:
    """The configuration in a file is whatever somebody wrote there."""
    run = train()
    run.config["model"].update(written)
    found = run_profile(run)
    assert found is not None
    assert found.theory is None
