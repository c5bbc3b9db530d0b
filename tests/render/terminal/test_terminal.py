"""The terminal format: looked at at several widths, with and without colour, on streams that
can carry little, with hostile text.
"""

from __future__ import annotations

import io
import math
import re

import pytest

from dlprobe.render import document as doc
from dlprobe.render import terminal
from dlprobe.render.heat import shade

NAMES = [
    f"{activation} + {init}"
    for activation in ("sigmoid", "tanh", "relu")
    for init in ("normal(std=1)", "glorot_normal", "he_normal")
]
DEPTHS = ("5", "10", "20", "50")
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


class FakeTerminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def drawn(*blocks: doc.Block, width: int = 80, color: bool | None = None, title: str = "") -> str:
    stream = io.StringIO()
    terminal.render(doc.Document(title, blocks), stream, width=width, color=color)
    return stream.getvalue()


def heat_table() -> doc.HeatTable:
    """Ten rows and four columns with every verdict there is."""
    verdicts = [
        ("vanishing", -5.7),
        ("exploding", 12.3),
        ("level", -0.4),
        ("diverged", math.nan),
        ("collapsed", -0.1),
    ]
    rows = [*NAMES, "relu + he_normal + batch"]
    cells = [
        [
            doc.HeatCell(value, verdict)
            for verdict, value in [*verdicts, *verdicts][row % 5 : row % 5 + 4]
        ]
        for row in range(len(rows))
    ]
    return doc.HeatTable(
        rows,
        DEPTHS,
        cells,
        "log10 of error signal, hidden_1 over hidden_n",
        low_means="vanishing",
        stub="activation + init",
        across="depth",
    )


def wide_table() -> doc.Table:
    columns = [
        doc.Column("layer"),
        doc.Column("shape"),
        *(doc.Column(f"statistic_number_{n}", "nats", "right") for n in range(6)),
    ]
    return doc.Table(
        columns,
        [
            [f"hidden_{row}", "64 × 100", *(1.2345e-5 * row * n for n in range(6))]
            for row in range(1, 4)
        ],
        "layers",
    )


def strips() -> doc.Strips:
    """Two moments of a net of 20 hidden layers, one of them beside theory, and a loss over
    steps.
    """
    falling = [10.0**-k for k in range(20, 0, -1)]
    signal = doc.StripGroup(
        "error signal RMS",
        [
            doc.Strip("step 0", falling, [2 * value for value in falling], "vanishing", "bad"),
            doc.Strip("step 679", [math.nan] * 20),
        ],
    )
    gradient = doc.StripGroup("weight-gradient RMS", [doc.Strip("step 0", [*falling, 1.0])])
    loss = doc.StripGroup(
        "loss",
        [doc.Strip("training", [2.3, 0.0, 0.5])],
        ["step 0", "step 34", "step 68"],
        "smallest",
    )
    return doc.Strips([gradient, signal, loss], [*(f"hidden_{k}" for k in range(1, 21)), "output"])


