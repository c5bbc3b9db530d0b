"""`check`: outcomes, exit codes, selection, project file, findings baseline, and what it must
not load.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import pytest
from command_line import ROOT, Outcome, dlprobe, environment

from dlprobe.errors import FAIL_ON, FAIL_ON_DEFAULT, SEVERITIES
from dlprobe.rules import all_rules

SAMPLES = ROOT / "sample_runs"
KEYS = [
    "code",
    "name",
    "severity",
    "layers",
    "steps",
    "measured",
    "threshold",
    "evidence",
    "remedies",
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a good run, an ill one and a damaged one."""
    for name in ("healthy", "diverged", "damaged"):
        shutil.copy(SAMPLES / f"{name}.h5", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(*arguments: str, select: str = "N001") -> Outcome:
    return dlprobe("check", *arguments, *(("--select", select) if select else ()))


def codes(outcome: Outcome) -> list[list[str]]:
    return [[finding["code"] for finding in run["findings"]] for run in outcome.data["runs"]]


def test_json_has_exactly_the_documented_keys(folder: Path) -> None:
    data = check("diverged.h5", "healthy.h5", "--format", "json", select="").data
    assert list(data) == [
        "schema",
        "runs",
        "configurations",
        "not_evaluated",
        "exit_code",
        "project_file",
    ]
    assert (data["schema"], data["exit_code"]) == ("dlprobe-check/1", 1)
    for run in data["runs"]:
        assert list(run) == [
            "path",
            "diagnosis",
            "findings",
            "passed",
            "not_evaluated",
            "notes",
            "not_compared",
            "proof",
        ]
        assert [list(finding) for finding in run["findings"]] == [KEYS] * len(run["findings"])
        assert all(
            list(each) == ["code", "reason"] and each["reason"] for each in run["not_evaluated"]
        )
        told = [
            *{each["code"] for each in run["findings"]},
            *run["passed"],
            *(each["code"] for each in run["not_evaluated"]),
        ]
        assert sorted(told) == [
            code for code, rule in all_rules().items() if not (rule.on_request or rule.foreign)
        ]
    assert all(
        list(group) == ["reason", "reasons", "codes", "runs"] for group in data["not_evaluated"]
    )
    silent = {each["code"] for run in data["runs"] for each in run["not_evaluated"]}
    assert {code for group in data["not_evaluated"] for code in group["codes"]} == silent


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("healthy.h5",), 0),
        (("diverged.h5",), 1),
        (("diverged.h5", "--exit-zero"), 0),
        (("diverged.h5", "--fail-on", "never"), 0),
        (("diverged.h5", "--set", "N001.severity=warning"), 0),
        (("diverged.h5", "--set", "N001.severity=warning", "--fail-on", "warning"), 1),
        (("diverged.h5", "--set", "N.severity=info", "--fail-on", "warning"), 0),
        (("missing.h5",), 2),
        (("damaged.h5", "--exit-zero"), 2),
        (("diverged.h5", "damaged.h5"), 2),
        (("healthy.h5", "--baseline", "missing.json"), 2),
        (("healthy.h5", "--ignore", "N"), 2),
        ((), 2),
    ],
)
def test_exit_codes(arguments: tuple[str, ...], code: int, folder: Path) -> None:
    outcome = check(*arguments)
    assert outcome.code == code
    assert ("exit code 1 for N001; " in outcome.out) == (code == 1)
    assert len(outcome.errors) == (code == 2)
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("word", [*FAIL_ON, None])
def test_every_word_fails_from_its_severity_on(
    word: str | None, severity: str, folder: Path
) -> None:
    """One finding of each severity; tests/test_pytest_plugin.py holds the plugin to the same
    table.
    """
    given = () if word is None else ("--fail-on", word)
    assert check("diverged.h5", "--set", f"N001.severity={severity}", *given).code == int(
        severity in FAIL_ON[word or FAIL_ON_DEFAULT]
    )
    if word:
        (folder / "dlprobe.toml").write_text(f'fail-on = "{word}"\n', encoding="utf-8")
        assert check("diverged.h5", "--set", f"N001.severity={severity}").code == int(
            severity in FAIL_ON[word]
        )


