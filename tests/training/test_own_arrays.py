"""init = file(path=…): the user's own arrays become the initial parameters, and everything that
is wrong with a file is one clear line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlprobe.config import from_mapping, from_options, to_mapping
from dlprobe.data import load, prepare
from dlprobe.errors import DlprobeError
from dlprobe.training import trainer

NET = {"data": "gaussian(samples=20, features=4, classes=3)", "layers": "5", "steps": "1"}
SHAPES = {
    "hidden_1_weights": (4, 5),
    "hidden_1_bias": (5,),
    "output_weights": (5, 3),
    "output_bias": (3,),
}


def arrays(**changed: Any) -> dict[str, Any]:
    """What a file for NET holds; a value of None leaves an array out."""
    rng = np.random.default_rng(0)
    return {
        name: values
        for name, values in {
            **{name: rng.standard_normal(shape) for name, shape in SHAPES.items()},
            **changed,
        }.items()
        if values is not None
    }


def saved(folder: Path, **changed: Any) -> Path:
    path = folder / "my weights.npz"
    np.savez(path, **arrays(**changed))
    return path


def session(config: Any) -> trainer.Session:
    return trainer.start(
        config, prepare(load(config.data, 0), config.data, 0, config.training.dtype)
    )


def started(path: Path | str, key: str = "init", **options: str) -> trainer.Session:
    return session(from_options(None, {**NET, key: f'file(path="{path}")', **options}))


def test_weights_and_biases_are_those_of_the_file(tmp_path: Path) -> None:
    one, given = started(saved(tmp_path), dtype="float64"), arrays()
    for index, layer in enumerate(("hidden_1", "output")):
        np.testing.assert_array_equal(one.network.weights(index), given[f"{layer}_weights"])
        np.testing.assert_array_equal(one.network.biases(index), given[f"{layer}_bias"])
    np.testing.assert_array_equal(one.initial, one.network.parameters)


def test_a_bias_that_the_file_does_not_hold_starts_at_zero(tmp_path: Path) -> None:
    one = started(saved(tmp_path, output_bias=None))
    assert (one.network.biases(1) == 0).all()
    assert (one.network.biases(0) != 0).all()


def test_as_bias_init_only_biases_are_taken(tmp_path: Path) -> None:
    one = started(saved(tmp_path), "bias_init", init="ones")
    assert (one.network.weights(0) == 1).all()
    np.testing.assert_allclose(one.network.biases(1), arrays()["output_bias"], rtol=1e-6)


def test_the_recorded_configuration_repeats_the_run_and_notices_another_file(
    tmp_path: Path,
) -> None:
    path = saved(tmp_path)
    one = started(path)
    recorded = from_mapping(to_mapping(one.config))
    np.testing.assert_array_equal(session(recorded).network.parameters, one.network.parameters)
    saved(tmp_path, output_bias=np.zeros(3))
    with pytest.raises(
        DlprobeError,
        match=r"my weights.npz.*the file has changed since the configuration was recorded",
    ):
        session(recorded)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"hidden_1_weights": np.zeros((4, 6))},
            r"hidden_1_weights has shape \(4, 6\), expected \(4, 5\)$",
        ),
        (
            {"hidden_1_weights": np.zeros((5, 4))},
            r"shape \(5, 4\), expected \(4, 5\) \(its transpose fits",
        ),
        ({"output_bias": np.zeros((3, 1))}, r"output_bias has shape \(3, 1\), expected \(3,\)"),
        (
            {"output_weights": None},
            r"holds no array output_weights, expected one of shape \(5, 3\)",
        ),
        (
            {"hiden_2_weights": np.zeros((4, 5))},
            r"holds 'hiden_2_weights', which this net has no place for: expected hidden_1_weights",
        ),
        ({"output_bias": np.array([0, np.nan, 0])}, "output_bias holds NaN or infinity"),
        (
            {"output_bias": np.array(["a", "b", "c"])},
            "output_bias holds <U1, expected real numbers",
        ),
        (
            {"output_bias": np.array([{}, 1, 2], dtype=object)},
            "holds Python objects, which only a pickle can store and dlprobe never loads",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_one_clear_line(
    changed: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DlprobeError, match=message) as caught:
        started(saved(tmp_path, **changed))
    assert "my weights.npz" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bias_for_a_net_without_biases_has_no_place(tmp_path: Path) -> None:
    with pytest.raises(DlprobeError, match="'hidden_1_bias', which this net has no place for"):
        started(saved(tmp_path), bias="no")


def test_files_that_are_none_are_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("not an archive")
    (tmp_path / "cut.npz").write_bytes(saved(tmp_path).read_bytes()[:200])
    for path, message in {
        tmp_path / "missing.npz": "no such file: expected an .npz from np.savez",
        tmp_path / "text.npz": "is not an .npz file",
        tmp_path / "cut.npz": "looks damaged",
        tmp_path: "is a folder, expected a file",
    }.items():
        with pytest.raises(DlprobeError, match=message):
            started(path)
    with pytest.raises(
        DlprobeError, match=r"no file is named: write init = file\(path=weights.npz\)"
    ):
        session(from_options(None, {**NET, "init": "file"}))
