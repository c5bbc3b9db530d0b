"""The pytest plugin, run by pytest inside pytest: silent unless used, one readable failure,
baselines updated on request only.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec

import pytest
from command_line import ROOT, environment

from dlprobe.errors import FAIL_ON, FAIL_ON_DEFAULT

pytest_plugins = ["pytester"]

TRAINS = """
def test_net(dlprobe_check):
    path = dlprobe_check({"data": {"data": "wine"}, "model": {"layers": "5"}, "training": {"epochs": 1}}, select=["N"])
    assert path.exists()
"""  # noqa: E501
LOADS = """
import pytest

@pytest.mark.dlprobe("ill.h5", select=["N"])
def test_run():
    pass
"""


RECORDS = """
import pytest
import torch

def train(model, optimizer, steps, check, **criteria):
    torch.manual_seed(0)
    x, y = torch.randn(64, 8), torch.arange(64) % 3
    with check.record(model, optimizer, **criteria) as rec:
        for _ in range(steps):
            loss = torch.nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            rec.loss(loss)

@pytest.mark.parametrize(
    ("depth", "activation", "steps"), [(12, "Sigmoid", 200), (2, "ReLU", 200), (2, "ReLU", 0)]
)
def test_loop(dlprobe_check, depth, activation, steps):
    hidden = [part for _ in range(depth) for part in (torch.nn.Linear(8, 8), getattr(torch.nn, activation)())]
    model = torch.nn.Sequential(*hidden, torch.nn.Linear(8, 3))
    train(model, torch.optim.SGD(model.parameters(), lr=0.1), steps, dlprobe_check, select=["G001"])
"""  # noqa: E501


@pytest.fixture
def folder(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with a run that diverged."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    shutil.copy(ROOT / "sample_runs" / "diverged.h5", pytester.path / "ill.h5")
    return pytester


def run(folder: pytest.Pytester, source: str, *options: str) -> pytest.RunResult:
    """In a process of its own: in this one pytester would forget modules that were imported
    inside, and they would register their records twice.
    """
    folder.makepyfile(source)
    plugin = () if _installed() else ("-p", "dlprobe.pytest_plugin")
    return folder.runpytest_subprocess(
        *plugin, "-p", "no:cacheprovider", "--strict-markers", *options
    )


def _installed() -> bool:
    from importlib.metadata import entry_points

    return any(each.value == "dlprobe.pytest_plugin" for each in entry_points(group="pytest11"))


def test_a_configuration_is_trained_and_checked(folder: pytest.Pytester) -> None:
    run(folder, TRAINS).assert_outcomes(passed=1)


@pytest.mark.skipif(find_spec("torch") is None, reason="could not import 'torch'")
def test_a_pytorch_loop_is_recorded_inside_the_test_and_checked(folder: pytest.Pytester) -> None:
    result = run(folder, RECORDS, "-v")
    result.assert_outcomes(passed=1, failed=2)
    outcomes = ("*12-Sigmoid-200* FAILED*", "*2-ReLU-200* PASSED*", "*2-ReLU-0* FAILED*")
    result.stdout.fnmatch_lines([*outcomes, "*G001 vanishing-gradient*", "*nothing was recorded*"])


def test_a_toml_file_is_trained_and_checked(folder: pytest.Pytester) -> None:
    (folder.path / "net.toml").write_text(
        '[data]\ndata = "wine"\n[training]\nsteps = 2\n', encoding="utf-8"
    )
    run(
        folder, "def test_net(dlprobe_check): dlprobe_check('net.toml', select=['N'])"
    ).assert_outcomes(passed=1)


def test_a_failure_says_what_where_and_what_to_try(folder: pytest.Pytester) -> None:
    result = run(folder, LOADS)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*dlprobe: 1 finding on ill.h5",
            "*N001 non-finite (error): the batch loss of step 6*",
            "*try dlprobe train ill.h5 --lr *",
            "*dlprobe explain N001",
        ]
    )
    assert "pytest_plugin.py" not in result.stdout.str()


def test_a_missing_or_damaged_run_fails(folder: pytest.Pytester) -> None:
    result = run(folder, "def test_run(dlprobe_check): dlprobe_check('none.h5')")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*none.h5*"])


def test_what_a_passed_test_could_not_look_at_is_said_at_the_end(folder: pytest.Pytester) -> None:
    result = run(
        folder, "def test_run(dlprobe_check): dlprobe_check('ill.h5', select=['D', 'W006'])"
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "*= dlprobe =*",
            "ill.h5: W006 was selected and not evaluated: *",
            "ill.h5: * not evaluated: *",
        ]
    )


def test_nothing_evaluated_is_no_pass(folder: pytest.Pytester) -> None:
    result = run(folder, "def test_run(dlprobe_check): dlprobe_check('ill.h5', select=['R'])")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*nothing could be evaluated*"])


def test_a_baseline_is_written_on_request_and_then_only_new_findings_fail(
    folder: pytest.Pytester,
) -> None:
    baseline = ("--dlprobe-baseline", "known.json")
    run(folder, LOADS, *baseline, "--dlprobe-update-baseline").assert_outcomes(passed=1)
    assert [
        each["code"]
        for each in json.loads((folder.path / "known.json").read_text(encoding="utf-8"))["findings"]
    ] == ["N001"]
    before = (folder.path / "known.json").read_bytes()
    run(folder, LOADS, *baseline).assert_outcomes(passed=1)
    shutil.copy(folder.path / "ill.h5", folder.path / "other.h5")
    run(folder, LOADS.replace("ill.h5", "other.h5"), *baseline).assert_outcomes(failed=1)
    assert (folder.path / "known.json").read_bytes() == before


def test_an_update_keeps_what_other_runs_are_known_for(folder: pytest.Pytester) -> None:
    baseline = ("--dlprobe-baseline", "known.json", "--dlprobe-update-baseline")
    run(folder, LOADS, *baseline)
    shutil.copy(folder.path / "ill.h5", folder.path / "other.h5")
    run(folder, LOADS.replace("ill.h5", "other.h5"), *baseline)
    assert (
        len(json.loads((folder.path / "known.json").read_text(encoding="utf-8"))["findings"]) == 2
    )


@pytest.mark.parametrize("name", ["ill.h5", "package.json", "pipe"])
def test_an_update_replaces_nothing_but_a_baseline(name: str, folder: pytest.Pytester) -> None:
    (folder.path / "package.json").write_text("{}")
    os.mkfifo(folder.path / "pipe")
    before = (folder.path / "ill.h5").read_bytes()
    result = run(folder, LOADS, "--dlprobe-baseline", name, "--dlprobe-update-baseline")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {name} is *"])
    assert ((folder.path / "ill.h5").read_bytes(), (folder.path / "package.json").read_text()) == (
        before,
        "{}",
    )
    assert (folder.path / "pipe").is_fifo()


@pytest.mark.parametrize(
    "options", [("--dlprobe-baseline", "none.json"), ("--dlprobe-update-baseline",)]
)
def test_wrong_options_end_the_session_with_one_line(
    folder: pytest.Pytester, options: tuple[str, ...]
) -> None:
    result = run(folder, LOADS, *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *baseline*"])


def test_the_plugin_loads_nothing_heavy_before_it_is_used(folder: pytest.Pytester) -> None:
    script = (
        "import sys, dlprobe.pytest_plugin; print([name for name in sys.modules if "
        "name.split('.')[0] in ('numpy', 'numba', 'h5py', 'typer', 'pydantic')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(),
        cwd=folder.path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_tests_that_do_not_use_it_are_left_alone(folder: pytest.Pytester) -> None:
    result = run(
        folder,
        (
            "def test_other(request): assert not [name for name in request.fixturenames if "
            "'dlprobe' in name]"
        ),
    )
    result.assert_outcomes(passed=1)
    assert "dlprobe: " not in result.stdout.str()


GATED = """
import pytest

