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
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlprobe.commands.base.arguments import one_of
from dlprobe.commands.base.completing import complete_configurations
from dlprobe.commands.base.file_kinds import BASELINE as BASELINE_FILE
from dlprobe.commands.base.named_files import allow_file_option
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.untrusted import reading_options
from dlprobe.commands.base.writing import claim, read_as, write_text
from dlprobe.errors import FAIL_ON, FAIL_ON_DEFAULT, ConfigError, ExitCode
from dlprobe.render.checked import SCHEMA as SCHEMA
from dlprobe.version import version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dlprobe.commands.base.writing import Target
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
RULES, BASELINE, RESULT, PROOF = "Rules", "Baseline", "Result", "Proof"

Runs = Annotated[
    list[Path],
    typer.Argument(
        metavar="RUN",
        help="run or study files, their journals, folders of them, or configurations (.toml)",
        autocompletion=complete_configurations,
    ),
]
Select = Annotated[
    list[str] | None,
    typer.Option(
        "--select",
        metavar="CODES",
        help="judge by these rules only: codes or prefixes",
        rich_help_panel=RULES,
    ),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option("--ignore", metavar="CODES", help="leave these rules out", rich_help_panel=RULES),
]
Extend = Annotated[
    list[str] | None,
    typer.Option(
        "--extend-select", metavar="CODES", help="judge by these rules too", rich_help_panel=RULES
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="CODE.NAME=X",
        help="set a threshold (dlprobe explain CODE lists them), or CODE.severity",
        rich_help_panel=RULES,
    ),
]
FailOn = Annotated[
    str | None,
    typer.Option(
        "--fail-on",
        metavar="|".join(FAIL_ON),
        help=f"exit with 1 from this severity on [default: {FAIL_ON_DEFAULT}]",
        callback=one_of(tuple(FAIL_ON)),
        rich_help_panel=RESULT,
    ),
]
ExitZero = Annotated[
    bool,
    typer.Option("--exit-zero", help="exit with 0 in spite of findings", rich_help_panel=RESULT),
]
Counts = Annotated[
    bool,
    typer.Option(
        "--counts",
        help="how often each rule fired, in place of the findings",
        rich_help_panel=RESULT,
    ),
]
Advise = Annotated[
    bool,
    typer.Option(
        "--advise",
        help="lay the runs beside the practical guidelines too; never changes the exit code",
        rich_help_panel=RESULT,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="write the result to FILE in place of stdout",
        rich_help_panel=RESULT,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="overwrite FILE", rich_help_panel=RESULT)]
Baseline = Annotated[
    Path | None,
    typer.Option(
        "--baseline",
        metavar="FILE",
        help="known findings: only new ones count",
        rich_help_panel=BASELINE,
    ),
]
Against = Annotated[
    list[Path] | None,
    typer.Option(
        "--against",
        metavar="RUN…",
        help="runs to compare numbers with, up to the next option; seeds are compared as groups",
        rich_help_panel=BASELINE,
    ),
]
Gate = Annotated[
    list[str] | None,
    typer.Option(
        "--gate",
        metavar="BOUND",
        help="a bound on a final metric: val_error<=5%, r2>=.9 …; the run fails outside it",
        rich_help_panel=BASELINE,
    ),
]
Write = Annotated[
    Path | None,
    typer.Option(
        "--write-baseline",
        metavar="FILE",
        help="write the findings as known, and exit with 0",
        rich_help_panel=BASELINE,
    ),
]
Prove = Annotated[
    bool,
    typer.Option(
        "--prove",
        help="train the net with only the top cause undone, and with a sham of equal cost; kept as "
        "RUN.proof.json",
        rich_help_panel=PROOF,
    ),
]
Seeds = Annotated[
    int | None,
    typer.Option(
        "--seeds",
        metavar="N",
        min=1,
        max=100,
        help="with --prove: seeds of each [default: 5]",
        rich_help_panel=PROOF,
    ),
]


@allow_file_option
@reading_options
def command(
    runs: Runs,
    select: Select = None,
    ignore: Ignore = None,
    extend_select: Extend = None,
    set: Set = None,
    fail_on: FailOn = None,
    exit_zero: ExitZero = False,
    counts: Counts = False,
    advise: Advise = False,
    baseline: Baseline = None,
    against: Against = None,
    gate: Gate = None,
    write_baseline: Write = None,
    prove: Prove = False,
    seeds: Seeds = None,
    output: Output = None,
    force: Force = False,
    *,
    screen: Screen,
) -> ExitCode:
    """Read the options, judge, show."""
    from dlprobe.commands.check.project_file import project_file, settings_told
    from dlprobe.commands.check.proving import claimed, kept_proofs, proved
    from dlprobe.rules.files import COMPARING, run_files

    if screen.details and counts:
        raise ConfigError(
            "--counts shows no single run, --details shows every finding of each: expected "
            "one of the two"
        )
    if advise and counts:
        raise ConfigError(
            "--counts shows no single run, --advise goes through them one by one: expected "
            "one of the two"
        )
    if seeds is not None and not prove:
        raise ConfigError("--seeds is for --prove: give both or neither")
    if prove and counts:
        raise ConfigError(
            "--counts shows no single run, --prove goes through them one by one: expected one "
            "of the two"
        )
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
    old = against or [Path(path) for path in project.texts("against")]
    files, old = run_files(runs), run_files(old)
    _refuse_untrained(files, bool(against), prove)
    inputs = [
        *read_as("a run that is judged", *files),
        *read_as("a run that is compared with", *old),
        *read_as("the findings baseline", known),
    ]
    inputs += read_as("the file of the project's options", project.path)
    learned = (
        None
        if write_baseline is None
        else claim(write_baseline, BASELINE_FILE, inputs, force=True, option="--write-baseline")
    )
    target = (
        None
        if output is None
        else claim(
            output,
            screen.kind,
            [*inputs, *read_as("what --write-baseline writes", write_baseline)],
            force=force,
        )
    )
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
    count = len(findings)
    screen.note(
        f"{target.path}: {count} finding{'' if count == 1 else 's'} of {len(judged)} "
        f"run{'' if len(judged) == 1 else 's'} known from now on"
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
