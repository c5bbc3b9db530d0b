"""One net on several cores: the same bits whoever makes which part, right numbers, and helpers that
come late, or never, or to nothing.
"""

from __future__ import annotations

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import dlprobe
from small_nets import DTYPES, Array, data_for, layers, spec

from dlprobe.nn import observe, sharing, teams
from dlprobe.nn.network import Network
from dlprobe.nn.regulation import Regulation
from dlprobe.runs import open_single

BATCH, SAMPLES, STEPS, RATE = 32, 70, 5, 0.01  # the last batch of an epoch is too small to share
# the second and third layer have 2^21 multiply-adds, long rows and short ones, parts of each kind
SIZES = (9, 140, 1100, 64, 4)


def build(
    threads: int = 1,
    optimizer: str = "sgd",
    norm: tuple[str, bool] | None = None,
    **options: Any,
) -> Network:
    specs = layers(SIZES, activation="relu", output="softmax", norm=norm)
    loss, stepped = spec("loss", "cross_entropy"), spec("optimizer", optimizer)
    net = Network(specs, loss, stepped, batch=BATCH, **{"seed": 0, **options})
    net.threads = threads
    return net


def trained(threads: int, **options: Any) -> tuple[bytes, ...]:
    """All that training and evaluation leave."""
    net = build(threads, **options)
    inputs, targets = data_for(net, SAMPLES)
    blocks = [net.train(inputs, targets, first, np.full(STEPS, RATE)) for first in (0, STEPS)]
    evaluation = net.evaluate(inputs, targets, dead=True)
    arrays = [net.parameters, evaluation.outputs, *(block.statistics for block in blocks)]
    return tuple(array.tobytes() for array in arrays)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "adam", "norm": ("batch", False)},
        {"optimizer": "sgd", "regulation": Regulation(clip_global_norm=0.5, max_norm=1.0)},
    ],
    ids=["adam", "clipped"],
)
def test_any_number_of_threads_gives_the_same_bits(options: dict[str, Any], dtype: str) -> None:
    alone = trained(1, dtype=dtype, **options)
    for threads in (2, 4):
        assert trained(threads, dtype=dtype, **options) == alone


def test_nets_that_train_at_a_time_have_helpers_of_their_own() -> None:
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda seed: trained(3, seed=seed), (1, 2, 1)))
    assert together == [trained(1, seed=seed) for seed in (1, 2, 1)]


def test_a_forked_child_trains_alone_to_the_same_bits() -> None:
    """Its parent's helpers are not there."""
    here = trained(2)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(partial(trained, 2)).get(timeout=60) == here


@pytest.mark.parametrize("given", [0, 1])
def test_threads_that_the_system_refuses_are_not_needed(
    given: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does beyond a limit of processes; `given` of three are there before."""
    alone, started, start = trained(1), list[threading.Thread](), threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        started.append(thread)
        if len(started) > given:
            raise RuntimeError("can't start new thread")
        start(thread)

    trained(2)  # compiles, which has a thread of its own
    teams._helpers.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert trained(4) == alone
    assert len(started) > given
    teams._helpers.cache_clear()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_shared_step_is_right(dtype: str) -> None:
    """A plain step, and what is recorded of it, against NumPy in float64."""
    net = build(2, dtype=dtype, keep_gradients=True, optimizer="sgd")
    inputs, targets = data_for(net, BATCH)
    before = net.weights(1).astype(np.float64)
    statistics = net.train(inputs, targets, 0, np.full(1, RATE)).statistics[0, 1]
    x, z = net.activations(0, BATCH), net.preactivations(1, BATCH)
    tolerance = {"rtol": 1e-4, "atol": 1e-5} if dtype == "float32" else {"rtol": 1e-10}
    np.testing.assert_allclose(z, x.astype(np.float64) @ before, **tolerance)
    g = net.weights_in(net.gradients, 1).astype(np.float64)
    np.testing.assert_allclose(net.weights(1), before - RATE * g, **tolerance)
    wanted = {
        observe.GRADIENT_L2: np.linalg.norm(g),
        observe.GRADIENT_MEAN_ABS: np.abs(g).mean(),
        observe.GRADIENT_VARIANCE: g.var(),
        observe.WEIGHT_RMS: np.sqrt(np.square(before).mean()),
        observe.WEIGHT_MAX_ABS: np.abs(before).max(),
        observe.UPDATE_RATIO: RATE * np.linalg.norm(g) / np.linalg.norm(before),
    }
    found = statistics[list(wanted)]
    np.testing.assert_allclose(found, list(wanted.values()), rtol=3e-4)


def product_task(a: Array, b: Array, out: Array) -> Array:
    """The words of a team whose block has begun and whose task is out = a b, untouched."""
    words, _ = sharing.team_of(2**21, 1, a.dtype.name)
    record = [number for array in (a, b, out) for number in (array.ctypes.data, *array.shape)]
    words[teams.ARGUMENTS : teams.ARGUMENTS + len(record)] = record
    words[teams.TASK] = words[teams.PRODUCT]
    words[teams.TICKET] = 2**32 + -(-out.shape[1] // sharing.part_width(out))
    words[teams.BLOCK] = 1
    return words


def test_helpers_make_every_part_once_and_leave_when_the_block_ends() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-9, 9, shape).astype(np.float32) for shape in ((32, 50), (50, 1000)))
    out = np.full((32, 1000), np.nan, np.float32)
    words = product_task(a, b, out)
    parts = int(words[teams.TICKET]) & teams.LEFT
    with ThreadPoolExecutor(2) as pool:
        made = [pool.submit(teams.compiled_assist(), words, 1) for _ in range(2)]
        while words[teams.DONE] < parts:
            pass
        words[teams.BLOCK] = 2
        assert sum(future.result(timeout=60) for future in made) == parts
    np.testing.assert_array_equal(out, a @ b)


@pytest.mark.parametrize("block", [0, 2], ids=["over", "never begun"])
def test_a_helper_does_not_stay_for_another_block(block: int) -> None:
    words = product_task(*(np.zeros((8, 1000), np.float32),) * 3)
    assert teams.compiled_assist()(words, block) == 0


def test_a_run_is_the_same_on_any_number_of_threads(tmp_path: Path) -> None:
    """By its content hash."""
    net = ("--layers", "300,300", "--batch-size", "128", "--epochs", "1", "--threads")
    hashes = set()
    for threads in ("1", "2", "4", "auto"):
        path = tmp_path / f"{threads}.h5"
        assert dlprobe("train", *net, threads, "-o", str(path)).code == 0
        with open_single(path) as run:
            hashes.add(run.content_sha256)
    assert len(hashes) == 1
