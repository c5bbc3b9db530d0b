"""explain: a thing from its own record, with the numbers of theory beside an activation."""

from __future__ import annotations

import pytest
from command_line import dlprobe

from dlprobe import registry

# E φ², Var φ, E φ'² over z ~ N(0, 1): published closed forms and quadrature
MEAN_FIELD = {
    "relu": (0.5, 0.3408450569, 0.5),
    "tanh": (0.3942944904, 0.3942944904, 0.4644029024),
    "sigmoid": (0.2933790359, 0.0433790359, 0.0448362414),
    "selu": (1.0, 1.0, 1.0715749925),
    "leaky_relu(slope=0.2)": (0.52, 0.52 - 0.8**2 / (2 * 3.141592653589793), 0.52),
}


@pytest.mark.parametrize("name", MEAN_FIELD)
def test_activation_has_its_mean_field_numbers(name: str) -> None:
    found = dlprobe("explain", name, "--format", "json").data["mean_field"]
    square, variance, slope = MEAN_FIELD[name]
    assert found["mean_square"] == pytest.approx(square, abs=1e-9)
    assert found["variance"] == pytest.approx(variance, abs=1e-9)
    assert found["slope_mean_square"] == pytest.approx(slope, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "sigma_w"),
    [
        ("relu", 2**0.5),
        ("tanh", 1.0),
        ("erf", 3.141592653589793**0.5 / 2),
        ("leaky_relu(slope=0.2)", (2 / 1.04) ** 0.5),
        ("activation:exponential", 2.718281828459045**-1),
    ],
)
def test_activation_has_its_edge_of_chaos_without_bias(name: str, sigma_w: float) -> None:
    """χ₁ = 1: 1/φ'(0) of odd saturating ones, √(2/(1 + a²)) of leaky rectifiers, 1/e at q* = 1
    of the exponential function.
    """
    assert dlprobe("explain", name, "--format", "json").data["mean_field"][
        "critical_sigma_w"
    ] == pytest.approx(sigma_w, rel=1e-6)


@pytest.mark.parametrize("name", ["softplus", "soft_shrink", "hard_shrink", "tanh_shrink"])
def test_activation_without_edge_of_chaos_says_so(name: str) -> None:
    """Var W that keeps the gradient makes q grow without end (softplus) or shrink to nothing
    (shrinkage).
    """
    assert (
        dlprobe("explain", name, "--format", "json").data["mean_field"]["critical_sigma_w"] is None
    )
    assert "critical σ_w  none" in dlprobe("explain", name).out


@pytest.mark.parametrize("name", ["activation:softmax", "glu"])
def test_activation_of_a_row_has_no_mean_field(name: str) -> None:
    result = dlprobe("explain", name)
    assert "mean_field" not in dlprobe("explain", name, "--format", "json").data
    assert "no slope of its own" in " ".join(result.out.split())


@pytest.mark.parametrize("name", registry.records("activation"))
def test_every_activation_has_its_page(name: str) -> None:
    record = registry.get("activation", name)
    data = dlprobe("explain", f"activation:{name}", "--format", "json").data
    for key in ("formula", "slope_formula", "use", "traps", "source"):
        assert data[key] == getattr(record, key)
    assert (
        max(len(line) for line in dlprobe("explain", f"activation:{name}").out.splitlines()) <= 80
    )


def test_activation_page_has_formula_plot_and_gain() -> None:
    out = dlprobe("explain", "relu").out
    assert "a = max(z, 0)" in out
    assert "gain                 1.41421" in out
    assert "• value   × slope" in out


def test_given_parameters_are_used_and_shown_beside_the_default() -> None:
    data = dlprobe("explain", "leaky-relu(slope=0.2)", "--format", "json").data
    assert (data["parameters"][0]["value"], data["parameters"][0]["default"]) == (0.2, 0.01)
    assert data["gain"] == pytest.approx((2 / 1.04) ** 0.5)


def test_initializer_shows_the_variance_of_a_weight() -> None:
    data = dlprobe("explain", "glorot_normal", "--format", "json").data
    assert data["variance"][0] == {"fan_in": 100, "fan_out": 100, "value": 0.01}


def test_statistic_page_has_definition_and_place() -> None:
    out = " ".join(dlprobe("explain", "error_signal_rms").out.split())
    assert "root mean square over samples and units of B·dL/dz" in out
    assert "/stats/error_signal_rms" in out


@pytest.mark.parametrize("name", ["activation:linear", "activations:linear", "data:linear"])
def test_kind_decides_between_things_of_one_name(name: str) -> None:
    assert dlprobe("explain", name, "--format", "json").data["kind"] in name


@pytest.mark.parametrize("name", ["file-format:CSV", "file-format:csv", "file_format:Csv"])
def test_file_formats_are_found_in_any_case(name: str) -> None:
    assert dlprobe("explain", name, "--format", "json").data["name"] == "CSV"


@pytest.mark.parametrize(
    "name",
    [
        "G001",
        "g001",
        "vanishing-gradient",
        "vanishing_gradient",
        "rule:G001",
        "rules:vanishing-gradient",
    ],
)
def test_a_rule_is_found_by_code_and_name(name: str) -> None:
    data = dlprobe("explain", name, "--format", "json").data
    assert (data["code"], data["name"], data["kind"]) == ("G001", "vanishing_gradient", "rule")


def test_a_rule_s_page_has_its_lesson_and_thresholds_with_their_origin() -> None:
    out = " ".join(dlprobe("explain", "G001").out.split())
    for heading in (
        "What it looks for",
        "Why it hurts",
        "How it is measured",
        "When it stays silent",
        "What to try",
        "References",
        "Thresholds",
    ):
        assert heading in out
    assert "G001.share" in out
    assert "choice: more often than not" in out


def test_rules_are_listed_with_code_and_name() -> None:
    assert "G001 vanishing-gradient" in dlprobe("explain", "rules").out
    records = {
        record["code"]: record
        for record in dlprobe("explain", "rules", "--format", "json").data["records"]
    }
    assert (records["G001"]["name"], records["G001"]["severity"]) == ("vanishing_gradient", "error")


@pytest.mark.parametrize("name", list(registry.records("schedule")))
def test_a_schedule_says_what_it_counts_and_is_drawn(name: str) -> None:
    outcome = dlprobe("explain", f"schedule:{name}")
    assert outcome.code == 0
    assert "rate for lr = 1 over" in outcome.out
    assert dlprobe("explain", f"schedule:{name}", "--format", "json").data["unit"] in (
        "step",
        "epoch",
        "evaluation",
    )


@pytest.mark.parametrize("name", list(registry.records("optimizer")))
def test_an_optimizer_says_its_rate_formula_and_source(name: str) -> None:
    data = dlprobe("explain", f"optimizer:{name}", "--format", "json").data
    assert data["rate"] > 0
    assert data["formula"]
    assert data["source"]


def test_edge_of_chaos_that_nets_leave_is_called_so() -> None:
    """GELU: E φ² grows faster than q near 0, so q* → 0 is left at once. Tanh saturates: it
    stays.
    """
    gelu, tanh = (
        dlprobe("explain", name, "--format", "json").data["mean_field"] for name in ("gelu", "tanh")
    )
    assert (gelu["critical_stable"], tanh["critical_stable"]) == (False, True)
    assert "unstable" in dlprobe("explain", "gelu").out
