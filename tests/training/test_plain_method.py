"""The plain method that stands beside runs that did not get far."""

from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import LeaveOneOut, cross_val_predict

from dlprobe.analysis.learning.reading import learning
from dlprobe.config import RunConfig, from_options
from dlprobe.data import load, prepare
from dlprobe.executors.one_run import train_to_bytes
from dlprobe.runs import Run
from dlprobe.runs.journal_contents import JournalContents
from dlprobe.runs.sources import MemorySource
from dlprobe.training import plain_method
from dlprobe.training.plain_method import PENALTIES, answers, kernels, plain_skill
from dlprobe.training.trainer import PreparedData


def config(**options: str) -> RunConfig:
    return from_options(None, {"data_seed": "0", "seed": "0", **options})


def prepared(**options: str) -> PreparedData:
    made = config(**options)
    return prepare(load(made.data, 0), made.data, 0, "float64")


def test_kernel_and_penalty_are_those_that_leaving_one_out_prefers() -> None:
    """Beside scikit-learn, which leaves out one sample after the other."""
    rng = np.random.default_rng(3)
    inputs, asked = rng.normal(size=(12, 2)), rng.normal(size=(7, 2))
    targets = np.sin(2 * inputs[:, :1]) + 0.3 * rng.normal(size=(12, 1))
    mean, found = targets.mean(axis=0), []
    centre, scale = inputs.mean(axis=0), inputs.std(axis=0)
    rows, others = (inputs - centre) / scale, (asked - centre) / scale
    for kernel, of in kernels(rows):
        beside = of(others, rows)
        for penalty in PENALTIES:
            ridge = KernelRidge(alpha=penalty, kernel="precomputed")
            left_out = cross_val_predict(ridge, kernel, targets - mean, cv=LeaveOneOut())
            error = float(np.square(left_out - (targets - mean)).mean())
            found.append((error, ridge.fit(kernel, targets - mean).predict(beside) + mean))
    expected = min(found, key=lambda one: one[0])[1]
    assert answers(inputs, targets, asked) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(
    ("data", "low", "high"),
    [
        # linear regression of all ten features reaches .42 … .52 on parts of these data
        ("diabetes", 0.40, 0.60),
        ("xor(samples=600)", 0.85, 1.0),
        ("gaussian(samples=600, features=5, classes=3)", -0.2, 0.2),
    ],
)
def test_it_comes_near_what_can_be_reached(data: str, low: float, high: float) -> None:
    assert low <= plain_skill(prepared(data=data)) <= high


def test_what_cannot_be_told_is_not_a_number() -> None:
    data = prepared(data="xor(samples=4)", split="100,0,0", batch_size="4")
    assert math.isnan(plain_skill(data))
    wine = prepared(data="wine")
    broken = {**wine.inputs, "train": np.full_like(wine.inputs["train"], np.inf)}
    assert math.isnan(plain_skill(replace(wine, inputs=broken)))


def test_a_run_that_gets_as_far_learned_well_and_one_with_wrong_probabilities_did_not() -> None:
    usual = {"data": "diabetes", "layers": "32,32"}
    stopped = config(**usual, epochs="40", early_stopping="yes")
    data = prepare(load(stopped.data, 0), stopped.data, 0, "float32")
    stored = train_to_bytes(stopped, data)
    assert stored is not None
    run = Run(JournalContents(MemorySource(stored)))
    learned = learning(run)
    assert learned is not None
    assert run.final["val_plain_skill"] == plain_skill(data)
    assert learned.reached < 0.8
    assert learned.well
    assert not replace(learned, correctable=100.0).well
    assert not replace(learned, plain=0.9).well
    assert not replace(learned, known=True).well


def test_a_skill_begun_ahead_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the thread that began it, while two others wait for it; an error reaches who waits."""
    data, begun, go = prepared(data="moons"), list[str](), threading.Event()

    def slowly(data: PreparedData) -> float:
        begun.append(threading.current_thread().name)
        go.wait(20)
        return 0.5

    monkeypatch.setattr(plain_method, "_known", {})
    monkeypatch.setattr(plain_method, "plain_skill", slowly)
    plain_method.ahead(data)
    plain_method.ahead(data)
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(plain_method.beside, data, {"val_error": 0.4}) for _ in range(2)]
        go.set()
        assert [one.result(20) for one in asked] == [{"val_plain_skill": 0.5}] * 2
    assert len(begun) == 1

    def broken(data: PreparedData) -> float:
        raise FloatingPointError("a worked example")

    monkeypatch.setattr(plain_method, "_known", {})
    monkeypatch.setattr(plain_method, "plain_skill", broken)
    with pytest.raises(FloatingPointError, match="worked example"):
        plain_method.beside(data, {"val_error": 0.4})
