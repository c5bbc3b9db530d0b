"""What a run is told to take, beside the engine's own buffers and the memory of a process."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import dlprobe
from dlprobe.config import from_options
from dlprobe.data import load, prepare
from dlprobe.runs import RunWriter
from dlprobe.training import trainer
from dlprobe.training.describe import describe
from dlprobe.training.memory import expected_bytes
from dlprobe.training.model import resolve

CHILD = """
import json, re, tempfile
from pathlib import Path
from dlprobe.config import from_options
from dlprobe.data import load, prepare
from dlprobe.runs import RunWriter
from dlprobe.training import trainer
from dlprobe.training.describe import describe
from dlprobe.training.memory import expected_bytes
from dlprobe.training.model import resolve


def train(folder, layers):
    config = from_options(None, {"layers": layers, "steps": "1", "seed": "0"})
    data = prepare(load(config.data, 0), config.data, 0, "float32")
    session = trainer.start(config, data)
    with RunWriter.create(Path(folder) / f"{layers}.h5", describe(session)) as writer:
        trainer.run(session, writer)
        writer.pack()
    return expected_bytes(config, resolve(config, data), data)["peak"]


with tempfile.TemporaryDirectory() as folder:
    peaks = []
    for layers in ("20", "1000,1000"):
        expected = train(folder, layers)
        # ru_maxrss would begin with the peak of the process that started this one
        status = Path("/proc/self/status").read_text()
        peaks.append(1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]))
print(json.dumps([expected, peaks[1] - peaks[0]]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/self/status holds the peak there")
def test_a_run_takes_no_more_than_a_fifth_above_what_is_expected() -> None:
    for _ in range(2):  # the first may compile kernels, which takes memory of its own
        ended = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, check=True)
        expected, taken = json.loads(ended.stdout)
        if taken < 1.2 * expected:
            break
    assert 0.5 * expected < taken < 1.2 * expected


@pytest.mark.parametrize(
    "options",
    [
        {"layers": "300,100"},
        {"layers": "50x3", "norm": "batch", "dropout": "0.2", "batch_size": "512"},
        {"layers": "64x3", "residual": "identity", "norm": "layer", "histogram_every": "never"},
        {"layers": "40,40", "activation": "glu", "optimizer": "momentum", "dtype": "float64"},
        {"layers": "40,40", "clip_global_norm": "1", "weight_transform": "weight_standardization"},
    ],
    ids=lambda options: " ".join(options.values()),
)
def test_net_and_batch_are_as_large_as_the_buffers_of_the_engine(options: dict[str, str]) -> None:
    config = from_options(None, options)
    data = prepare(load(config.data, 0), config.data, 0, config.training.dtype)
    model = resolve(config, data)
    expected, net = expected_bytes(config, model, data), trainer.start(config, data).network.memory
    assert expected["optimizer"] == pytest.approx(net.moments.nbytes, abs=64)
    gradients = (net.gradients, net.data_gradients, net.weight_delta)
    assert expected["gradient"] == pytest.approx(sum(one.nbytes for one in gradients), abs=64)
    batch = (net.blocks, net.deltas, net.carry, net.targets)
    assert expected["activations"] == pytest.approx(sum(one.nbytes for one in batch), rel=0.01)
    parts = np.array([expected[name] for name in list(expected)[:-3]])
    assert expected["all"] == parts.sum()


def test_parameters_that_are_packed_in_pieces_are_those_of_the_net(tmp_path: Path) -> None:
    given = {"layers": "600,500", "steps": "2", "checkpoint_every": "1", "histogram_every": "never"}
    config = from_options(None, given)
    session = trainer.start(config, prepare(load(config.data, 0), config.data, 0, "float32"))
    with RunWriter.create(tmp_path / "run.h5", describe(session)) as writer:
        trainer.run(session, writer)
        writer.pack()
    parameters, moments = session.network.parameters, session.network.memory.moments
    assert parameters.nbytes > 2**20
    with h5py.File(tmp_path / "run.h5") as file:
        assert np.array_equal(file["checkpoints/parameters"][1], parameters)
        assert not np.array_equal(file["checkpoints/parameters"][0], parameters)
        assert np.array_equal(file["checkpoints/optimizer_state"], moments)
    with dlprobe.open_run(tmp_path / "run.h5") as run:
        assert run.computed_content_sha256() == run.content_sha256
        head = f"<f4 [{len(parameters)}]\n".encode()
        assert run.parameters_sha256 == hashlib.sha256(head + parameters.tobytes()).hexdigest()
