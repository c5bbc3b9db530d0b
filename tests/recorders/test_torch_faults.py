"""The PyTorch recorder where something fails, is wrong or ends early: nothing of the user's
breaks.
"""

from __future__ import annotations

import copy
import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recorded_torch
from command_line import dlprobe as command
from recorded_torch import RATE, SIZES, TOLERANCE, F, Net, batches, plain_step, recorded, torch

import dlprobe
from dlprobe.errors import ConfigError, DlprobeWarning, RunFileError


def test_a_failing_recorder_warns_once_and_the_training_ends_as_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dlprobe.recorders.torch.measuring import Measuring

    real, count = Measuring.calls, [0]

    def breaks(*given: Any) -> None:
        count[0] += 1
        if count[0] == 4:  # the third step: the first measures what the loss told once more
            raise RuntimeError("out of luck")
        real(*given)

    monkeypatch.setattr(Measuring, "calls", breaks)
    torch.manual_seed(0)
    model, other = Net(), Net()
    other.load_state_dict(model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with dlprobe.recorders.torch.record(model, optimizer, tmp_path / "run.h5") as rec:
            for x, y in batches(0, 6):
                plain_step(model, optimizer, x, y, rec)
    expected = (
        "the recorder of dlprobe: stopped recording at step 2, the training goes on: "
        "RuntimeError: out of luck"
    )
    assert [(each.category, str(each.message)) for each in told] == [(DlprobeWarning, expected)]
    train_plainly(other, 6)
    assert all(
        torch.equal(one, two)
        for one, two in zip(model.parameters(), other.parameters(), strict=True)
    )
    assert not [
        module for module in model.modules() if module._forward_hooks or module._forward_pre_hooks
    ]
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert (run.status, list(run.steps)) == ("interrupted", [0, 1])


def train_plainly(model: Any, steps: int) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    for x, y in batches(0, steps):
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()


def test_where_warnings_are_errors_a_failing_recorder_says_so_on_stderr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dlprobe.recorders.torch.capture import Capture

    monkeypatch.setattr(Capture, "after_step", lambda self: 1 / 0)
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    with dlprobe.recorders.torch.record(model, optimizer, tmp_path / "run.h5") as rec:
        plain_step(model, optimizer, *batches(0, 1)[0], rec)
    assert "stopped recording at step 0" in capsys.readouterr().err


def test_a_second_recorder_of_a_file_is_told_nothing_of_a_command(tmp_path: Path) -> None:
    path, steps = tmp_path / "run.h5", batches(0, 2)
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    with dlprobe.recorders.torch.record(model, optimizer, path) as first:
        plain_step(model, optimizer, *steps[0], first)
        second = dlprobe.recorders.torch.record(model, optimizer, path, force=True, strict=True)
        with pytest.raises(RunFileError, match="being written by process") as raised:
            plain_step(model, optimizer, *steps[1], second)
        assert " -" not in str(raised.value).partition("being written")[2]


def test_a_strict_recorder_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dlprobe.recorders.torch.capture import Capture

    monkeypatch.setattr(Capture, "after_step", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        recorded(Net(), tmp_path / "run.h5")


def test_what_the_user_gives_wrongly_is_left_out_with_a_warning(tmp_path: Path) -> None:
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    with dlprobe.recorders.torch.record(model, optimizer, tmp_path / "run.h5") as rec:
        plain_step(model, optimizer, *batches(0, 1)[0], rec)
        with pytest.warns(DlprobeWarning, match="left out evaluation: .*val_los"):
            rec.evaluation(val_los=1.0)
        with pytest.warns(
            DlprobeWarning, match="left out data: .*the first step is recorded already"
        ):
            rec.data(np.ones((2, 2)), np.ones(2))
        plain_step(model, optimizer, *batches(0, 1)[0], rec)
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert (run.status, list(run.steps)) == ("finished", [0, 1])


def test_nan_at_a_step_is_a_row_and_the_run_diverged(tmp_path: Path) -> None:
    def step(model: Any, optimizer: Any, x: Any, y: Any, rec: Any) -> None:
        if len(recorded_steps) == 2:
            with torch.no_grad():
                model.encoder[2].weight[0, 0] = float("nan")
        recorded_steps.append(1)
        plain_step(model, optimizer, x, y, rec)

    recorded_steps: list[int] = []
    recorded(Net(), tmp_path / "run.h5", step, steps=5)
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert run.status == "diverged"
        assert list(run.steps) == [0, 1, 2]  # after NaN weights nothing is left to describe
        assert list(run.row(2)["nonfinite_forward"]) == [0.0, 2.0 * 32, 2.0 * 32 * 3]
    found = json.loads(command("check", str(tmp_path / "run.h5"), "--format", "json").out)["runs"][
        0
    ]["findings"]
    assert "N001" in [each["code"] for each in found]


def test_copies_and_saved_models_have_no_recorder_in_them(tmp_path: Path) -> None:
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    with dlprobe.recorders.torch.record(model, optimizer, tmp_path / "run.h5", strict=True) as rec:
        plain_step(model, optimizer, *batches(0, 1)[0], rec)
        twin, buffer = copy.deepcopy(model), io.BytesIO()
        torch.save(model, buffer)
        torch.save(optimizer, io.BytesIO())
        train_plainly(twin, 2)
        plain_step(model, optimizer, *batches(0, 1)[0], rec)
    assert b"dlprobe" not in buffer.getvalue()
    buffer.seek(0)
    train_plainly(torch.load(buffer, weights_only=False), 2)
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert list(run.steps) == [0, 1]


def test_hooks_are_there_at_recorded_steps_only(tmp_path: Path) -> None:
    model, seen = Net(), []

    def step(model: Any, optimizer: Any, x: Any, y: Any, rec: Any) -> None:
        seen.append(
            sum(
                len(module._forward_hooks) + len(module._forward_pre_hooks)
                for module in model.modules()
            )
            > 0
        )
        plain_step(model, optimizer, x, y, rec)

    recorded(model, tmp_path / "run.h5", step, steps=5, every=3)
    assert seen == [True, False, False, True, False]
    assert sum(len(module._forward_hooks) for module in model.modules()) == 0
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert list(run.steps) == [0, 3]
        assert run.is_recorded("batch_loss")


KILLED = """
import os, signal, torch, dlprobe
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
with dlprobe.recorders.torch.record(model, optimizer, "run.h5") as rec:
    for step in range(4000):
        loss = torch.nn.functional.cross_entropy(model(torch.randn(16, 4)), torch.randint(0, 2, (16,)))
        loss.backward(); optimizer.step(); optimizer.zero_grad(); rec.loss(loss)
        if step > 20 and os.path.getsize("run.h5.journal") > 60_000:
            os.kill(os.getpid(), signal.SIGKILL)
"""  # noqa: E501


def test_a_killed_training_leaves_a_run_that_can_be_read(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", KILLED],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        check=False,
        timeout=120,
    )
    assert result.returncode == -signal.SIGKILL
    with recorded_torch.opened(tmp_path / "run.h5.journal") as run:
        assert run.status == "interrupted"
        assert len(run.steps) > 10
        assert np.isfinite(run.statistic("error_signal_rms")).all()
    assert command("inspect", str(tmp_path / "run.h5.journal")).code == 0


DISTRIBUTED = """
import sys, torch, dlprobe
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
rank = int(sys.argv[1])
dist.init_process_group("gloo", init_method=f"file://{sys.argv[2]}/meet", rank=rank, world_size=2)
for clip in (False, True):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(6, 12), torch.nn.ReLU(), torch.nn.Linear(12, 3))
    torch.save(model.state_dict(), f"{sys.argv[2]}/start{rank}.pt")
    parallel = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    random = torch.Generator().manual_seed(1)
    with dlprobe.recorders.torch.record(parallel, optimizer, f"{sys.argv[2]}/{clip}.h5", strict=True) as rec:
        for step in range(3):
            x, y = torch.randn(32, 6, generator=random), torch.randint(0, 3, (32,), generator=random)
            loss = torch.nn.functional.cross_entropy(parallel(x[rank * 16 : rank * 16 + 16]), y[rank * 16 : rank * 16 + 16])
            loss.backward()
            if clip:
                torch.nn.utils.clip_grad_norm_(model.parameters(), 0.05)
            optimizer.step(); optimizer.zero_grad(); rec.loss(loss)
dist.barrier()  # who leaves first would break the connection of the other
dist.destroy_process_group()
"""  # noqa: E501


def test_of_two_processes_the_first_writes_and_gradients_are_those_of_both(tmp_path: Path) -> None:
    """A parameter hook would see 1.35 and 1.70 times the truth."""
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", DISTRIBUTED, str(rank), str(tmp_path)], env=environment
        )
        for rank in range(2)
    ]
    assert [process.wait(timeout=120) for process in running] == [0, 0]
    for clip in (False, True):
        _assert_gradients_of_both(tmp_path, clip)


