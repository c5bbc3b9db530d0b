"""pytest plugin: tests that train a network, or load a run, and check it by rules. Does nothing
unless its fixture, marker or options are used.

    def test_my_network_learns(dlprobe_check):
        dlprobe_check({"model": {"layers": "64,64"}, "training": {"epochs": 5}}, select=["G", "L"])

    def test_my_pytorch_loop_learns(dlprobe_check):
        with dlprobe_check.record(model, optimizer, select=["G", "L"]) as rec:
            ...  # your loop, with rec.loss(loss)

    @pytest.mark.dlprobe("runs/nightly.h5")
    def test_nightly_run(): ...

Known findings stand in the file that `--dlprobe-baseline` names; `--dlprobe-update-baseline` writes
what the tests of this session found into it.
`select`, `ignore`, `settings`, `gate` and `fail_on` mean what the options of `dlprobe check` mean;
no project file is read: what a test asks stands in it. Nothing heavy is imported before a test asks
for it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dlprobe.errors import FAIL_ON_DEFAULT
from dlprobe.registry import counted

if TYPE_CHECKING:
    from dlprobe.rules.files import JudgedRun

MARKER = (
    f"dlprobe(source, *, select=(), ignore=(), settings={{}}, gate=(), "
    f"fail_on={FAIL_ON_DEFAULT!r}): train or load a run and check it before the test"
)
PROPERTY = "dlprobe"  # of a test report: what could not be evaluated
JUDGED = pytest.StashKey[list[Any]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The two options."""
    group = parser.getgroup("dlprobe", "checking neural networks")
    group.addoption(
        "--dlprobe-baseline",
        metavar="FILE",
        help="findings known to dlprobe: only new ones fail a test",
    )
    group.addoption(
        "--dlprobe-update-baseline",
        action="store_true",
        help="write what the tests find into the file of --dlprobe-baseline; no test fails by it",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Announce the marker. Raises UsageError for an update without a file or of a file that is
    no baseline, and for a baseline that is missing.
    """
    config.addinivalue_line("markers", MARKER)
    path = config.getoption("--dlprobe-baseline")
    update = config.getoption("--dlprobe-update-baseline")
    if update and config.getoption("numprocesses", None):
        raise pytest.UsageError("--dlprobe-update-baseline writes one file: leave -n out")
    if update and not path:
        raise pytest.UsageError(
            "--dlprobe-update-baseline needs --dlprobe-baseline FILE: the file to write"
        )
    if update and Path(path).exists():
        from dlprobe.errors import RunFileError
        from dlprobe.rules.known import read_baseline

        if not Path(path).is_file():
            raise pytest.UsageError(
                f"{path} is not a regular file: name a file with --dlprobe-baseline"
            )
        try:
            read_baseline(Path(path))  # nothing else is replaced
        except RunFileError as error:
            raise pytest.UsageError(str(error)) from None
    if path and not update and not Path(path).is_file():
        raise pytest.UsageError(
            f"{path}: no such baseline: write it with --dlprobe-update-baseline"
        )
    config.stash[JUDGED] = []


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the baseline where that was asked for."""
    judged = session.config.stash.get(JUDGED, [])
    if session.config.getoption("--dlprobe-update-baseline") and judged:
        from dlprobe.rules.known import update_baseline

        update_baseline(Path(session.config.getoption("--dlprobe-baseline")), judged)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what the rules could not look at in tests that passed too; the properties of a report
    come from the workers of pytest-xdist as well.

    Texts may come from run files: nothing in them acts on the terminal.
    """
    reports = [
        each
        for found in terminalreporter.stats.values()
        for each in found
        if getattr(each, "when", "") == "call"
    ]
    texts = [
        str(text) for report in reports for name, text in report.user_properties if name == PROPERTY
    ]
    if texts:
        terminalreporter.section("dlprobe")
        for text in dict.fromkeys(texts):
            terminalreporter.write_line(
                "".join(character if character.isprintable() else "?" for character in text)
            )


@pytest.fixture
def dlprobe_check(request: pytest.FixtureRequest, tmp_path: Path) -> Checker:
    """Call it with a configuration (a mapping or the path of a TOML file) or a run file, a
    recorder's too, or record with it: the test fails on findings.
    """
    return Checker(request.node, tmp_path)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Check what the markers of a test name before the test itself runs."""
    __tracebackhide__ = True
    markers = list(item.iter_markers("dlprobe"))
    if markers:
        with tempfile.TemporaryDirectory(prefix="dlprobe-") as folder:
            check = Checker(item, Path(folder))
            for marker in markers:
                check(*marker.args, **marker.kwargs)
    return (yield)


class Checker:
    """Trains or loads, judges, and fails the test with a readable text."""

    def __init__(self, item: pytest.Item, folder: Path) -> None:
        self._item, self._config, self._test, self._folder = item, item.config, item.nodeid, folder
        self._count = 0

    def __call__(
        self,
        source: Mapping[str, Any] | str | Path,
        *,
        select: str | Sequence[str] = (),
        ignore: str | Sequence[str] = (),
        settings: Mapping[str, Any] | None = None,
        gate: str | Sequence[str] = (),
        fail_on: str = FAIL_ON_DEFAULT,
    ) -> Path:
        """Check a run file, or the run that a configuration trains; the path of the run file.

        select, ignore: codes or prefixes; settings: thresholds by code and name, or by "CODE.name";
        gate: bounds such as "val_error<=5%"; fail_on: error, warning, info or never. Raises
        ConfigError, DataError or RunFileError where an argument is wrong, or nothing can be trained
        or read.
        """
        __tracebackhide__ = True
        path, name = self._run_file(source)
        return self._check(path, name, select, ignore, settings, gate, fail_on)

    @contextmanager
    def record(
        self,
        model: Any,
        optimizer: Any,
        *,
        every: int = 1,
        select: str | Sequence[str] = (),
        ignore: str | Sequence[str] = (),
        settings: Mapping[str, Any] | None = None,
        gate: str | Sequence[str] = (),
        fail_on: str = FAIL_ON_DEFAULT,
    ) -> Iterator[Any]:
        """Record a PyTorch model while the `with` block trains it, then check the run; gives what
        `dlprobe.recorders.torch.record` gives.

        every: record each so many-th step; the others as for a call. A block that fails is not
            checked. Raises ConfigError for what cannot be recorded.
        """
        __tracebackhide__ = True
        from dlprobe.recorders.torch import record

        self._count += 1
        path = self._folder / f"run{self._count}.h5"
        with record(model, optimizer, path, every=every) as recording:
            yield recording
        if not path.is_file():
            pytest.fail(
                "dlprobe: nothing was recorded: the optimizer made no step, or the recorder "
                "stopped with a warning",
                pytrace=False,
            )
        self._check(path, self._numbered, select, ignore, settings, gate, fail_on)

    def _check(
        self,
        path: Path,
        name: str,
        select: str | Sequence[str],
        ignore: str | Sequence[str],
        settings: Mapping[str, Any] | None,
        gate: str | Sequence[str],
        fail_on: str,
    ) -> Path:
        __tracebackhide__ = True
        from dlprobe.reports.check import unevaluated_lines
        from dlprobe.rules.files import criteria, judged_files, run_files
        from dlprobe.rules.gate import codes, settings_of, severities

        fails_on, chosen = (
            severities(fail_on),
            criteria(codes(select), codes(ignore), settings_of(settings or {}), codes(gate)),
        )
        judged = [
            self._named(file_, path, name) for file_ in judged_files(run_files([path]), chosen)
        ]
        self._item.user_properties += [
            (PROPERTY, f"{judgement.path}: {line}")
            for judgement in judged
            for line in unevaluated_lines(judgement, chosen.asked)
        ]
        if problem := self._problem(judged, fails_on):
            pytest.fail(problem, pytrace=False)
        return path

    def _run_file(self, source: Mapping[str, Any] | str | Path) -> tuple[Path, str]:
        """The file, trained first where a configuration is given, and what the run is called in
        baseline and messages.
        """
        self._count += 1
        if isinstance(source, Mapping):
            return train(source, self._folder / f"run{self._count}.h5"), self._numbered
        path = Path(source)
        if path.suffix == ".toml":
            return train(path, self._folder / f"run{self._count}.h5"), self._numbered
        return path, str(path)

    @property
    def _numbered(self) -> str:
        """What the run of this call is named: the test, with a number from the second call on."""
        return f"{self._test}[{self._count}]" if self._count > 1 else self._test

    @staticmethod
    def _named(judged: JudgedRun, path: Path, name: str) -> JudgedRun:
        from dataclasses import replace

        other = name + judged.path.removeprefix(str(path))
        return replace(judged, path=other, named=other != judged.path)

    def _problem(self, judged: Sequence[JudgedRun], fails_on: Sequence[str]) -> str:
        """Why the test fails; empty where it does not."""
        if self._config.getoption("--dlprobe-update-baseline"):
            self._config.stash[JUDGED] += judged
            return "\n".join(judgement.unreadable for judgement in judged if judgement.unreadable)
        baseline = self._config.getoption("--dlprobe-baseline")
        if baseline:
            from dlprobe.rules.known import read_baseline

            judged = [
                read_baseline(Path(baseline)).without_known(judgement) for judgement in judged
            ]
        return "\n".join(filter(None, (told(judgement, fails_on) for judgement in judged)))


def told(judged: JudgedRun, fails_on: Sequence[str]) -> str:
    """What fails a run, in lines: its findings with place and remedy, or why it could not be
    judged.
    """
    if judged.unreadable:
        return judged.unreadable
    from dlprobe.reports.check import checked_run, unevaluated_lines

    run = checked_run(judged)
    if not judged.evaluated:
        reasons = "".join(
            f"\n  {code}: {reason}" for code, reason in judged.judgement.not_evaluated.items()
        )
        return f"dlprobe: {run.blind} on {judged.path}:{reasons}"
    if judged.not_compared:
        return "\n".join(
            f"dlprobe: {judged.path}: {line}"
            for line in unevaluated_lines(judged, ())
            if line.startswith(tuple(judged.not_compared))
        )
    from dlprobe.rules.gate import failing

    failed = failing(judged.judgement.findings, fails_on)
    if not failed:
        return ""
    lines = [f"dlprobe: {counted(len(failed), 'finding')} on {judged.path}"]
    if run.diagnosis is not None:
        lines += [
            f"  {text}"
            for text in (run.sentence, *run.diagnosis.caveats, run.diagnosis.unknown)
            if text
        ]
    for finding in run.findings:
        if finding.severity not in fails_on:
            continue
        lines.append(f"  {finding.code} {finding.name} ({finding.severity}): {finding.evidence}")
        lines += [
            f"      {detail}" for detail in (run.place_of(finding), finding.numbers) if detail
        ]
        lines += [f"      {remedy}" for remedy in run.tries_of(finding)]
    return "\n".join([*lines, f"  dlprobe explain {failed[0].code}"])


def train(source: Mapping[str, Any] | Path, path: Path) -> Path:
    """Train a configuration into a new run file. Raises ConfigError or DataError."""
    from dlprobe.config import from_mapping, from_toml
    from dlprobe.data import load, prepare
    from dlprobe.runs import RunWriter
    from dlprobe.training import trainer
    from dlprobe.training.describe import describe

    config = from_toml(source) if isinstance(source, Path) else from_mapping(source)
    seed = config.training.seed
    session = trainer.start(
        config, prepare(load(config.data, seed), config.data, seed, config.training.dtype)
    )
    with RunWriter.create(path, describe(session)) as writer:
        trainer.run(session, writer)
        return writer.pack()
