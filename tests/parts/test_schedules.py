"""Schedule records: torch.optim.lr_scheduler in float64 to 1e-12 where it has a twin, the
formulas elsewhere, and what is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dlprobe import registry
from dlprobe.config import from_options, parse_spec
from dlprobe.errors import ConfigError
from dlprobe.training.rates import Rates

STEPS, PER_EPOCH, LR = 60, 5, 0.3
NAMES = list(registry.records("schedule"))


def rates(
    text: str, *, steps: int = STEPS, per_epoch: int = PER_EPOCH, warmup: int = 0, lr: float = LR
) -> Rates:
    return Rates(parse_spec("schedule", text), lr, warmup, per_epoch, steps)


def numbers(text: str, **about: Any) -> Any:
    found = rates(text, **about)
    return found.rates(0, found.steps)


def torch_rates(
    make: Callable[[Any, Any], Any], steps: int = STEPS, optimizer: str = "SGD", **arguments: Any
) -> tuple[Any, Any]:
    """Rates and momenta (first betas) that a scheduler of PyTorch gives each step."""
    torch = pytest.importorskip("torch")
    chosen = getattr(torch.optim, optimizer)(
        [torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))], lr=LR, **arguments
    )
    scheduler = make(torch.optim.lr_scheduler, chosen)
    found, momenta = [], []
    for _ in range(steps):
        group = chosen.param_groups[0]
        found.append(float(group["lr"]))
        momenta.append(group["betas"][0] if "betas" in group else group["momentum"])
        chosen.step()
        scheduler.step()
    return np.array(found), np.array(momenta)


TWINS: dict[str, Callable[[Any, Any], Any]] = {
    "constant": lambda s, o: s.ConstantLR(o, factor=1.0),
    "step(every=7, gamma=.5, unit=step)": lambda s, o: s.StepLR(o, 7, 0.5),
    "exponential(tenfold=25, unit=step)": lambda s, o: s.ExponentialLR(o, 10 ** (-1 / 25)),
    'piecewise(boundaries="8,20,21", factors="1,.1,.01,.001", unit=step)': lambda s, o: (
        s.MultiStepLR(o, [8, 20, 21])
    ),
    "polynomial": lambda s, o: s.PolynomialLR(o, STEPS),
    "polynomial(exponent=2.5, over=40)": lambda s, o: s.PolynomialLR(o, 40, 2.5),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, STEPS),
    "cosine(end=.01)": lambda s, o: s.CosineAnnealingLR(o, STEPS, 0.01),
    "cosine(period=9)": lambda s, o: s.CosineAnnealingWarmRestarts(o, 9),
    "cosine(period=5, multiply=2, end=.02)": lambda s, o: s.CosineAnnealingWarmRestarts(
        o, 5, 2, 0.02
    ),
    "inverse_time(decay=.2, unit=step)": lambda s, o: s.LambdaLR(o, lambda t: 1 / (1 + 0.2 * t)),
    "power(scale=7, exponent=.6, unit=step)": lambda s, o: s.LambdaLR(
        o, lambda t: (1 + t / 7) ** -0.6
    ),
}


@pytest.mark.parametrize("text", list(TWINS))
def test_every_step_has_the_rate_that_pytorch_gives_it(text: str) -> None:
    np.testing.assert_allclose(numbers(text), torch_rates(TWINS[text])[0], rtol=1e-12, atol=1e-14)


ONE_CYCLES: dict[str, dict[str, Any]] = {
    "max_lr=0.3": {},
    "max_lr=2, pct_start=.45, div_factor=10, final_div_factor=100": {
        "pct_start": 0.45,
        "div_factor": 10.0,
        "final_div_factor": 100.0,
    },
    "max_lr=1, anneal=linear, base_momentum=.8, max_momentum=.9": {
        "anneal_strategy": "linear",
        "base_momentum": 0.8,
        "max_momentum": 0.9,
    },
    "max_lr=1, three_phase=yes": {"three_phase": True},
    "max_lr=1, three_phase=yes, anneal=linear, pct_start=.4": {
        "three_phase": True,
        "anneal_strategy": "linear",
        "pct_start": 0.4,
    },
}


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize("text", list(ONE_CYCLES))
def test_one_cycle_moves_rate_and_momentum_as_pytorch_does(text: str, optimizer: str) -> None:
    """The last step is PyTorch's last: it refuses one more."""
    ours = rates(f"one_cycle({text})")
    top, start, end = (
        float(ours.schedule.parameters[name])
        for name in ("max_lr", "div_factor", "final_div_factor")
    )
    more = {"momentum": 0.9} if optimizer == "SGD" else {}
    expected = torch_rates(
        lambda s, o: s.OneCycleLR(o, top, total_steps=STEPS, **ONE_CYCLES[text]),
        STEPS - 1,
        optimizer,
        **more,
    )
    np.testing.assert_allclose(ours.rates(0, STEPS - 1), expected[0], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(ours.momenta(0, STEPS - 1), expected[1], rtol=1e-12)
    assert ours.rates(STEPS - 1, 1)[0] == pytest.approx(top / start / end, rel=1e-12)


LOSSES = [
    1.0,
    0.9,
    0.89999,
    0.95,
    0.91,
    math.nan,
    0.93,
    0.2,
    0.3,
    0.3,
    0.3,
    0.3,
    0.3,
    0.19,
    0.25,
    0.25,
    0.25,
    0.25,
    0.25,
    0.25,
]
PLATEAUS: dict[str, dict[str, Any]] = {
    "factor=.5, patience=2": {"factor": 0.5, "patience": 2},
    "patience=1, cooldown=2": {"patience": 1, "cooldown": 2},
    "patience=0, end=.01, threshold=.2": {"patience": 0, "min_lr": 0.01, "threshold": 0.2},
}


@pytest.mark.parametrize("text", list(PLATEAUS))
def test_performance_falls_where_pytorch_s_plateau_falls(text: str) -> None:
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **PLATEAUS[text])
    ours = rates(f"performance({text})")
    for loss in LOSSES:
        scheduler.step(loss)
        ours.observe({"val_loss": loss, "train_loss": 0.0})
        assert ours.rates(0, 3) == pytest.approx([optimizer.param_groups[0]["lr"]] * 3, rel=1e-12)
    assert ours.rates(0, 1)[0] < LR


