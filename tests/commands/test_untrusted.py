"""--untrusted: reading in a process of its own, whose crash, hang or hunger is one line here;
--max-declared: what one file may declare.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from command_line import ROOT, dlprobe, process

from dlprobe.commands.base import application, untrusted
from dlprobe.commands.base.typed_line import TYPED

VANISHING, HEALTHY = (str(ROOT / "sample_runs" / f"{name}.h5") for name in ("vanishing", "healthy"))
READING = {
    "inspect": (VANISHING,),
    "check": (VANISHING,),
    "diff": (VANISHING, HEALTHY),
    "export": (HEALTHY, "-o", "out.csv"),
    "report": (HEALTHY,),
}


@pytest.mark.parametrize("name", READING)
def test_it_prints_and_ends_as_without(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plain = dlprobe(name, *READING[name], "--format", "json")
    (tmp_path / "out.csv").unlink(missing_ok=True)
    apart = process(name, *READING[name], "--format", "json", "--untrusted", folder=tmp_path)
    assert (apart.code, apart.out, apart.err) == (plain.code, plain.out, plain.err)


def test_every_command_that_has_it_is_tried() -> None:
    offered = {
        name
        for name in application.names()
        if any("--untrusted" in parameter.opts for parameter in application.load(name).params)
    }
    assert offered == set(READING)


@pytest.mark.parametrize(
    ("child", "said"),
    [
        ("import os; os.kill(os.getpid(), 11)", "reading crashed (SIGSEGV)"),
        ("import time; time.sleep(60)", "reading took more than"),
        (
            "import resource as r; r.setrlimit(r.RLIMIT_CPU, (1, 1))\nwhile True: pass",
            "reading took more than",
        ),
    ],
)
def test_what_ends_the_process_is_one_line(
    child: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(untrusted, "CHILD", child)
    monkeypatch.setattr(untrusted, "SECONDS", 2.0)
    outcome = dlprobe("inspect", VANISHING, "--untrusted")
    assert (outcome.code, outcome.out, len(outcome.errors)) == (2, "", 1)
    assert said in outcome.err


def test_memory_beyond_the_limit_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A file that passes every check and declares more than the process may take."""
    hungry = (
        "import resource as r; from dlprobe.commands import main; import dlprobe.hdf5.guard as g, "
        "sys, numpy\n"
    )
    hungry += "g.GuardedFile.read = lambda self, path: numpy.ones(2**40)\nsys.exit(main())"
    monkeypatch.setattr(untrusted, "CHILD", hungry)
    assert dlprobe("inspect", VANISHING, "--untrusted").code == 2
    assert capfd.readouterr().err.count("error: ") == 1


def test_a_hostile_file_is_refused_there_as_here(tmp_path: Path) -> None:
    path = tmp_path / "hostile.h5"
    path.write_bytes(Path(VANISHING).read_bytes()[:30000] + os.urandom(5000))
    plain, apart = (
        process("inspect", "hostile.h5", *more, folder=tmp_path) for more in ((), ("--untrusted",))
    )
    assert (apart.code, apart.err) == (plain.code, plain.err)
    assert (apart.code, apart.err.count("\n")) == (2, 1)


def test_what_a_file_may_declare_is_the_users_to_raise() -> None:
    refused = dlprobe("inspect", VANISHING, "--max-declared", "1e-6")
    assert (refused.code, len(refused.errors)) == (2, 1)
    assert "--max-declared raises it" in refused.err
    assert dlprobe("inspect", VANISHING, "--max-declared", "20").code == 0
    assert dlprobe("inspect", VANISHING, "--max-declared", "0").code == 2
    assert dlprobe("inspect", VANISHING, "--follow", "--untrusted").code == 2
    assert TYPED.get() == ()