@pytest.mark.parametrize("severity", ["info", "warning", "error"])
@pytest.mark.parametrize("fail_on", {words})
def test_run(dlprobe_check, severity, fail_on):
    given = {{}} if fail_on is None else {{"fail_on": fail_on}}
    dlprobe_check("ill.h5", select="N001,G005", settings={{"N001.severity": severity}}, **given)
"""


def test_a_test_fails_exactly_where_check_does(folder: pytest.Pytester) -> None:
    """One finding, made an info, a warning, an error; `check` is tested by the same table in
    tests/commands/test_check.py.
    """
    failing = sum(len(FAIL_ON[word or FAIL_ON_DEFAULT]) for word in (*FAIL_ON, None))
    run(folder, GATED.format(words=[*FAIL_ON, None])).assert_outcomes(
        failed=failing, passed=15 - failing
    )


def test_a_severity_that_is_none_fails_with_the_list(folder: pytest.Pytester) -> None:
    result = run(folder, "def test_run(dlprobe_check): dlprobe_check('ill.h5', fail_on='warn')")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*fail-on: unknown severity 'warn'*"])


@pytest.mark.parametrize(
    ("bound", "outcome", "text"),
    [
        ("val_error<=5%", "failed", "24 of 360"),
        ("val_error<=10%", "passed", ""),
        ("r2>.9", "failed", "no val_r2"),
    ],
)
def test_a_test_may_ask_for_a_bound(
    folder: pytest.Pytester, bound: str, outcome: str, text: str
) -> None:
    result = run(
        folder,
        (
            "def test_run(dlprobe_check): "
            f"dlprobe_check({str(ROOT / 'sample_runs' / 'healthy.h5')!r}, select='N', "
            f"gate={bound!r})"
        ),
    )
    result.assert_outcomes(**{outcome: 1})
    result.stdout.fnmatch_lines([f"*{text}*"])