def test_warmup_is_a_straight_line_to_the_schedule() -> None:
    """LinearLR from 1/W over W − 1 steps, on top of any schedule."""
    torch_constant, _ = torch_rates(lambda s, o: s.LinearLR(o, start_factor=1 / 8, total_iters=7))
    np.testing.assert_allclose(numbers("constant", warmup=8), torch_constant, rtol=1e-12)
    line = np.minimum((np.arange(STEPS) + 1) / 8, 1.0)
    np.testing.assert_allclose(numbers("cosine", warmup=8), line * numbers("cosine"), rtol=1e-15)


# --- formulas and worked numbers
# --------------------------------------------------------------------------------------------------


def test_formulas_at_chosen_times() -> None:
    """η₀·10^(−t/r) is a tenth at r; η₀(1 + t/r)^(−1) a half at r; η₀/(1 + decay·t) with epochs."""
    assert numbers("exponential(tenfold=30, unit=step)")[30] == pytest.approx(LR / 10, rel=1e-14)
    assert numbers("power(scale=20, unit=step)")[20] == pytest.approx(LR / 2, rel=1e-14)
    assert numbers("inverse_time(decay=1)")[[0, 4, 5, 14, 15]] == pytest.approx(
        [LR, LR, LR / 2, LR / 3, LR / 4], rel=1e-14
    )


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in NAMES
        if any(p.name == "unit" for p in registry.get("schedule", name).parameters)
    ],
)
def test_epochs_are_steps_held_for_an_epoch(name: str) -> None:
    """The rates by epoch are those of a run with one step per epoch, each repeated."""
    by_epoch, by_step = (
        numbers(f"{name}(unit=epoch)"),
        numbers(f"{name}(unit=step)", steps=STEPS // PER_EPOCH),
    )
    np.testing.assert_array_equal(by_epoch, np.repeat(by_step, PER_EPOCH))


@pytest.mark.parametrize("name", NAMES)
def test_where_a_block_begins_changes_nothing(name: str) -> None:
    whole = rates(name, warmup=7)
    for size in (1, 4, 13):
        pieces = [whole.rates(first, min(size, STEPS - first)) for first in range(0, STEPS, size)]
        momenta = [
            whole.momenta(first, min(size, STEPS - first)) for first in range(0, STEPS, size)
        ]
        np.testing.assert_array_equal(np.concatenate(pieces), whole.rates(0, STEPS))
        np.testing.assert_array_equal(np.concatenate(momenta), whole.momenta(0, STEPS))


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
@pytest.mark.parametrize("name", NAMES)
def test_short_runs_have_rates_too(name: str, steps: int) -> None:
    found = numbers(name, steps=steps)
    assert np.isfinite(found).all()
    assert ((found >= 0) & (found <= LR)).all()


@pytest.mark.parametrize("name", NAMES)
def test_every_schedule_states_its_unit(name: str) -> None:
    record = registry.get("schedule", name)
    given = [parameter.default for parameter in record.parameters if parameter.name == "unit"]
    assert record.unit in ("step", "epoch", "evaluation")
    assert given in ([], [record.unit])


# --- what is refused
# --------------------------------------------------------------------------------------------------

REFUSED = {
    "step(gamma=0)": "gamma",
    "step(every=0)": "every",
    "exponential(tenfold=-1)": "tenfold",
    "inverse_time(decay=-1)": "decay",
    "polynomial(end=-1)": "end",
    'piecewise(boundaries="20,10")': "rising numbers",
    'piecewise(boundaries="10", factors="1")': "one factor more",
    'piecewise(boundaries="ten")': "numbers with commas",
    'piecewise(boundaries="10,nan")': "finite",
    'piecewise(factors="1,-1,1")': ">= 0",
    "one_cycle(max_lr=-1)": "max_lr",
    "one_cycle(base_momentum=.99)": "above max_momentum",
    "one_cycle(pct_start=.7, three_phase=yes)": "third phase",
    "performance(factor=1)": "factor",
    "cosin": "did you mean 'cosine'",
}


@pytest.mark.parametrize("text", list(REFUSED))
def test_bad_values_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        from_options(None, {"schedule": text})
    assert REFUSED[text] in str(refused.value)
    assert "\n" not in str(refused.value)


def test_performance_needs_evaluations() -> None:
    with pytest.raises(ConfigError, match="evaluate_every is never"):
        from_options(None, {"schedule": "performance", "evaluate_every": "never"})
