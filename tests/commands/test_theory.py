"""theory: the numbers of the papers, other nets, and a measured run laid over the prediction."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from command_line import Outcome, dlprobe

WIDE = (
    "--data",
    "gaussian(samples=64, features=512, classes=2)",
    "--scaling",
    "none",
    "--layers",
    "512x10",
)


def theory(*arguments: str) -> Outcome:
    return dlprobe("theory", *arguments, "--format", "json", "--quiet")


def test_record_begins_with_the_promised_keys() -> None:
    found = json.loads(theory(*WIDE, "--activation", "tanh").out)
    assert list(found)[:7] == ["schema", "q_star", "chi_1", "xi_q", "xi_c", "xi_gradient", "layers"]
    assert found["schema"] == "dlprobe-theory/1"
    keys = {
        "q",
        "activation_mean_square",
        "activation_variance",
        "error_signal_rms_relative",
        "low",
        "high",
    }
    assert all(keys <= set(layer) for layer in found["layers"])
    assert len(found["layers"]) == 10


def test_published_points() -> None:
    """tanh σ_w = 1.5, σ_b = 0: q* = .79335404, χ = 1.13932322, ξ_c = 17.05; at σ_b = .3 the
    edge of chaos lies at 1.395584.
    """
    found = theory(
        *WIDE, "--activation", "tanh", "--init", "mean_field(sigma_w=1.5)", "--sigma-b", "0.3"
    ).data
    assert (found["q_star"], found["chi_1"]) == pytest.approx((0.79335404, 1.13932322), abs=1e-7)
    assert found["xi_c"] == pytest.approx(17.05, abs=0.01)
    assert found["regime"] == "chaotic"
    assert found["edges"][0]["sigma_w"] == pytest.approx(1.395584, abs=1e-6)


@pytest.mark.parametrize(
    ("activation", "init", "expected"),
    [
        ("relu", "glorot_normal", -1.355),
        ("tanh", "glorot_normal", -0.551),
        ("relu", "he_normal", 0.0),
        ("sigmoid", "glorot_normal", -5.693),
    ],
)
def test_profiles_of_the_textbook_nets(activation: str, init: str, expected: float) -> None:
    found = theory(*WIDE, "--activation", activation, "--init", init).data
    square = (
        1.0 if activation in ("relu",) else None
    )  # of a homogeneous activation the inputs' mean square does not matter
    first = found["layers"][0]
    assert math.log10(first["error_signal_rms_relative"]) == pytest.approx(
        expected, abs=1e-3 if square else 0.02
    )
    assert first["low"] < first["error_signal_rms_relative"] < first["high"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--activation", "glu", "--layers", "8,8"), "glu mixes the units of a row"),
        (("--init", "lsuv", "--layers", "8,8"), "known only when measured"),
        (("--layers", ""), "no hidden layer"),
        (("--layers", "8,8,8", "--residual", "rezero"), "factor 0"),
    ],
)
def test_where_theory_does_not_apply_it_says_why(options: tuple[str, ...], reason: str) -> None:
    outcome = theory("--data", "wine", *options)
    assert outcome.code == 0
    assert outcome.data["applicable"] is False
    assert reason in outcome.data["reason"]
    assert outcome.data["q_star"] is None
    assert dlprobe("theory", "--data", "wine", *options).out.count("not applicable") == 1


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--norm", "batch"),
        ("--norm", "layer", "--norm-position", "after"),
        ("--residual", "yes"),
        ("--dropout", "0.3"),
    ],
)
def test_measured_run_stays_inside_its_band(options: tuple[str, ...], tmp_path: Path) -> None:
    run = str(tmp_path / "run.h5")
    data = (
        "--data",
        "gaussian(samples=400, features=100, classes=2)",
        "--batch-size",
        "200",
        "--split",
        "100,0,0",
        "--evaluate-every",
        "never",
    )
    net = (
        "--layers",
        "100x5",
        "--activation",
        "tanh",
        "--steps",
        "1",
        "--lr",
        "0",
        "--histogram-every",
        "never",
    )
    assert dlprobe("train", *data, *net, *options, "-o", run, "--quiet").code == 0
    found = theory("--against", run).data
    assert found["applicable"]
    assert found["against"]["outside"] == []
    deviations = [
        layer["deviations"]["activation_mean_square"] for layer in found["against"]["layers"]
    ]
    assert "inside the finite-width band" in dlprobe("theory", "--against", run).out
    if not options:
        assert all(math.isfinite(off) for off in deviations)
        other = theory(
            "--against", run, "--init", "mean_field(sigma_w=3)"
        ).data  # what was trained has σ_w = 1
        assert "activation_mean_square" in {
            each["quantity"] for each in other["against"]["outside"]
        }


def test_heavy_tails_are_no_departure_from_theory(tmp_path: Path) -> None:
    """One sample in thirty is 100 times as large: a batch of 8 has another mean square than
    all, by far more than 2,000 units fluctuate.
    """
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((200, 20)) * np.where(rng.random(200) < 0.03, 100.0, 1.0)[:, None]
    np.savez(tmp_path / "tails.npz", x=inputs, y=rng.integers(0, 2, 200))
    run = str(tmp_path / "run.h5")
    net = (
        "--layers",
        "2000,20",
        "--scaling",
        "none",
        "--batch-size",
        "8",
        "--activation",
        "relu",
        "--steps",
        "1",
        "--lr",
        "0",
    )
    trained = dlprobe(
        "train",
        "--data",
        str(tmp_path / "tails.npz"),
        *net,
        "--histogram-every",
        "never",
        "-o",
        run,
        "--quiet",
    )
    assert trained.code == 0, trained.err
    found = theory("--against", run).data["against"]
    assert not 0.8 < found["input_mean_square"] / np.mean(inputs**2) < 1.25
    assert found["outside"] == []


def test_overflow_leaves_the_band_and_training_is_told_apart(tmp_path: Path) -> None:
    run = str(tmp_path / "run.h5")
    small = (
        "--data",
        "wine",
        "--histogram-every",
        "never",
        "--evaluate-every",
        "never",
        "--quiet",
        "-o",
        run,
    )
    assert dlprobe(
        "train",
        *small,
        "--layers",
        "50x40",
        "--activation",
        "relu",
        "--init",
        "normal(std=2)",
        "--steps",
        "1",
    ).code in (0, 1)
    found = theory("--against", run).data["against"]
    layers = [
        each["layer"] for each in found["outside"] if each["quantity"] == "activation_mean_square"
    ]
    assert layers[-1] == "hidden_40"
    assert "is not finite" in " ".join(dlprobe("theory", "--against", run).out.split())
    assert dlprobe(
        "train",
        *small,
        "--layers",
        "20,20",
        "--optimizer",
        "sgd",
        "--lr",
        "30",
        "--steps",
        "60",
        "--force",
    ).code in (0, 1)
    last = theory("--against", run).data["against"]["last"]
    assert last["step"] > 0
    assert last["outside"]
    assert f"At its last recorded step, {last['step']}, it leaves the band" in " ".join(
        dlprobe("theory", "--against", run).out.split()
    )


def test_batch_of_one_says_what_is_missing(tmp_path: Path) -> None:
    run = str(tmp_path / "run.h5")
    assert (
        dlprobe(
            "train",
            "--data",
            "wine",
            "--layers",
            "9,9",
            "--batch-size",
            "1",
            "--steps",
            "1",
            "-o",
            run,
            "--quiet",
        ).code
        == 0
    )
    assert "E a² is missing" in dlprobe("theory", "--against", run).out


def test_run_of_another_depth_is_refused(tmp_path: Path) -> None:
    run = str(tmp_path / "run.h5")
    assert (
        dlprobe(
            "train", "--data", "wine", "--layers", "5,4", "--steps", "1", "-o", run, "--quiet"
        ).code
        == 0
    )
    outcome = dlprobe("theory", "--against", run, "--layers", "5,4,3")
    assert outcome.code == 2
    assert "2 hidden layers, the configuration 3" in outcome.err


def test_maps_pass_through_the_fixed_points() -> None:
    """ReLU + He: q stays q; the correlation map is (√(1 − c²) + c(π − arccos c))/π (Cho & Saul
    2009), which takes 0 to 1/π.
    """
    found = theory(*WIDE, "--activation", "relu", "--init", "he_normal").data
    assert all(after == pytest.approx(before) for before, after in found["q_map"])
    expected = [
        (math.sqrt(1 - c * c) + c * (math.pi - math.acos(c))) / math.pi for c, _ in found["c_map"]
    ]
    assert [after for _, after in found["c_map"]] == pytest.approx(expected, abs=1e-6)
    assert "q-map" in dlprobe("theory", *WIDE, "--maps").out


def test_edge_that_nets_leave_and_signal_that_dies_are_said() -> None:
    """GELU at q → 0: E φ² grows faster than q, so that q leaves the point at which χ_1 = 1."""
    found = theory(
        *WIDE, "--activation", "gelu", "--init", "mean_field(sigma_w=1.2)", "--sigma-b", "1"
    ).data
    assert (found["critical"]["stable"], found["edges"][0]["stable"]) == (False, True)
    assert (found["q_star"], found["xi_c"]) == (
        0.0,
        pytest.approx(-1 / math.log(1.2**2 / 4), rel=1e-3),
    )
    out = dlprobe("theory", *WIDE, "--activation", "gelu", "--init", "mean_field(sigma_w=1.2)").out
    assert "unstable" in out
    assert "the signal dies out" in out


def test_activation_that_jumps_is_told_apart() -> None:
    out = dlprobe("theory", *WIDE, "--activation", "hard_shrink").out
    assert "hard_shrink jumps, which gradients do not see" in " ".join(out.split())


@pytest.mark.parametrize("wrong", ["x", "-1", "nan", "1e300"])
def test_sigma_b_that_is_no_number_is_one_clear_line(wrong: str) -> None:
    outcome = dlprobe("theory", "--sigma-b", f"0,{wrong}")
    assert (outcome.code, outcome.errors) == (
        2,
        [
            (
                f"error: --sigma-b {wrong!r}: expected numbers from 0 to 1000 with commas, e.g. "
                "--sigma-b 0,0.1,0.3"
            )
        ],
    )


@pytest.mark.parametrize(
    "init",
    [
        "mean_field(sigma_w=1e90)",
        "mean_field(sigma_w=1e-70)",
        "mean_field(sigma_b=1e80)",
        "normal(std=1e200)",
    ],
)
@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu", "exponential"])
def test_absurd_weights_are_no_error(activation: str, init: str) -> None:
    assert (
        theory(
            "--data", "wine", "--layers", "20x5", "--activation", activation, "--init", init
        ).code
        == 0
    )
