"""The plain forms that `doctor` compares with: one record of every kind agrees with its kernel,
and another record's kernel does not.
"""

from __future__ import annotations

import random

import pytest
from numba import types

from dlprobe import registry
from dlprobe.nn import kernels
from dlprobe.nn.cache import NotCached, compiled, from_cache_only
from dlprobe.nn.self_check import all_checks, outcome_of

CHECKS = {(check.kind, check.name): check for check in all_checks() if check.dtype == "float64"}
OF_EVERY_KIND = [
    *(
        ("activation", name)
        for name in (
            "tanh",
            "prelu",
            "rrelu",
            "glu",
            "softmax",
            "softmax of a fleet",
            "softmax of a fleet, joined",
        )
    ),
    *(("normalization", name) for name in ("batch", "layer", "group")),
    ("weight_transform", "weight_standardization"),
    *(("perturbation", name) for name in ("dropout", "gaussian_noise")),
    ("residual", "sum"),
    ("penalty", "activity"),
    *(
        ("loss", name)
        for name in (
            "mse",
            "cross_entropy",
            "cross_entropy with softmax",
            "cross_entropy of a fleet, joined",
        )
    ),
    *(("optimizer", name) for name in ("sgd", "adam", "nadam")),
    *(
        ("pass", name)
        for name in (
            "products",
            "step",
            "step with a penalty",
            "step with shift and mixup",
            "products of a fleet",
            "step of a fleet",
        )
    ),
]


@pytest.mark.parametrize("which", [which for which in OF_EVERY_KIND if which in CHECKS])
def test_a_kernel_agrees_with_its_plain_form(which: tuple[str, str]) -> None:
    outcome = outcome_of(CHECKS[which], cached_only=False)
    assert (outcome.state, outcome.reason) == ("agrees", "")
    assert outcome.compiled


OTHERS = [
    ("activation", "tanh", "sigmoid"),
    ("normalization", "layer", "rms"),
    ("loss", "mse", "mae"),
    ("optimizer", "momentum", "adagrad"),
]


@pytest.mark.parametrize(("kind", "name", "other"), OTHERS)
def test_anothers_kernel_differs(
    kind: str, name: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where two kernels have one symbol: the check of one gets the kernels of the other,
    which take as much memory.
    """
    factory = {
        "activation": "activation_operation",
        "normalization": "normalization_operation",
        "loss": "loss_of",
        "optimizer": "optimizer_of",
    }[kind]
    whole, record = getattr(kernels, factory), registry.get(kind, other)
    monkeypatch.setattr(kernels, factory, lambda given, *options: whole(record, *options))
    outcome = outcome_of(CHECKS[kind, name], cached_only=False)
    assert outcome.state == "differs"
    assert outcome.deviation > 1e6 * outcome.allowed


def test_what_is_not_cached_is_not_compiled() -> None:
    number = random.random()  # of which no earlier run has left a kernel
    with from_cache_only(), pytest.raises(NotCached):
        compiled(types.float64(types.float64))(lambda x: x + number)


def test_every_kind_has_a_check_above() -> None:
    """But for fleets, which only some processors have."""
    assert [
        which for which in OF_EVERY_KIND if which not in CHECKS and "fleet" not in which[1]
    ] == []
    assert {kind for kind, _ in CHECKS} == {kind for kind, _ in OF_EVERY_KIND}