def test_one_unreadable_file_stops_nothing(folder: Path) -> None:
    outcome = check("diverged.h5", "damaged.h5", "healthy.h5", "--format", "json")
    assert outcome.code == outcome.data["exit_code"] == 2
    assert codes(outcome) == [["N001"], [], []]
    assert "cut or damaged" in outcome.data["runs"][1]["not_evaluated"][0]["reason"]
    assert outcome.errors[0].startswith("error: damaged.h5 is cut or damaged")


def test_a_file_that_cannot_be_judged_is_no_run_without_findings(folder: Path) -> None:
    alone = check("damaged.h5")
    assert "the run could not be judged" in alone.out
    assert "no finding" not in alone.out
    assert (
        "no finding in 1 run; 1 of 2 runs could not be judged"
        in check("damaged.h5", "healthy.h5").out
    )


def test_findings_go_to_stdout_and_only_findings(folder: Path) -> None:
    outcome = check("diverged.h5", "damaged.h5", "--format", "concise")
    assert re.fullmatch(
        r"diverged\.h5: diverged: [^\n]+\ndiverged\.h5: N001 error non-finite: [^\n]+\n",
        outcome.out,
    )


def test_a_run_without_a_step_has_not_passed(folder: Path) -> None:
    """The journal of a run that was killed before its first row."""
    import synthetic_runs

    from dlprobe.runs import RunWriter

    with RunWriter.create(folder / "empty.h5", synthetic_runs.description()):
        pass
    outcome = check("empty.h5")
    assert outcome.code == 2
    assert outcome.errors[0].startswith("error: empty.h5 holds no recorded step")


def test_selection_by_code_prefix_and_list(folder: Path) -> None:
    def asked(*arguments: str) -> list[str]:
        run = check("healthy.h5", "--format", "json", *arguments, select="").data["runs"][0]
        return sorted(
            [
                *run["passed"],
                *(each["code"] for each in run["not_evaluated"]),
                *(each["code"] for each in run["findings"]),
            ]
        )

    everything = [
        code for code, rule in all_rules().items() if not (rule.on_request or rule.foreign)
    ]
    assert asked() == everything
    assert asked("--select", "N001") == ["N001"]
    assert asked("--select", "N") == [code for code in everything if code[0] == "N"]
    assert len(everything) == 1 or asked("--ignore", "N001") == [
        code for code in everything if code != "N001"
    ]
    assert asked("--select", "N001", "--extend-select", "N") == [
        code for code in everything if code[0] == "N"
    ]


def test_unknown_codes_and_settings_say_what_there_is(folder: Path) -> None:
    for arguments in (
        ("--ignore", "Q9"),
        ("--set", "N001.nothing=1"),
        ("--set", "N001"),
        ("--set", "N001.severity=bad"),
    ):
        outcome = check("healthy.h5", *arguments)
        assert (outcome.code, outcome.out, len(outcome.errors)) == (2, "", 1), arguments


@pytest.mark.parametrize("name", ["dlprobe.toml", "pyproject.toml"])
def test_the_project_file_gives_options_and_the_command_line_wins(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = "[tool.dlprobe]\n" if name == "pyproject.toml" else ""
    (folder / name).write_text(
        f'{table}select = ["N001"]\nfail_on = "warning"\nset = {{ "N001.severity" = "warning" }}\n',
        encoding="utf-8",
    )
    (folder / ".git").mkdir()
    (folder / "below").mkdir()
    monkeypatch.chdir(folder / "below")
    run = "../diverged.h5"
    assert check(run, select="").code == 1
    assert check(run, "--fail-on", "error", select="").code == 0
    assert check(run, "--fail-on", "error", "--set", "N001.severity=error", select="").code == 1
    assert len(check(run, "--format", "json", select="").data["runs"][0]["passed"]) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("selct = []", "did you mean 'select'"),
        ('select = "N"', "expected a list"),
        ("exit-zero = 1", "expected true or false"),
        ("[", "cannot be read"),
    ],
)
def test_a_wrong_project_file_is_one_line(text: str, said: str, folder: Path) -> None:
    (folder / "dlprobe.toml").write_text(text, encoding="utf-8")
    outcome = check("healthy.h5", select="")
    assert (outcome.code, outcome.out, len(outcome.errors)) == (2, "", 1)
    assert said in outcome.err
    assert "dlprobe.toml" in outcome.err


