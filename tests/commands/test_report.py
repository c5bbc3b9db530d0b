"""`report` and `--figure`: what is written, where, and what stands in the way."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
from command_line import ROOT, dlprobe, process
from foreign_runs import hostile

from dlprobe.api import open_run
from dlprobe.commands.base import application
from dlprobe.errors import ConfigError, MissingExtraError
from dlprobe.render.vega.files import svg

SAMPLES = ROOT / "sample_runs"
NASTY = "</script><img src=x onerror=alert(1)>"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("vanishing.h5", "initializers.h5"):
        shutil.copy(SAMPLES / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def headings(page: str) -> list[str]:
    return re.findall(r"<h2[^>]*>([^<]*)</h2>", page)


def test_a_run_is_told_on_one_page_in_the_words_of_inspect(folder: Path) -> None:
    outcome = dlprobe("report", "vanishing.h5")
    assert (outcome.code, outcome.out, outcome.errors) == (0, "", [])
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert headings(page)[:5] == [
        "Diagnosis",
        "Findings",
        "Through the layers",
        "Learning",
        "Layer by step",
    ]
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    told = data["parts"][0]["diagnosis"]
    assert told["cause"]["code"] == "G001"  # what sample_runs/README.md says of this file
    assert re.search('class="verdict bad">.*vanishing.h5: did not learn: ', page)
    assert "<code>dlprobe train vanishing.h5 --activation relu" in page
    assert len(page) < 1_000_000


def test_a_study_is_told_by_its_own_command_and_run_by_run(folder: Path) -> None:
    assert dlprobe("report", "initializers.h5", "-o", "study.html").code == 0
    page = (folder / "study.html").read_text(encoding="utf-8")
    with open_run(folder / "initializers.h5") as study:
        ids = list(study.runs)
    assert [page.count(f">{id}</h3>") for id in ids] == [1] * len(ids)
    links = dict(re.findall(r'<a href="#(s\d+)">([^<]*)</a>', page))
    assert set(ids) <= set(links.values())
    assert (
        dlprobe("report", f"initializers.h5#{ids[0]}", "--format", "json").data["path"]
        == f"initializers.h5#{ids[0]}"
    )


def test_a_report_for_a_pull_request_links_every_picture_that_lies_beside_it(folder: Path) -> None:
    assert dlprobe("report", "vanishing.h5", "--format", "markdown", "-o", "my report.md").code == 0
    text = (folder / "my report.md").read_text(encoding="utf-8")
    linked = [name.replace("%20", " ") for name in re.findall(r"\]\(([^)]*\.svg)\)", text)]
    assert linked
    assert sorted(linked) == sorted(path.name for path in folder.glob("*.svg"))
    again = dlprobe("report", "vanishing.h5", "--format", "markdown", "-o", "other.md")
    assert again.code == 0
    (folder / "other.md").unlink()
    assert (
        "other-"
        in dlprobe("report", "vanishing.h5", "--format", "markdown", "-o", "other.md").errors[0]
    )  # pictures are not overwritten unasked


def test_a_strangers_run_injects_nothing_into_its_page(folder: Path) -> None:
    hostile(folder / "hostile.h5", NASTY)
    outcome = dlprobe("report", "hostile.h5")
    assert (outcome.code, outcome.errors) == (0, [])
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<img" not in page
    assert page.count("<script") == page.count("</script>") == 3
    assert page.count("&lt;/script&gt;&lt;img") > 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--figure", "a.gif"], "unknown ending 'gif'"),
        (["--figure", "a"], "the ending says what is written"),
        (
            ["--figure", "there.svg"],
            (
                "there.svg exists already: choose another name with --figure, or overwrite it "
                "with --force"
            ),
        ),
        (
            ["--figure", "text.svg", "--force"],
            "text.svg is a text, and an SVG picture would take its place",
        ),
        (["--figure", "a.svg", "--only", "los"], "unknown picture 'los': did you mean 'loss'"),
        (["--figure", "a.svg", "--show", "config"], "this result has no picture"),
        (
            ["--only", "loss", "--theme", "dark"],
            "--only and --theme are for a picture: give --figure FILE too",
        ),
    ],
)
def test_what_stands_in_the_way_of_a_picture_is_one_line(
    arguments: list[str], said: str, folder: Path
) -> None:
    (folder / "text.svg").write_text("mine", encoding="utf-8")
    (folder / "there.svg").write_text("<svg></svg>", encoding="utf-8")
    outcome = dlprobe("inspect", "vanishing.h5", *arguments)
    (line,) = outcome.errors
    assert said in line
    assert outcome.code == 2
    assert (folder / "text.svg").read_text(encoding="utf-8") == "mine"
    assert not (folder / "a.svg").exists()


def test_one_picture_is_written_in_every_format(folder: Path) -> None:
    for name in ("a.svg", "a.png", "a.pdf", "a.json"):
        assert (
            dlprobe(
                "inspect",
                "vanishing.h5",
                "--figure",
                name,
                "--only",
                "loss",
                "--theme",
                "dark",
                "--width",
                "300",
            ).errors
            == []
        )
    spec = json.loads((folder / "a.json").read_text(encoding="utf-8"))
    assert spec["width"] == 300
    assert (folder / "a.svg").read_text(encoding="utf-8") == svg(spec)
    assert dlprobe("inspect", "vanishing.h5", "--figure", "a.svg", "--force").code == 0


def test_each_seed_is_a_thin_line_behind_the_median(folder: Path) -> None:
    names = "curves,error_signal_rms"
    assert dlprobe("compare", "initializers.h5", "--figure", "a.json", "--only", names).code == 0
    curve, start = json.loads((folder / "a.json").read_text(encoding="utf-8"))["concat"]
    with open_run(folder / "initializers.h5") as study:
        runs = [study.runs.open(id) for id in study.runs if id.startswith("2-he_normal")]
        losses = [run.evaluations["val_loss"].tolist() for run in runs]
        signals = [run.statistic("error_signal_rms")[0, :-1].tolist() for run in runs]
    for spec, expected in ((curve, losses), (start, signals)):
        thin, thick = spec["layer"][:2]
        rows = [row for row in thin["data"]["values"] if row["series"] == "he_normal"]
        lines = [[row["y"] for row in rows if row["run"] == number] for number in (0, 1)]
        assert sorted(lines) == sorted(expected)
        assert thin["mark"]["strokeWidth"] < thick["mark"]["strokeWidth"]


def test_without_the_extra_one_line_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    for arguments in (["inspect", "vanishing.h5", "--figure", "a.svg"], ["report", "vanishing.h5"]):
        outcome = dlprobe(*arguments)
        assert (outcome.code, outcome.out) == (2, "")
        assert "pip install 'dlprobe[figures]'" in outcome.errors[0]
    assert dlprobe("inspect", "vanishing.h5", "--figure", "a.json").code == 0
    with pytest.raises(MissingExtraError):
        svg({})


def test_under_a_limit_of_addresses_one_line_says_that_no_picture_can_be_drawn(
    folder: Path,
) -> None:
    outcome = process("inspect", "vanishing.h5", "--figure", "a.svg", "--untrusted", folder=folder)
    assert outcome.code == 2
    assert "cannot be drawn under a limit of addresses" in outcome.errors[0]
    assert not (folder / "a.svg").exists()


def test_options_of_pictures_are_there_once_whatever_a_command_calls_its_own() -> None:
    for name in application.names():
        options = [
            option for parameter in application.load(name).params for option in parameter.opts
        ]
        assert len(options) == len(set(options)), name
        assert ("--figure" in options) == ("--figure-width" in options) == ("--only" in options)


def test_a_run_hands_out_its_pictures_and_shows_itself_in_notebooks(folder: Path) -> None:
    with open_run(folder / "vanishing.h5") as run, open_run(folder / "initializers.h5") as study:
        spec = run.figure("depth_profile", theme="dark", width=300)
        assert [part["width"] for part in spec["concat"]] == [300, 300, 300]
        drawn = [
            row["y"]
            for row in spec["concat"][2]["layer"][-1]["data"]["values"]
            if row["series"] == "step 0"
        ]
        assert drawn == run.statistic("error_signal_rms")[0, :-1].tolist()
        with pytest.raises(ConfigError, match="known: "):
            run.figure("nothing")
        assert "vanishing.h5: did not learn" in run._repr_html_()
        assert all(id in study._repr_html_() for id in study.runs)


@pytest.mark.parametrize(
    ("name", "format", "said"),
    [
        ("x.md", "html", "ends in .html or .htm: add --format markdown"),
        ("x.pdf", "html", "ends in .html or .htm"),
        ("x.HTML", "markdown", "ends in .md or .markdown: add --format html"),
    ],
)
def test_a_file_whose_ending_is_another_formats_is_refused(
    name: str, format: str, said: str, tmp_path: Path
) -> None:
    run = str(ROOT / "sample_runs" / "healthy.h5")
    outcome = dlprobe("report", run, "--format", format, "-o", str(tmp_path / name))
    assert (outcome.code, outcome.errors[0].endswith(said)) == (2, True)
    assert not list(tmp_path.iterdir())