def everything() -> list[doc.Block]:
    steps = list(range(100))
    return [
        doc.Heading("Section"),
        doc.Facts(
            [
                ("run file", "runs/digits-1.h5"),
                ("status", doc.Toned("completed", "good")),
                ("a key that is much longer than a key should be", "word " * 40),
            ]
        ),
        doc.Paragraph("A sentence that says something. " * 10),
        doc.Bullets(["short", "long " * 40]),
        wide_table(),
        heat_table(),
        doc.Chart(
            [
                doc.Series("train_loss", steps, [2.3 * 0.95**t for t in steps]),
                doc.Series("val_loss", steps, [2.3 * 0.97**t for t in steps]),
            ],
            "step",
            "loss",
            True,
        ),
        doc.Density([[0.2, 0.8], [1.0, 0.0]], [0, 5], -1.0, 1.0, "step", "z", caption="hidden_1"),
        doc.Profile(
            [doc.LayerSeries("step 0", [10.0**-k for k in range(20)], "vanishing", "bad")],
            [f"hidden_{k}" for k in range(1, 21)],
            caption="error signal",
        ),
        strips(),
        doc.Verdict("the gradient vanishes " * 5, "bad"),
        doc.Heading("Part", 2),
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("color", [False, True])
def test_no_line_is_wider_than_the_page(width: int, color: bool) -> None:
    for line in ESCAPE.sub(
        "", drawn(*everything(), width=width, color=color, title="everything at once")
    ).splitlines():
        assert len(line) <= width, line


@pytest.mark.parametrize("width", [40, 80, 200])
def test_numbers_of_a_table_are_never_broken(width: int) -> None:
    text = drawn(wide_table(), width=width)
    for row in range(1, 4):
        for factor in range(1, 6):
            assert f"{1.2345e-5 * row * factor:.4g}" in text.split()


def test_a_table_too_wide_names_its_rows_in_every_piece() -> None:
    assert drawn(wide_table(), width=40).count("hidden_1") > 1
    assert drawn(wide_table(), width=200).count("hidden_1") == 1


@pytest.mark.parametrize("width", [80, 120])
def test_a_heat_table_of_ten_rows_and_four_depths_fits_eighty_columns_and_explains_its_marks(
    width: int,
) -> None:
    lines = drawn(heat_table(), width=width, color=False).splitlines()
    (first,) = (line for line in lines if line.startswith("sigmoid + normal(std=1)"))
    assert re.fullmatch(r"sigmoid \+ normal\(std=1\) +-5\.7 ▼ +\+12\.3 ▲ +-0\.4 ✓ +✗", first)
    assert lines[-1] == "✓ level  ▼ vanishing  ▲ exploding  ✗ diverged  ≡ collapsed"
    assert "log10 of error signal" in " ".join(lines[-4:])


def test_every_row_of_a_heat_table_is_there_at_forty_columns() -> None:
    text = " ".join(drawn(heat_table(), width=40).split())
    assert text.count("sigmoid +") >= 3
    assert all(f" {depth} " in text for depth in DEPTHS)


def test_colour_paints_cells_on_a_diverging_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    value = (
        -5.4321
    )  # drawn nowhere else: rich remembers a style's codes from the first terminal it was drawn for
    red, green, blue = shade(value, -6, 6)
    assert f"48;2;{red};{green};{blue}m" in drawn(
        doc.HeatTable(["a"], ["5"], [[doc.HeatCell(value, "vanishing")]], "ratio"), color=True
    )


@pytest.mark.parametrize("block", everything(), ids=lambda block: type(block).__name__)
def test_without_colour_there_is_no_escape_code(block: doc.Block) -> None:
    assert "\x1b" not in drawn(block, color=False)


def test_colour_adds_nothing_but_escape_codes() -> None:
    """The words of a picture do not depend on colour, except the marks of a chart and the
    colour scale of a heat table.
    """
    blocks = [block for block in everything() if not isinstance(block, doc.Chart | doc.HeatTable)]
    assert [
        line.rstrip() for line in ESCAPE.sub("", drawn(*blocks, color=True)).splitlines()
    ] == drawn(*blocks, color=False).splitlines()


def test_a_pipe_gets_plain_text_and_a_terminal_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    pipe, tty = io.StringIO(), FakeTerminal()
    for stream in (pipe, tty):
        terminal.render(doc.Document("", [doc.Verdict("ill", "bad")]), stream)
    assert "\x1b" not in pipe.getvalue()
    assert "\x1b[" in tty.getvalue()


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_that_wants_no_colour_gets_none(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("FORCE_COLOR", "1" if name == "NO_COLOR" else "0")
    stream = FakeTerminal()
    terminal.render(doc.Document("t", everything()), stream)
    assert "\x1b" not in stream.getvalue()


def test_a_pipe_is_coloured_where_that_is_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = io.StringIO()
    terminal.render(doc.Document("", [doc.Verdict("ill", "bad")]), stream)
    assert "\x1b[" in stream.getvalue()


def test_verdicts_are_told_apart_without_colour() -> None:
    tones: tuple[doc.Tone, ...] = ("good", "bad", "warning", "neutral")
    assert (
        drawn(*(doc.Verdict("this is it", tone) for tone in tones))
        == "✓ this is it\n✗ this is it\n! this is it\nthis is it\n"
    )


HOSTILE = "x\x1b[2J\x1b]0;owned\x07[red]y[/red]\r\n\u202e:smile:\x9b31m\udc80"


def hostile_blocks() -> list[doc.Block]:
    return [
        doc.Heading(HOSTILE),
        doc.Heading(HOSTILE, 2),
        doc.Paragraph(HOSTILE),
        doc.Lines([HOSTILE]),
        doc.Markdown(HOSTILE),
        doc.Bullets([HOSTILE]),
        doc.Facts([(HOSTILE, HOSTILE)]),
        doc.Table(
            [doc.Column(HOSTILE, HOSTILE)], [[HOSTILE], [doc.Toned(HOSTILE, "bad")]], HOSTILE
        ),
        doc.HeatTable(
            [HOSTILE],
            [HOSTILE],
            [[doc.HeatCell(1.0, HOSTILE, "bad", HOSTILE)]],
            HOSTILE,
            low_means=HOSTILE,
            high_means=HOSTILE,
            stub=HOSTILE,
            across=HOSTILE,
            caption=HOSTILE,
            name=HOSTILE,
            beside_meaning=HOSTILE,
        ),
        doc.Chart(
            [doc.Series(HOSTILE, [0, 1], [0, 1])],
            HOSTILE,
            HOSTILE,
            caption=HOSTILE,
            x_names={0.0: HOSTILE},
        ),
        doc.Density([[1.0]], [0], 0.0, 1.0, HOSTILE, HOSTILE, HOSTILE),
        doc.Profile([doc.LayerSeries(HOSTILE, [1.0], HOSTILE)], [HOSTILE], caption=HOSTILE),
        doc.Verdict(HOSTILE, "bad"),
        doc.Hint(HOSTILE),
    ]


@pytest.mark.parametrize("block", hostile_blocks(), ids=lambda block: type(block).__name__)
@pytest.mark.parametrize("color", [False, True])
def test_text_from_a_file_cannot_command_the_terminal(block: doc.Block, color: bool) -> None:
    text = ESCAPE.sub("", drawn(block, color=color, title=HOSTILE, width=200))
    assert all(one.isprintable() or one == "\n" for one in text)
    assert "[red]" in text, "markup is text"
    assert ":smile:" in text, "emoji codes are text"
    assert "\\x1b[2J" in text, "what was in the file is visible"


def test_a_hint_is_one_line_that_can_be_copied() -> None:
    command = "dlprobe inspect " + "a/very/long/path/" * 10 + "run.h5"
    assert drawn(doc.Hint(command), width=40) == f"next: {command}\n"


def test_lines_keep_their_breaks_and_blanks() -> None:
    assert (
        drawn(doc.Lines(["[model]", "  layers = [100]  # two", "", "\tend"]), width=40)
        == "[model]\n  layers = [100]  # two\n\n    end\n"
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437"])
def test_a_stream_without_block_characters_gets_ascii(encoding: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="strict", newline="\n")
    terminal.render(doc.Document("Größe 損失", everything()), stream, width=80)
    stream.flush()
    text = raw.getvalue().decode(encoding)
    assert "\\u640d" in text
    assert "BAD: the gradient vanishes" in text
    assert ESCAPE.search(text) is None
    assert "64 " in text
    assert "hidden_1" in text


def test_a_chart_is_braille_in_colour_and_marks_without() -> None:
    (chart,) = (block for block in everything() if isinstance(block, doc.Chart))
    assert re.search("[⠀-⣿]", drawn(chart, color=True))
    plain = drawn(chart, color=False)
    assert "• train_loss" in plain
    assert "× val_loss" in plain


def test_a_mark_and_its_name_stay_in_one_line() -> None:
    names = [f"optimizer {number} at its rate" for number in range(6)]
    lines = drawn(
        doc.Chart([doc.Series(name, (0, 1), (1, 2)) for name in names]), width=60
    ).splitlines()
    assert all(any(re.search(rf"\S {name}", line) for line in lines) for name in names)
    assert max(map(len, lines)) <= 60


@pytest.mark.parametrize("width", range(40, 70))
def test_a_number_and_its_per_cent_sign_stay_in_one_line(width: int) -> None:
    said = "net.h5: learned well: error 2.8 % in training, 37.5 % in validation; guessing has 64 %"
    lines = drawn(doc.Verdict(said, "good"), width=width).splitlines()
    assert not [line for line in lines if line.lstrip().startswith("%")]
    assert " ".join(line.strip() for line in lines).endswith(said)


def test_a_chart_without_values_says_so() -> None:
    assert drawn(doc.Chart([doc.Series("loss", [0], [math.nan])])) == "no finite value to draw\n"


def test_a_profile_shows_its_ends_in_numbers() -> None:
    text = drawn(
        doc.Profile(
            [doc.LayerSeries("step 0", [1.0, 1e-3, 0.0])], ["hidden_1", "hidden_2", "output"]
        )
    )
    assert re.search(r"step 0 +1  ████▁▁▁▁0000  0", text)
    assert "0 = exactly zero" in text


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (doc.Facts([]), ""),
        (doc.Bullets([]), ""),
        (doc.Lines([]), ""),
        (doc.Paragraph(""), ""),
        (doc.Heading(""), ""),
        (doc.Markdown(""), ""),
        (doc.Profile([]), ""),
        (doc.Table([doc.Column("a")], []), "a"),
        (doc.Chart([]), "no finite value to draw"),
        (doc.HeatTable([], [], [], "ratio"), "number: ratio; below 0 smaller, above 0 larger"),
        (doc.HeatTable([], ["5"], [], "ratio"), "5 number: ratio; below 0 smaller, above 0 larger"),
    ],
)
def test_an_empty_block_shows_its_names_and_no_number(block: doc.Block, words: str) -> None:
    assert " ".join(drawn(block, color=False).replace("─", " ").split()) == words


def test_a_profile_of_a_series_without_layers_shows_its_name_alone() -> None:
    first = drawn(doc.Profile([doc.LayerSeries("a", [])]), color=False).splitlines()[0]
    assert first.split() == ["a", "-", "-"]


def test_a_very_narrow_terminal_is_drawn_as_forty() -> None:
    assert drawn(*everything(), width=10) == drawn(*everything(), width=40)


def test_the_width_comes_from_the_environment_where_nobody_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    stream = io.StringIO()
    terminal.render(doc.Document("", [doc.Paragraph("word " * 30)]), stream)
    assert max(map(len, stream.getvalue().splitlines())) in range(40, 51)
