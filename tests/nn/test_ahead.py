"""The process that compiles beside the first command: what it does, and that it ends."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from functools import partial

import pytest

from dlprobe.nn import ahead, cache
from dlprobe.nn.linking import of_every_net


@pytest.mark.parametrize(
    ("cached", "compiled"),
    [("", "fedcba"), ("ab", "fedc"), ("abcdef", ""), ("c", "fed")],
)
def test_it_compiles_from_the_end_until_it_meets_the_other(cached: str, compiled: str) -> None:
    done: list[str] = []

    def task(name: str) -> None:
        if name not in cached:
            if cache._reads_only.get():
                raise cache.NotCached(name)
            done.append(name)

    tasks: list[Callable[[], object]] = [partial(task, name) for name in "abcdef"]
    ahead.compile_from_end(tasks)
    assert "".join(done) == compiled


def test_it_ends_when_the_process_that_started_it_does() -> None:
    """Whose end closes the pipe, however it comes."""
    child = ahead.begin(2)
    assert child is not None
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(20) == 0


def test_nothing_is_started_for_one_processor_or_without_a_common_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    started: list[object] = []

    def refuse(*arguments: object, **options: object) -> None:
        started.append(arguments)
        raise OSError

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert ahead.begin(2) is None  # the system gives no process
    assert len(started) == 1
    assert ahead.begin(1) is None
    monkeypatch.setattr("dlprobe.nn.folders.cache_folder", lambda: tmp_path)
    assert ahead.begin(2) is None
    assert len(started) == 1


def test_what_every_net_needs_is_what_a_small_net_asks_for() -> None:
    """All of it, so that nothing is compiled for nobody, is known once a net is made."""
    from dlprobe.config import parse_spec
    from dlprobe.nn.layers import LayerSpec
    from dlprobe.nn.network import Network

    activation, init = parse_spec("activation", "linear"), parse_spec("initializer", "he_normal")
    Network(
        [LayerSpec(2, 2, activation, init)],
        parse_spec("loss", "mse"),
        parse_spec("optimizer", "sgd"),
        batch=4,
        seed=0,
    )
    known = set(cache._compiled)
    for task in of_every_net("float32"):
        task()
    assert set(cache._compiled) == known
