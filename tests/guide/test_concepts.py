"""The words: every concept has what a page of it needs, answers to all its names, shows what
can be typed, and stands under screens that use it.
"""

from __future__ import annotations

import math
import re
import shlex
from pathlib import Path

import pytest
from command_line import ROOT, dlprobe

from dlprobe import registry
from dlprobe.analysis.theory.gaussian import moments
from dlprobe.config import fields, parse_spec
from dlprobe.guide.concepts import Concept
from dlprobe.render.document import Document, Hint, Paragraph
from dlprobe.reports.words import with_words

CONCEPTS: dict[str, Concept] = registry.records("concept")
FILES = sorted((ROOT / "dlprobe" / "guide" / "concepts").glob("*.toml"))


@pytest.mark.parametrize("name", CONCEPTS)
def test_a_concept_has_sentence_picture_formula_place_and_source(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    record = CONCEPTS[name]
    assert record.text.strip()
    assert record.source
    assert record.shown
    out = dlprobe("explain", name).out
    assert [line for line in record.picture.strip("\n").splitlines() if line not in out] == []
    assert len(record.picture.strip("\n").splitlines()) >= 1
    said = " ".join(out.split())
    assert " ".join(record.formula.split()) in said
    assert (
        max(map(len, out.splitlines())) <= 80
        or [
            line
            for line in out.splitlines()
            if len(line) > 80 and not line.startswith("  dlprobe ")
        ]
        == []
    )
    assert dlprobe("explain", name, "--format", "json").data["picture"] == record.picture.strip(
        "\n"
    )


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["vanishing"], "vanishing"),
        (["error signal"], "error_signal"),
        (["error", "signal"], "error_signal"),
        (["batch norm"], "batch_norm"),
        (["BatchNorm"], "batch_norm"),
        (["gradient"], "gradient"),
        (["variance"], "variance"),
        (["slope factor"], "slope_factor"),
        (["depth scale"], "depth_scale"),
        (["edge-of-chaos"], "edge_of_chaos"),
        (["q*"], "fixed_point"),
        (["χ₁"], "edge_of_chaos"),
        (["ξ_c"], "depth_scale"),
        (["e-folding"], "depth_scale"),
        (["saturation"], "saturation"),
        (["epoch"], "epoch"),
        (["minmax"], "standardization"),
        (["band"], "band"),
        (["weight factor"], "weight_factor"),
    ],
)
def test_people_s_words_are_answered(typed: list[str], meant: str) -> None:
    data = dlprobe("explain", *typed, "--format", "json").data
    assert (data["kind"], data["name"]) == ("concept", meant)


def test_a_name_means_one_thing() -> None:
    """No concept hides a record, a kind or another concept; what a concept is said to have to
    do with can be explained.
    """
    names = [
        (name, other) for name, record in CONCEPTS.items() for other in (name, *record.also_called)
    ]
    taken = {
        registry.tidied(getattr(record, "code", name))
        for kind in registry.kinds()
        if kind != "concept"
        for name, record in registry.records(kind).items()
    }
    taken |= {
        registry.tidied(name)
        for kind in registry.kinds()
        if kind != "concept"
        for name in registry.records(kind)
    } | set(registry.kinds())
    assert [
        (name, other)
        for name, other in names
        if other in taken and f"key:{other}" not in CONCEPTS[name].see
    ] == []
    assert len({other for _, other in names}) == len(names)
    assert [other for _, other in names if other != registry.tidied(other)] == []
    seen = [other for record in CONCEPTS.values() for other in record.see]
    assert [other for other in seen if dlprobe("explain", other).code != 0] == []


@pytest.mark.parametrize("field", fields(), ids=lambda field: field.key)
def test_every_key_of_the_configuration_answers(field: registry.Any) -> None:
    for typed in {field.key, field.option.removeprefix("--")}:
        outcome = dlprobe("explain", f"key:{typed}")
        assert outcome.code == 0
        assert " ".join(field.help.split()) in " ".join(outcome.out.split())
        assert dlprobe("explain", typed).code == 0


def test_where_dlprobe_shows_it_is_a_command_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert dlprobe("train", "--data", "wine", "--layers", "5,4", "-o", "run.h5").code == 0
    lines = dict.fromkeys(line for record in CONCEPTS.values() for line in record.shown)
    assert len(lines) > len(CONCEPTS)
    for line in lines:
        program, *arguments = shlex.split(line.replace("RUN", "run.h5"))
        outcome = dlprobe(*arguments)
        assert (program, outcome.errors, outcome.code in (0, 1)) == ("dlprobe", [], True), line


def test_numbers_in_the_pictures_are_those_of_theory() -> None:
    """Slope factor at q = 1 of ReLU and sigmoid; batch norm before ReLU: D/Var φ per layer."""
    relu, sigmoid = (moments(parse_spec("activation", name), 1.0) for name in ("relu", "sigmoid"))
    rows = re.findall(r"([\d.]+) × ([\d.]+) += ([\d.]+)", CONCEPTS["slope_factor"].picture)
    expected = [
        (2.0, relu.slope_mean_square),
        (1.0, relu.slope_mean_square),
        (1.0, sigmoid.slope_mean_square),
    ]
    assert [tuple(map(float, row)) for row in rows] == [
        pytest.approx((weight, slope, weight * slope), rel=0.01) for weight, slope in expected
    ]
    said = re.search(r"π/\(π − 1\) ≈ ([\d.]+)", CONCEPTS["batch_norm"].text)
    assert said
    assert float(said[1]) == pytest.approx(relu.slope_mean_square / relu.variance, abs=0.005)
    assert float(said[1]) == pytest.approx(math.pi / (math.pi - 1), abs=0.005)


def test_a_screen_that_uses_words_names_them_before_what_to_type_next() -> None:
    shown = with_words(
        Document(
            "",
            [
                Paragraph("δ leaves the Band; husbands, bands of the error\nsignal."),
                Hint("dlprobe explain"),
            ],
            {"schema": "dlprobe-inspect/1"},
        ),
        CONCEPTS.values(),
    )
    assert [type(block) for block in shown.blocks] == [Paragraph, Paragraph, Hint]
    assert shown.blocks[1] == Paragraph("words: band (dlprobe explain band)")
    plain = Document("", [Paragraph("all is well")], {"schema": "dlprobe-inspect/1"})
    piece = Document("", [Paragraph("a band")])  # of a screen, which names its words at its end
    assert [with_words(document, CONCEPTS.values()) for document in (plain, piece)] == [
        plain,
        piece,
    ]
    out = dlprobe("theory", "--layers", "20x3", "--data", "wine").out
    (line,) = re.findall(r"^words: .*(?:\n(?!\n).*)?", out, re.M)
    assert "fixed point" in line
    assert out.index("words: ") < out.index("next: ")
    assert "words: " not in dlprobe("explain", "vanishing").out


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_lines_of_the_files_can_be_read(path: Path) -> None:
    assert [line for line in path.read_text(encoding="utf-8").splitlines() if len(line) > 100] == []