def test_a_findings_baseline_lets_only_new_findings_fail(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check("diverged.h5", "--write-baseline", "kept/known.json").code == 0
    again = check("diverged.h5", "--baseline", "kept/known.json", "--format", "json")
    assert (again.code, codes(again)) == (0, [[]])
    shutil.copy("diverged.h5", "other.h5")
    new = check("diverged.h5", "other.h5", "--baseline", "kept/known.json", "--format", "json")
    assert (new.code, codes(new)) == (1, [[], ["N001"]])
    monkeypatch.chdir(folder / "kept")
    assert check("../diverged.h5", "--baseline", "known.json").code == 0


def test_a_known_finding_that_became_more_severe_is_new(folder: Path) -> None:
    check("diverged.h5", "--write-baseline", "known.json", "--set", "N001.severity=info")
    assert check("diverged.h5", "--baseline", "known.json").code == 1


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": "dlprobe-baseline/1", "findings": [1]}', "[" * 100_000]
)
def test_what_is_no_baseline_is_one_line(text: str, folder: Path) -> None:
    (folder / "known.json").write_text(text, encoding="utf-8")
    outcome = check("healthy.h5", "--baseline", "known.json")
    assert (outcome.code, outcome.out, len(outcome.errors)) == (2, "", 1)
    assert "--write-baseline known.json" in outcome.err


def test_a_run_file_as_findings_baseline_names_the_option_that_was_meant(folder: Path) -> None:
    assert "--against healthy.h5" in check("healthy.h5", "--baseline", "healthy.h5").err


def test_the_result_goes_to_a_file_that_is_not_overwritten_by_chance(folder: Path) -> None:
    for arguments, code in (((), 1), ((), 2), (("--force",), 1)):
        outcome = check("diverged.h5", "--format", "sarif", "-o", "out/found.sarif", *arguments)
        assert (outcome.code, outcome.out) == (code, "")
    assert (
        json.loads((folder / "out/found.sarif").read_text(encoding="utf-8"))["version"] == "2.1.0"
    )


def test_a_folder_means_the_runs_in_it(folder: Path) -> None:
    outcome = check(".", "--format", "json")
    assert [run["path"] for run in outcome.data["runs"]] == [
        "damaged.h5",
        "diverged.h5",
        "healthy.h5",
    ]
    (folder / "empty").mkdir()
    assert "without run files" in check("empty").err


def test_repeated_runs_of_one_configuration_are_counted_together(folder: Path) -> None:
    for copy in ("a", "b", "c"):
        shutil.copy("diverged.h5", f"{copy}.h5")
    shown = " ".join(check("a.h5", "b.h5", "c.h5", "healthy.h5").out.split())
    assert "N001 non-finite error 3 of 3 44% to 100%" in shown  # Wilson: 3/(3 + 1.96²) = .438
    data = check("a.h5", "healthy.h5", "--counts", "--format", "json").data
    assert list(data) == ["schema", "runs", "counts", "not_evaluated", "exit_code", "project_file"]
    assert [each["of"] for each in data["counts"]] == ["runs"]
    assert [(each["code"], each["fired"], each["evaluated"]) for each in data["counts"]] == [
        ("N001", 1, 2)
    ]


def test_a_study_is_judged_run_by_run_whatever_one_of_them_is_like(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    grid = (
        "--depth",
        "2",
        "--width",
        "4",
        "--activation",
        "relu",
        "--init",
        "he_normal",
        "--norm",
        "none",
    )
    assert (
        dlprobe(
            "gradients", *grid, "--data", "wine", "--steps", "2", "--seeds", "2", "-o", "study.h5"
        ).code
        == 0
    )
    data = check("study.h5", "--format", "json").data
    assert len(data["runs"]) == 2
    assert all(run["path"].startswith("study.h5#") for run in data["runs"])
    shutil.copy("study.h5", "old.h5")
    with h5py.File(
        "study.h5", "r+"
    ) as file:  # what is kept of one run is damaged: the others are judged, and compared
        file["study/gathered"][40] ^= 1
    found = check("study.h5", "--format", "json")
    assert (found.code, [each["passed"] for each in found.data["runs"]]) == (2, [[], ["N001"]])
    assert "damaged" in found.data["runs"][0]["not_evaluated"][0]["reason"]
    compared = check("study.h5", "--against", "old.h5", "--format", "json", select="R003")
    assert (compared.code, [each["passed"] for each in compared.data["runs"]]) == (
        2,
        [[], ["R003"]],
    )


@pytest.mark.parametrize(
    "format", ["table", "json", "sarif", "junit", "markdown", "github", "concise", "json-lines"]
)
def test_judging_saved_runs_loads_neither_the_compiler_nor_training(
    format: str, folder: Path
) -> None:
    script = f"""
import sys
from dlprobe.commands import main
main(["check", "healthy.h5", "diverged.h5", "--advise", "--format", {format!r}])
print([name for name in sys.modules if name.split(".")[0] in ("numba", "polars") or name.startswith(("dlprobe.training", "dlprobe.nn"))])
"""  # noqa: E501
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(),
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("run", "code"), [("healthy.h5", 0), ("diverged.h5", 1), ("damaged.h5", 2)]
)
def test_advice_comes_when_asked_and_leaves_exit_code_and_findings_alone(
    run: str, code: int, folder: Path
) -> None:
    plain, advised = (check(run, *more, "--format", "json") for more in ((), ("--advise",)))
    assert plain.code == advised.code == code
    (without,), (entry,) = plain.data["runs"], advised.data["runs"]
    advice = entry.pop("advice")
    assert entry == without
    assert bool(advice) == (run != "damaged.h5")
    for line in advice:
        assert list(line) == [
            "guideline",
            "key",
            "value",
            "has",
            "followed",
            "shows",
            "worth_changing",
            "codes",
        ]
        assert line["worth_changing"] in ("yes", "no", "no evidence")


@pytest.mark.parametrize("format", ["table", "markdown"])
def test_advice_is_a_table_line_by_line(format: str, folder: Path) -> None:
    shown = " ".join(check("healthy.h5", "--advise", "--format", format).out.split())
    assert "worth changing?" in shown or "worth guideline" in shown
    assert "early stopping" in shown
    assert check("healthy.h5", "--advise", "--counts").code == 2


@pytest.mark.parametrize("width", [80, 200])
def test_the_table_fits(width: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = check("diverged.h5", "healthy.h5", "damaged.h5", "--advise", select="").out.splitlines()
    assert [line for line in lines if len(line) > width and not line.startswith("next: ")] == []


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs of one small net with other seeds, and one with another learning rate."""
    path = tmp_path_factory.mktemp("seeds")
    for name, options in {
        "a": ("--seed", "1"),
        "b": ("--seed", "2"),
        "c": ("--seed", "3"),
        "slow": ("--lr", "1e-6"),
    }.items():
        assert (
            dlprobe(
                "train",
                "--data",
                "wine",
                "--layers",
                "5,4",
                "--epochs",
                "2",
                *options,
                "-o",
                str(path / f"{name}.h5"),
            ).code
            == 0
        )
    return path


def outcomes(outcome: Outcome, run: int = 0) -> dict[str, str]:
    """What each rule said of one entry."""
    entry = outcome.data["runs"][run]
    told = {each["code"]: "fired" for each in entry["findings"]} | dict.fromkeys(
        entry["passed"], "passed"
    )
    return told | {each["code"]: each["reason"] for each in entry["not_evaluated"]}


def test_a_run_against_itself_passes_and_another_configuration_is_named(
    seeds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(seeds)
    same = check("a.h5", "--against", "a.h5", "--format", "json", select="R")
    assert (same.code, outcomes(same)) == (
        0,
        {"R001": "passed", "R002": "passed", "R003": "passed"},
    )
    other = check("slow.h5", "--against", "a.h5", "--format", "json", select="R")
    assert (other.code, outcomes(other)["R003"]) == (1, "fired")
    assert "training.lr: auto → 1e-06" in other.data["runs"][0]["findings"][0]["evidence"]


def test_against_takes_all_that_follows_as_shells_expand_it(
    seeds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(seeds)
    found = check(
        "a.h5", "--select", "R", "--against", "a.h5", "b.h5", "c.h5", "--format", "json", select=""
    )
    assert [run["path"] for run in found.data["runs"]] == ["a.h5"]
    assert outcomes(found)["R002"] in ("passed", "fired")


def test_repetitions_are_compared_as_a_group(seeds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(seeds)
    found = check(
        "a.h5",
        "b.h5",
        "--select",
        "N,R",
        "--against",
        "b.h5",
        "c.h5",
        "--format",
        "json",
        select="",
    )
    assert [run["path"] for run in found.data["runs"]] == [
        "a.h5",
        "b.h5",
        "a.h5, b.h5 against b.h5, c.h5",
    ]
    assert [{code[0] for code in outcomes(found, run)} for run in range(3)] == [{"N"}, {"N"}, {"R"}]
    assert outcomes(found, 2)["R002"] == "passed"
    assert "0 rules" not in check("a.h5", "b.h5", "--against", "b.h5", "c.h5", select="R").out


def test_counts_show_what_a_group_of_runs_was_found_for(
    seeds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(seeds)
    shutil.copy("slow.h5", "again.h5")
    asked = ("slow.h5", "again.h5", "--against", "a.h5", "--counts")
    shown = check(*asked, select="R003")
    assert (shown.code, "R003" in shown.out, "1 of 1 comparison" in shown.out) == (1, True, True)
    data = check(*asked, "--format", "json", select="R003").data
    assert [
        (each["code"], each["fired"], each["evaluated"], each["of"]) for each in data["counts"]
    ] == [("R003", 1, 1, "comparisons")]


EVERY_FORMAT = ("table", "markdown", "json", "json-lines", "concise", "github", "junit", "sarif")


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two epochs of a net that cannot learn: eight updates, of which nobody can tell anything."""
    path = tmp_path_factory.mktemp("brief") / "brief.h5"
    assert (
        dlprobe(
            "train",
            "--data",
            "wine",
            "--layers",
            "5,4",
            "--lr",
            "1e-9",
            "--epochs",
            "2",
            "-o",
            str(path),
        ).code
        == 0
    )
    return path


def words(text: str) -> str:
    """Text without the breaks of lines."""
    return " ".join(text.split())


@pytest.mark.parametrize("format", EVERY_FORMAT)
def test_no_format_is_silent_about_a_run_that_is_too_short(format: str, brief: Path) -> None:
    for more in ((), ("--counts",)) if format in ("table", "json", "markdown") else ((),):
        outcome = check(str(brief), "--format", format, "-q", *more, select="")
        assert outcome.code == 0  # L005 and others could look
        assert re.search(
            r"too short.{1,20}8 updates (of the 50 that|were made, 50) are needed",
            words(outcome.out),
        )


def test_unevaluated_rules_are_counted_by_reason(brief: Path) -> None:
    data = check(str(brief), "--format", "json", select="").data
    reasons = [each["reason"] for each in data["runs"][0]["not_evaluated"]]
    short = sum(reason.startswith(("too short", "too few", "fewer than")) for reason in reasons)
    assert short > 10
    shown = words(check(str(brief), select="").out)
    assert (
        f"{len(reasons)} rules not evaluated: the run is too short, e.g. 8 updates were made, "
        f"50 are needed ({short})"
    ) in shown
    assert "no baseline was given: add --against RUN (3)" in shown
    assert "✓" not in shown


def test_a_run_of_which_no_rule_can_tell_has_not_passed(brief: Path) -> None:
    """The class balance and the features could be looked at; whether it learned could not."""
    outcome = check(str(brief), "--format", "github", select="D,L001")
    assert (outcome.code, len(outcome.errors)) == (2, 1)
    assert "no rule about gradients, activations or learning could look: " in outcome.err
    assert "::error " in outcome.out
    assert check(str(brief), select="D").code == 0


@pytest.mark.parametrize("format", EVERY_FORMAT)
def test_what_against_asked_for_and_could_not_be_compared_fails_in_every_format(
    format: str, folder: Path
) -> None:
    """Other layers and other data: neither the bands of R001 nor the errors of R002 can be
    compared.
    """
    outcome = check(
        "diverged.h5",
        "--against",
        "healthy.h5",
        "--format",
        format,
        "-q",
        "--exit-zero",
        select="R",
    )
    assert (outcome.code, len(outcome.errors)) == (2, 1)
    for code, reason in (
        ("R001", "the layers differ from those of the baseline"),
        ("R002", "the data differ from those of the baseline"),
    ):
        assert code in outcome.out
        assert reason in words(outcome.out)
        assert f"{code}: {reason}" in outcome.err
    if format == "github":
        assert [
            line
            for line in outcome.out.splitlines()
            if line.startswith("::warning ") and "R002" in line
        ]
    if format == "junit":
        assert 'errors="2"' in outcome.out
    if format == "sarif":
        assert outcome.data["runs"][0]["invocations"][0]["executionSuccessful"] is False


@pytest.mark.parametrize("format", EVERY_FORMAT)
def test_a_rule_that_was_selected_by_name_and_could_not_look_is_named(
    format: str, folder: Path
) -> None:
    outcome = check("healthy.h5", "--format", format, "-q", select="N001,W006")
    assert outcome.code == 0
    assert "W006" in outcome.out
    assert "sharpness was not recorded" in words(outcome.out)
    if format == "github":
        assert outcome.out.startswith("::warning ")


def test_against_without_a_rule_that_compares_is_refused(folder: Path) -> None:
    outcome = check("healthy.h5", "--against", "healthy.h5", select="N")
    assert (outcome.code, outcome.out, len(outcome.errors)) == (2, "", 1)
    assert "--extend-select R" in outcome.err


@pytest.fixture(scope="module")
def silently_slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """healthy.toml trained with a fifth of the rate that its configuration says, as by a change
    of the code; and with another, harmless change.
    """
    folder = tmp_path_factory.mktemp("gate")
    config = str(SAMPLES / "healthy.toml")
    for name, options in {
        "slow": ("--lr", "0.0002"),
        "harmless": ("--record-every", "4", "--threads", "2"),
    }.items():
        assert dlprobe("train", config, *options, "-q", "-o", str(folder / f"{name}.h5")).code == 0
    with h5py.File(SAMPLES / "healthy.h5") as healthy, h5py.File(folder / "slow.h5", "r+") as slow:
        slow.attrs["config"] = healthy.attrs["config"]
    return folder


def test_the_gate_sees_a_rate_that_silently_became_a_fifth(silently_slow: Path) -> None:
    outcome = check(
        str(silently_slow / "slow.h5"),
        "--against",
        str(SAMPLES / "healthy.h5"),
        "--format",
        "concise",
        select="",
    )
    errors = [line for line in outcome.out.splitlines() if " error baseline" in line]
    assert outcome.code == 1
    assert [line.split(": ")[1] for line in errors] == ["R002 error baseline-metric"] * 2
    assert "val_error went from 6.67 % (24 of 360) to 59.7 % (215 of 360), 8.96 times" in errors[0]
    assert "of the same 360 samples" in errors[0]
    assert "test_error went from 7.24 % (26 of 359)" in errors[1]


def test_the_gate_lets_a_harmless_change_pass(silently_slow: Path) -> None:
    outcome = check(
        str(silently_slow / "harmless.h5"),
        "--against",
        str(SAMPLES / "healthy.h5"),
        "--format",
        "json",
        select="R",
    )
    assert (outcome.code, outcome.data["runs"][0]["passed"]) == (0, ["R001", "R002", "R003"])


def test_comparing_one_with_one_loads_no_statistics_package(silently_slow: Path) -> None:
    script = f"""
import sys
from dlprobe.commands import main
main(["check", "slow.h5", "--against", {str(SAMPLES / "healthy.h5")!r}, "--select", "R002"])
print([name for name in ("scipy.stats", "numba", "polars") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(),
        cwd=silently_slow,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_numbers_baseline_that_cannot_be_read_is_one_line(
    seeds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(seeds)
    outcome = check("a.h5", "--against", "missing.h5", select="R")
    assert (outcome.code, outcome.out, len(outcome.errors)) == (2, "", 1)
    assert "missing.h5" in outcome.err


def test_a_findings_baseline_holds_no_numbers_and_says_so(
    seeds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(seeds)
    check("a.h5", "--write-baseline", "known.json")
    outcome = check("a.h5", "--against", "known.json", select="R")
    assert (outcome.code, outcome.out, len(outcome.errors)) == (2, "", 1)
    assert "--baseline known.json" in outcome.err


def test_comparing_rules_without_a_baseline_say_what_to_add(seeds: Path) -> None:
    outcome = check(str(seeds / "a.h5"), select="R")
    assert outcome.code == 2
    assert "--against" in outcome.err


@pytest.mark.parametrize("format", EVERY_FORMAT)
@pytest.mark.parametrize(
    ("bound", "code"),
    [
        ("val_error<=5%", 1),
        ("val_error<=10%", 0),
        ("r2>=.9", 2),
        ("val_loss<.3, val_error<=.05", 1),
    ],
)
def test_an_absolute_bound_is_held_in_every_format(
    format: str, bound: str, code: int, folder: Path
) -> None:
    """healthy.h5 ends with 24 of 360 wrong."""
    outcome = check("healthy.h5", "--gate", bound, "--format", format, "-q")
    assert (outcome.code, len(outcome.errors)) == (code, int(code == 2))
    said = words(outcome.out)
    assert "M001" in said
    assert ("24 of 360" in said) is (code != 2)
    assert ("no val_r2" in said.replace("\\_", "_")) is (code == 2)
    assert ("no val_r2" in outcome.err) is (code == 2)


def test_a_bound_is_held_by_each_of_several_runs_also_beside_a_baseline(folder: Path) -> None:
    shutil.copy("healthy.h5", "again.h5")
    both = check(
        "healthy.h5",
        "again.h5",
        "--against",
        "healthy.h5",
        "--gate",
        "val_error<=5%",
        "--format",
        "json",
        select="R",
    ).data
    assert [[each["code"] for each in run["findings"]] for run in both["runs"]] == [
        ["M001"],
        ["M001"],
        [],
    ]
    assert both["exit_code"] == 1


@pytest.mark.parametrize(
    "text", ["val_error=5", "val_eror<=5%", "val_loss<5%", "val_recall>.9", ""]
)
def test_what_is_no_bound_is_one_line(text: str, folder: Path) -> None:
    outcome = check("healthy.h5", "--gate", text or "<=5%")
    assert (outcome.code, outcome.out, len(outcome.errors)) == (2, "", 1)
    assert "--gate" in outcome.err


def test_bounds_may_stand_in_the_project_file_and_the_command_line_wins(folder: Path) -> None:
    (folder / "dlprobe.toml").write_text(
        'gate = ["val_error<=5%", "val_loss<.3"]\n', encoding="utf-8"
    )
    assert check("healthy.h5").code == 1
    assert "sets gate = val_error<=5%, val_loss<.3" in words(check("healthy.h5").out)
    assert check("healthy.h5", "--gate", "val_error<=10%").code == 0
    (folder / "dlprobe.toml").write_text('gate = "val_error<=5%"\n', encoding="utf-8")
    assert "a list of bounds" in check("healthy.h5").err


@pytest.mark.parametrize("format", EVERY_FORMAT)
def test_a_gate_that_passed_says_what_it_would_have_found(format: str, folder: Path) -> None:
    outcome = check("healthy.h5", "--against", "healthy.h5", "--format", format, "-q", select="R")
    assert outcome.code == 0
    assert (
        "with these 360 val rows a rise from 24 to 72 errors is found in 100 % of cases"
        in words(outcome.out).replace("100 %25", "100 %")
    )


def test_a_study_is_told_by_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sigmoid with Glorot weights vanishes in a net of 20 layers whatever the seed (slope² is
    at most 1/16); tanh does not within chance.
    """
    monkeypatch.chdir(tmp_path)
    grid = (
        "--data",
        "wine",
        "--depth",
        "20",
        "--width",
        "30",
        "--activation",
        "sigmoid,tanh",
        "--init",
        "glorot_normal",
        "--norm",
        "none",
    )
    assert (
        dlprobe(
            "gradients", *grid, "--seeds", "3", "--steps", "60", "-o", "study.h5", "--quiet"
        ).code
        == 0
    )
    outcome = dlprobe("check", "study.h5")
    assert outcome.code == 1
    assert "vanishing-gradient (G001) in 3 of 3 seeds of sigmoid" in outcome.out
    assert "study.h5#" not in outcome.out.partition("next:")[0]
    data = dlprobe("check", "study.h5", "--format", "json").data
    assert [each["coordinates"] for each in data["configurations"]] == [
        {"activation": "sigmoid"},
        {"activation": "tanh"},
    ]
    fired = [
        {rule["code"]: (rule["fired"], rule["evaluated"]) for rule in each["findings"]}
        for each in data["configurations"]
    ]
    assert fired[0]["G001"] == (3, 3)
    assert "G001" not in fired[1]
    runs = [each["path"] for each in data["runs"]]
    assert sorted(path for each in data["configurations"] for path in each["runs"]) == sorted(runs)
    one = dlprobe("check", runs[0], "--format", "json").data
    assert one["runs"][0]["diagnosis"]["state"] == data["runs"][0]["diagnosis"]["state"]
    assert "study.h5#" in dlprobe("check", "study.h5", "--details").out.partition("next:")[0]