def _assert_gradients_of_both(folder: Path, clip: bool) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(6, 12), torch.nn.ReLU(), torch.nn.Linear(12, 3))
    model.load_state_dict(torch.load(folder / "start0.pt"))
    random = torch.Generator().manual_seed(1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with recorded_torch.opened(folder / f"{clip}.h5") as run:
        assert any("samples of process 0" in note for note in run.facts.notes or ())
        for step in range(3):
            x, y = (
                torch.randn(32, 6, generator=random),
                torch.randint(0, 3, (32,), generator=random),
            )
            F.cross_entropy(model(x), y).backward()
            row = run.row(step)
            expected = [float(layer.weight.grad.norm()) for layer in (model[0], model[2])]
            np.testing.assert_allclose(row["gradient_l2"], expected, rtol=TOLERANCE)
            z = model[0](x[:16]).detach().numpy()
            assert row["preactivation_variance"][0] == pytest.approx(z.var(), rel=TOLERANCE)
            if clip:
                torch.nn.utils.clip_grad_norm_(model.parameters(), 0.05)
            np.testing.assert_allclose(
                row["clipped_gradient_l2"],
                [float(layer.weight.grad.norm()) for layer in (model[0], model[2])],
                rtol=TOLERANCE,
            )
            optimizer.step()
            optimizer.zero_grad()


# --- refused
# --------------------------------------------------------------------------------------------------


def test_what_hooks_cannot_record_is_refused_with_the_way_that_can(tmp_path: Path) -> None:
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    with pytest.raises(
        ConfigError,
        match=(
            r"DataParallel hands hooks pieces of the model: record it with "
            r"dlprobe\.recorders\.Probe"
        ),
    ):
        dlprobe.recorders.torch.record(torch.nn.DataParallel(model), optimizer, tmp_path / "run.h5")
    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(lambda p: None)
    with pytest.raises(
        ConfigError,
        match=r"encoder\.0\.weight has a hook .* optimizer inside the backward pass.*Probe",
    ):
        dlprobe.recorders.torch.record(model, optimizer, tmp_path / "run.h5")
    (tmp_path / "there.h5").touch()
    with pytest.raises(RunFileError, match="exists already"):
        dlprobe.recorders.torch.record(Net(), optimizer, tmp_path / "there.h5")
    assert [each.name for each in tmp_path.iterdir()] == ["there.h5"]


def test_importing_dlprobe_and_its_recorders_loads_no_framework() -> None:
    script = textwrap.dedent("""
        import sys, dlprobe
        dlprobe.recorders.torch.record, dlprobe.recorders.arrays.Recorder
        print(*(name for name in ("torch", "keras", "jax", "h5py") if name in sys.modules))
    """)
    result = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert result.stdout.split() in ([], ["h5py"])


def test_no_warning_is_given_when_all_is_well(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recorded(Net(), tmp_path / "run.h5")
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert (run.status, run.facts.notes) == ("finished", None)


def test_vanishing_in_pytorch_is_what_check_says(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Net("sigmoid", (SIZES[0], *[24] * 12, SIZES[-1]))
    recorded(model, tmp_path / "run.h5", steps=120)
    outcome = command("check", str(tmp_path / "run.h5"), "--format", "json")
    found = json.loads(outcome.out)["runs"][0]["findings"]
    assert outcome.code == 1
    assert "G001" in [each["code"] for each in found]
    signals = recorded_torch.opened(tmp_path / "run.h5").row(0)["error_signal_rms"]
    assert signals[0] < 1e-6 * signals[-1]
