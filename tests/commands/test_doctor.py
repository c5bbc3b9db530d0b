"""`doctor`: what it says of an installation, and that it finds kernels that are another's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import dlprobe, environment, process

from dlprobe.nn.self_check import ComparedArrays, KernelCheck, outcome_of

LOSSES = (
    "from dlprobe.nn import kernels\nfor name in ('mse', 'mae'): kernels.loss(name, False, "
    "'float32')"
)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the kernels of two losses, and a doctor's own."""
    cache = tmp_path_factory.mktemp("cache")
    subprocess.run(
        [sys.executable, "-c", LOSSES], env=environment(DLPROBE_CACHE_DIR=str(cache)), check=True
    )
    return cache


def kernel_file(cache: Path, loss: str) -> Path:
    (found,) = cache.rglob(f"*loss_{loss}_*.nbc")
    return found


def doctor(cache: Path, *options: str) -> Any:
    return process("doctor", *options, folder=cache, DLPROBE_CACHE_DIR=str(cache), COLUMNS="80")


def records(outcome: Any) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in outcome.data["kernels"]}


def test_a_healthy_cache_is_found_healthy(healthy: Path) -> None:
    outcome = doctor(healthy, "--format", "json")
    assert outcome.code == 0, outcome.err
    assert {name: each["state"] for name, each in records(outcome).items()} == {
        "mse": "agrees",
        "mae": "agrees",
    }
    assert outcome.data["schema"] == "dlprobe-doctor/1"
    assert outcome.data["cache"]["folder"].startswith(str(healthy))
    assert outcome.data["not_compared"] == []


def test_a_kernel_in_anothers_file_is_refused_and_named(healthy: Path, tmp_path: Path) -> None:
    cache = shutil.copytree(healthy, tmp_path / "cache")
    shutil.copy(kernel_file(cache, "mae"), kernel_file(cache, "mse"))
    outcome = doctor(cache)
    assert outcome.code == 1
    assert "mse (float32): the kernel cache" in " ".join(outcome.out.split())
    assert max(map(len, outcome.out.splitlines())) <= 80
    trained = subprocess.run(
        [sys.executable, "-c", LOSSES],
        env=environment(DLPROBE_CACHE_DIR=str(cache)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "in the place of elementwise_loss_loop.<locals>.batch_loss_loss_mse_" in trained.stderr


def test_anothers_code_under_a_kernels_own_name_is_found_by_its_numbers(
    healthy: Path, tmp_path: Path
) -> None:
    """The code of |p − y| is put into the file of (p − y)² and renamed throughout, as if both
    had had one symbol.
    """
    cache = shutil.copytree(healthy, tmp_path / "cache")
    ours, other = kernel_file(cache, "mse"), kernel_file(cache, "mae")
    names = [
        f"loss_{path.name.partition('_loss_loss_')[2].partition('-')[0]}".encode()
        for path in (ours, other)
    ]
    assert len(names[0]) == len(names[1])
    assert other.read_bytes().count(names[1]) > 2
    ours.write_bytes(other.read_bytes().replace(names[1], names[0]))
    outcome = doctor(cache, "--format", "json")
    assert outcome.code == outcome.data["exit_code"] == 1
    assert (records(outcome)["mse"]["state"], records(outcome)["mae"]["state"]) == (
        "differs",
        "agrees",
    )
    assert records(outcome)["mse"]["measured"] != pytest.approx(
        records(outcome)["mse"]["expected"], rel=1e-3
    )
    assert "the kernels of 1 record of 2 are wrong" in " ".join(doctor(cache).out.split())


def test_a_damaged_file_is_named(healthy: Path, tmp_path: Path) -> None:
    cache = shutil.copytree(healthy, tmp_path / "cache")
    kernel_file(cache, "mae").write_bytes(b"")
    outcome = doctor(cache, "--format", "json")
    assert (outcome.code, records(outcome)["mae"]["state"], records(outcome)["mse"]["state"]) == (
        1,
        "cannot run",
        "agrees",
    )
    trained = process(
        "train",
        "--data",
        "diabetes",
        "--loss",
        "mae",
        "--epochs",
        "1",
        folder=cache,
        DLPROBE_CACHE_DIR=str(cache),
    )
    assert trained.code == 2
    assert len(trained.errors) == 1
    assert f"{kernel_file(cache, 'mae')}, a compiled kernel, cannot be read" in trained.errors[0]


def test_older_folders_and_a_folder_that_cannot_be_written_are_told(
    healthy: Path, tmp_path: Path
) -> None:
    cache = shutil.copytree(healthy, tmp_path / "cache")
    (cache / "kernels" / "0123456789abcdef").mkdir()
    (cache / "kernels" / "0123456789abcdef" / "old.nbc").write_bytes(bytes(3_000_000))
    assert "1 folder, 3.0 MB; removed a week after their last use" in doctor(cache).out
    (tmp_path / "file").write_text("", encoding="utf-8")
    outcome = process("doctor", folder=tmp_path, DLPROBE_CACHE_DIR=str(tmp_path / "file"))
    assert outcome.code == 0
    assert "cannot be written: every process compiles its kernels anew" in " ".join(
        outcome.out.split()
    )


NEEDED = """
from dlprobe.commands import main
from dlprobe.nn import cache
assert main(["doctor", "--warm", "--quiet"]) == 0
warm = set(cache._compiled)
assert main(["train", "--steps", "2", "--quiet"]) == 0
assert main("gradients --depth 2 --data wine --init he_normal --steps 2 -q".split()) == 0
print(len(warm), sorted(set(cache._compiled) - warm))
"""


def test_commands_compile_nothing_once_the_cache_is_warm(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NEEDED],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith(" []")


def test_bad_options_end_in_one_line() -> None:
    assert (dlprobe("doctor", "--everything").code, dlprobe("doctor", "runs/digits-1.h5").code) == (
        2,
        2,
    )


@pytest.mark.parametrize(
    ("measured", "state"),
    [
        (1.0, "agrees"),
        (1.00001, "agrees"),
        (1.0001, "differs"),
        (np.nan, "differs"),
        (np.inf, "differs"),
    ],
)
def test_a_check_allows_roundings_and_nothing_else(measured: float, state: str) -> None:
    """128 roundings of 1 in float32 are 1.5e-5."""
    check = KernelCheck(
        "loss",
        "made",
        "float32",
        lambda: (),
        lambda: iter([ComparedArrays("value", [2e-9, measured], [1e-9, 1.0])]),
    )
    assert outcome_of(check, cached_only=False).state == state


def test_the_registry_is_covered() -> None:
    """Every record of a kind that is compiled has a check in each precision."""
    from dlprobe import registry
    from dlprobe.nn.self_check import all_checks

    covered = {(check.kind, check.name, check.dtype) for check in all_checks()}
    kinds = ("activation", "normalization", "weight_transform", "perturbation", "loss", "optimizer")
    assert {
        (kind, name, dtype)
        for kind in kinds
        for name in registry.records(kind)
        for dtype in ("float32", "float64")
    } <= covered
