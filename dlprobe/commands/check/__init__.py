"""Judge runs and configurations: what is wrong, where, and why.

A configuration (.toml) is judged before it is trained. Exit code 0: nothing found (or nothing as
severe as --fail-on asks); 1: findings; 2: a file could not be read, no rule about gradients,
activations or learning could look, or something could not be compared with the runs of --against.
Options may stand in [tool.dlprobe] of pyproject.toml or in dlprobe.toml, in the working folder or
above it up to the repository's; the command line wins. What they change is said with the result,
also with -q; a file or folder that belongs to another user has no say.

Examples:
  dlprobe check runs/digits-1.h5
  dlprobe check runs/digits-1.h5 --select N --fail-on warning
  dlprobe check runs/digits-1.h5 --format sarif -o findings.sarif
  dlprobe check runs/digits-1.h5 --advise
  dlprobe check runs/digits-1.h5 --prove
  dlprobe check runs/digits-1.h5 --write-baseline known.json
  dlprobe check runs/digits-1.h5 --baseline known.json
  dlprobe check runs/digits-1.h5 --against runs/digits-1.h5
  dlprobe check runs/digits-1.h5 --gate "val_error<=50%" --gate "val_loss<2.3"
  dlprobe new --layers 100x20 --activation sigmoid -o net.toml
  dlprobe check net.toml
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlprobe.commands.base.file_kinds import BASELINE as BASELINE_FILE
from dlprobe.commands.base.named_files import allow_file_option
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.untrusted import reading_options
from dlprobe.commands.base.writing import claim, read_as, write_text
from dlprobe.commands.check import options
from dlprobe.errors import ConfigError, ExitCode
from dlprobe.registry import counted
from dlprobe.render.checked import SCHEMA as SCHEMA
from dlprobe.version import version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dlprobe.commands.base.writing import Input, Target
    from dlprobe.commands.check.project_file import ProjectFile
    from dlprobe.experiments.proof_record import Proof
    from dlprobe.render.checked import CheckDocument, ProjectSettings
    from dlprobe.rules.files import Criteria, JudgedRun

LISTED = ("Fix and guard", 1)
SHORT = (
    "--select --ignore --set --fail-on --advise --prove --against --baseline --write-baseline "
    "--gate --counts --exit-zero --output"
)

CONFIGURATION_SUFFIX = ".toml"
GREEDY = ("--against",)  # takes all that follows, as shells expand --against old/*.h5


@allow_file_option
@reading_options
def command(
    runs: options.Runs,
    select: options.Select = None,
    ignore: options.Ignore = None,
    extend_select: options.Extend = None,
    set: options.Set = None,
    fail_on: options.FailOn = None,
    exit_zero: options.ExitZero = False,
    counts: options.Counts = False,
    advise: options.Advise = False,
    baseline: options.Baseline = None,
    against: options.Against = None,
    gate: options.Gate = None,
    write_baseline: options.Write = None,
    prove: options.Prove = False,
    seeds: options.Seeds = None,
    output: options.Output = None,
    force: options.Force = False,
    *,
    screen: Screen,
) -> ExitCode:
    """Read the options, judge, show."""
    from dlprobe.commands.check.project_file import project_file, settings_told
    from dlprobe.commands.check.proving import claimed, kept_proofs, proved
    from dlprobe.rules.files import COMPARING, run_files

    _refuse_together(counts, seeds, details=screen.details, advise=advise, prove=prove)
    project = project_file()
    here = {
        "select": select,
        "ignore": ignore,
        "fail-on": fail_on,
        "exit-zero": exit_zero,
        "baseline": baseline or write_baseline,
        "against": against,
        "gate": gate,
    }
    settings = settings_told(
        project,
        [key for key, value in here.items() if value],
        [text.partition("=")[0].strip() for text in set or ()],
        screen,
    )
    chosen = replace(
        read_criteria(project, select, ignore, extend_select, set, gate), advise=advise
    )
    fails_on = _fails_on(fail_on, project)
    known = None if write_baseline else baseline or _path(project.options.get("baseline"))
    if against and not any(rule.code[0] == COMPARING for rule in chosen.selection.rules):
        raise ConfigError(
            "--against compares by the rules R001, R002 …, and none of them is selected: add "
            "--extend-select R"
        )
    files = run_files(runs)
    old = run_files(against or [Path(path) for path in project.texts("against")])
    _refuse_untrained(files, bool(against), prove)
    inputs = [
        *read_as("a run that is judged", *files),
        *read_as("a run that is compared with", *old),
        *read_as("the findings baseline", known),
        *read_as("the file of the project's options", project.path),
    ]
    learned, target = _claims(write_baseline, output, inputs, screen.kind, force)
    proving = claimed(files, inputs) if prove else {}
    judged = judge_all(files, chosen, known, old, screen)
    proofs = proved(judged, proving, seeds, screen) if prove else kept_proofs(judged, screen)
    code = exit_code(
        judged,
        fails_on,
        exit_zero or bool(project.options.get("exit-zero")) or write_baseline is not None,
    )
    if learned is not None and code == ExitCode.DONE:
        _write(learned, judged, screen)
    screen.write(
        _document(judged, chosen, code, fails_on, counts, screen.details, settings, proofs.by_path),
        target,
    )
    return screen.interrupted(proofs.interrupted) if proofs.interrupted else code


def _refuse_together(counts: bool, seeds: int | None, **views: bool) -> None:
    """What does not go together. views: options that look at single runs. Raises ConfigError."""
    for name, chosen in views.items():
        if chosen and counts:
            does = "goes through them one by one"
            does = "shows every finding of each" if name == "details" else does
            raise ConfigError(
                f"--counts shows no single run, --{name} {does}: expected one of the two"
            )
    if seeds is not None and not views["prove"]:
        raise ConfigError("--seeds is for --prove: give both or neither")


def _claims(
    baseline: Path | None, output: Path | None, inputs: list[Input], kind: str, force: bool
) -> tuple[Target | None, Target | None]:
    """Where --write-baseline and --output write, before anything is judged."""
    read = [*inputs, *read_as("what --write-baseline writes", baseline)]
    learned = target = None
    if baseline is not None:
        learned = claim(baseline, BASELINE_FILE, inputs, force=True, option="--write-baseline")
    if output is not None:
        target = claim(output, kind, read, force=force)
    return learned, target


def _refuse_untrained(files: Sequence[Path], against: bool, prove: bool) -> None:
    """Configurations where only runs will do. Raises ConfigError."""
    untrained = [path for path in files if path.suffix == CONFIGURATION_SUFFIX]
    if against and len(untrained) == len(files):
        raise ConfigError(
            f"--against compares the numbers of runs, and {untrained[0]} is a configuration: "
            "train it first"
        )
    if prove and untrained:
        raise ConfigError(
            f"--prove trains the net of a run again, and {untrained[0]} is a configuration: "
            "train it first"
        )


def read_criteria(
    project: ProjectFile, select: Any, ignore: Any, extend: Any, settings: Any, gate: Any = None
) -> Criteria:
    """Project file and command line: lists on the command line replace those of the file,
    --extend-select and --set add to them.
    """
    from dlprobe.rules.files import criteria
    from dlprobe.rules.gate import codes, settings_from, settings_of

    chosen = codes(select) or project.texts("select")
    added = [*codes(extend), *project.texts("extend-select")]
    tables = settings_of(project.options.get("set", {}))
    for code, table in settings_from(settings or ()).items():
        tables.setdefault(code, {}).update(table)
    return criteria(
        [*chosen, *added] if chosen else [],
        codes(ignore) or project.texts("ignore"),
        tables,
        gate or project.texts("gate"),
    )


def _fails_on(typed: str | None, project: ProjectFile) -> tuple[str, ...]:
    """The severities that fail: the command line's word, else the project file's, else the
    default.
    """
    from dlprobe.rules.gate import severities

    try:
        return severities(typed or project.options.get("fail-on"))
    except ConfigError as error:
        raise ConfigError(f"{project.path}: {error}") from None


def _path(text: Any) -> Path | None:
    return None if text is None else Path(text)


def judge_all(
    files: Sequence[Path], chosen: Criteria, known: Path | None, old: Sequence[Path], screen: Screen
) -> list[JudgedRun]:
    """Every run judged, what stands in the way said on stderr, known findings left out."""
    from dlprobe.commands.check.configurations import judged_configurations
    from dlprobe.rules.against import judged_against
    from dlprobe.rules.files import judged_files
    from dlprobe.rules.known import read_baseline

    accepted = None if known is None else read_baseline(known)
    judged = []
    configurations = [path for path in files if path.suffix == CONFIGURATION_SUFFIX]
    trained = [path for path in files if path not in configurations]
    runs = (
        judged_against(trained, chosen, old) if old and trained else judged_files(trained, chosen)
    )
    for run in chain(runs, judged_configurations(configurations, chosen, screen)):
        tell_of(run, screen)
        judged.append(run if accepted is None else accepted.without_known(run))
    return judged


def tell_of(judged: JudgedRun, screen: Screen) -> None:
    """Why a run could not be judged or compared, on stderr."""
    from dlprobe.render.checked import compared_with
    from dlprobe.reports.check import checked_run

    if judged.unreadable:
        screen.error(judged.unreadable)
    elif not judged.evaluated:
        reasons = "; ".join(
            f"{code}: {reason}" for code, reason in list(judged.judgement.not_evaluated.items())[:3]
        )
        screen.error(f"{judged.path}: {checked_run(judged).blind}: {reasons}")
    elif judged.not_compared:
        reasons = "; ".join(
            f"{code}: {judged.judgement.not_evaluated[code]}" for code in judged.not_compared
        )
        with_what = " and the ".join(dict.fromkeys(map(compared_with, judged.not_compared)))
        screen.error(f"{judged.path}: not compared with the {with_what}: {reasons}")


def exit_code(judged: Sequence[JudgedRun], fails_on: Sequence[str], exit_zero: bool) -> ExitCode:
    """2 where a run could not be judged or not be compared, else 1 where a finding is as severe
    as asked.
    """
    if any(
        judgement.unreadable or not judgement.evaluated or judgement.not_compared
        for judgement in judged
    ):
        return ExitCode.FAILED
    from dlprobe.rules.gate import failing

    failed = any(failing(judgement.judgement.findings, fails_on) for judgement in judged)
    return ExitCode.FINDINGS if failed and not exit_zero else ExitCode.DONE


def _write(target: Target, judged: Sequence[JudgedRun], screen: Screen) -> None:
    from dlprobe.rules.known import baseline_text, findings_of

    findings = findings_of(judged, target.path.parent)
    write_text(target, baseline_text(findings))
    screen.note(
        f"{target.path}: {counted(len(findings), 'finding')} of {counted(len(judged), 'run')} "
        "known from now on"
    )


def _document(
    judged: Sequence[JudgedRun],
    chosen: Criteria,
    code: ExitCode,
    fails_on: Sequence[Any],
    counted: bool,
    details: bool,
    settings: ProjectSettings | None,
    proofs: Mapping[str, Proof],
) -> CheckDocument:
    from dlprobe.commands.check.rule_counts import configurations_of, counts_of
    from dlprobe.reports.check import check_document

    counts = counts_of(judged, chosen, together=counted)
    return check_document(
        judged,
        chosen,
        counts,
        exit_code=int(code),
        fails_on=fails_on,
        counted=counted,
        details=details,
        version=version(),
        project=settings,
        proofs=proofs,
        configurations=configurations_of(judged, chosen),
    )
