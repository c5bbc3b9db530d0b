"""A `Document`: what a command has to say, as ordered blocks without any formatting, plus the same
as data.

Reports build documents, formats draw them. Values stay numbers as long as possible: a format
decides digits, colours and widths.
Text may come from files (layer names, error texts); formats escape it, so nobody needs to clean it
here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Literal, Self, TypeAlias

from dlprobe.dataclass import dataclass

Tone: TypeAlias = Literal["good", "bad", "warning", "neutral"]
Alignment: TypeAlias = Literal["left", "right"]
Value: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True)
class Toned:
    """A cell or fact whose value is also judged, e.g. `Toned("diverged", "bad")`."""

    value: Value
    tone: Tone


@dataclass(frozen=True)
class Heights:
    """A cell that is a small histogram: numbers of 0 and more, the largest as high as the line,
    what is above 0 always above the ground. ends: of its axis, as a picture tells them.
    """

    values: Sequence[float]
    ends: str = ""


Cell: TypeAlias = Value | Toned | Heights


@dataclass(frozen=True)
class Heading:
    """A title inside a document; level 1 for sections, 2 for parts of a section."""

    text: str
    level: int = 1


@dataclass(frozen=True)
class Paragraph:
    """Running text, wrapped to the width at hand. below: it belongs to the verdict above it,
    and is indented.
    """

    text: str
    tone: Tone = "neutral"
    below: bool = False


@dataclass(frozen=True)
class Lines:
    """Text whose line breaks matter and which is never wrapped, one entry per line: TOML, a
    formula, a listing.
    """

    lines: Sequence[str]


@dataclass(frozen=True)
class Markdown:
    """A whole text that is written in Markdown: a page of the manual. Never text from a file of
    the user.
    """

    text: str


@dataclass(frozen=True)
class Bullets:
    """A short list of sentences."""

    items: Sequence[str]


@dataclass(frozen=True)
class Facts:
    """Key and value pairs, e.g. `Facts((("status", "completed"), ("steps", 680)))`."""

    pairs: Sequence[tuple[str, Cell]]


@dataclass(frozen=True)
class Column:
    """One column of a table; `digits` are the significant digits of its floats."""

    name: str
    unit: str = ""
    align: Alignment = "left"
    digits: int = 4

    @property
    def title(self) -> str:
        """The name with its unit."""
        return f"{self.name} [{self.unit}]" if self.unit else self.name


@dataclass(frozen=True)
class Table:
    """Rows of cells under named columns. The first column names the row: it is repeated where a
    table is too wide for one piece.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""

    def __post_init__(self) -> None:
        _require(bool(self.columns), "a table needs a column")
        for number, row in enumerate(self.rows):
            _require(
                len(row) == len(self.columns),
                f"row {number} has {len(row)} cells for {len(self.columns)} columns",
            )


@dataclass(frozen=True)
class Bars:
    """A bar for each row, as long as its value is large beside the largest; `texts` stand behind
    the bars: counts, shares. Values are 0 or more.

    name, here and in other pictures: what `--only` calls it; empty: made of the caption.
    """

    names: Sequence[str]
    values: Sequence[float]
    texts: Sequence[str]
    caption: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        _require(
            len(self.names) == len(self.values) == len(self.texts),
            f"{len(self.values)} bars, {len(self.names)} names and {len(self.texts)} texts",
        )


@dataclass(frozen=True)
class HeatCell:
    """One cell of a heat table: `value` on the log10 scale (NaN: nothing to show), its verdict in
    one word, and the text shown instead of the value.

    beside: a second number as text, e.g. an accuracy. runs: ids of those behind it, the one that a
    page leads to first.
    """

    value: float
    verdict: str = ""
    tone: Tone = "neutral"
    text: str = ""
    beside: str = ""
    runs: Sequence[str] = ()


@dataclass(frozen=True)
class HeatTable:
    """Numbers on a diverging log10 scale around 0, rows by columns, each with a verdict.

    `meaning` says what the number is, e.g. "log10 of error signal at hidden_1 over hidden_n",
    `beside_meaning` what stands beside it. Values below `low` or above `high` take the end colours;
    the number printed stays as it is. `low_means` and `high_means` name the two ends ("vanishing",
    "exploding"). `stub` names what the rows are, `across` what the columns are ("depth").

    shift: what 0 of the scale stands for among the numbers that are shown.
    """

    rows: Sequence[str]
    columns: Sequence[str]
    cells: Sequence[Sequence[HeatCell]]
    meaning: str
    low: float = -6.0
    high: float = 6.0
    low_means: str = ""
    high_means: str = ""
    shift: float = 0.0
    stub: str = ""
    across: str = ""
    caption: str = ""
    name: str = ""
    beside_meaning: str = ""

    def __post_init__(self) -> None:
        _require(
            self.low < 0 < self.high,
            f"a heat scale runs from below 0 to above 0, not from {self.low} to {self.high}",
        )
        _require(
            len(self.cells) == len(self.rows),
            f"{len(self.cells)} rows of cells for {len(self.rows)} row names",
        )
        for name, row in zip(self.rows, self.cells, strict=True):
            _require(
                len(row) == len(self.columns),
                f"row {name!r} has {len(row)} cells for {len(self.columns)} columns",
            )


@dataclass(frozen=True)
class Series:
    """One line of a chart: `x` and `y` of equal length; NaN and infinite values leave a gap.

    bounds: the name of the series that this one is an edge of: the first edge with the last, the
        second with the last but one … are the two sides of an area where a picture can draw one.
    runs: of each run that y is the median of its values; they may end earlier. Pictures draw
        them, a terminal has no room.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    bounds: str = ""
    runs: Sequence[Sequence[float]] = ()

    def __post_init__(self) -> None:
        _require(
            len(self.x) == len(self.y),
            f"series {self.name!r} has {len(self.x)} x and {len(self.y)} y",
        )


@dataclass(frozen=True)
class Chart:
    """A line chart, e.g. of loss over steps; `log_x` and `log_y` draw on log scales (values of 0
    and below leave a gap there).

    `x_names`: what to write at places of the x axis, in place of round numbers: the values that
        were tried, or names. `y_reach`: numbers that the y axis holds as well, so that charts that
        are compared share their scale.
    """

    series: Sequence[Series]
    x_label: str = ""
    y_label: str = ""
    log_y: bool = False
    caption: str = ""
    log_x: bool = False
    x_names: Mapping[float, str] = field(default_factory=dict)
    name: str = ""
    y_reach: Sequence[float] = ()


@dataclass(frozen=True)
class Density:
    """How values are distributed as time goes on: one column per `x`, each the share of values (0 …
    1) in rows of equal height from `low` to `high`.

    `shares` is (column, row), lowest row first; a column without values is all zero.
    """

    shares: Sequence[Sequence[float]]
    x: Sequence[float]
    low: float
    high: float
    x_label: str = ""
    y_label: str = ""
    caption: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        _require(len(self.shares) == len(self.x), f"{len(self.shares)} columns for {len(self.x)} x")
        _require(
            len({len(column) for column in self.shares}) <= 1,
            "columns of a density have equally many rows",
        )
        _require(
            self.low < self.high,
            f"a density runs from low to high, not from {self.low} to {self.high}",
        )


@dataclass(frozen=True)
class LayerValues:
    """One quantity of a step map: `values` is (column, layer), NaN where there is none.
    meaning: what it is, in a sentence.
    """

    name: str
    values: Sequence[Sequence[float]]
    meaning: str = ""


@dataclass(frozen=True)
class StepMap:
    """Quantities of every layer as training goes on: a column per step of `steps`, a row per layer
    of `layers`, layer 0 nearest the input.

    The first quantity is drawn; a page lets its reader choose another one.
    """

    steps: Sequence[int]
    layers: Sequence[str]
    quantities: Sequence[LayerValues]
    caption: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        _require(bool(self.quantities), "a step map needs a quantity")
        for one in self.quantities:
            shapes = {len(column) for column in one.values}
            _require(
                len(one.values) == len(self.steps) and shapes <= {len(self.layers)},
                f"{one.name!r} is not {len(self.steps)} steps by {len(self.layers)} layers",
            )


@dataclass(frozen=True)
class LayerSeries:
    """One value per layer, layer 0 nearest the input, with an optional verdict in one word. band:
    what each is expected between, [(low, high), …].

    like: the name of the series whose colour it has, being what theory says of it. runs: as
        `Series` has them.
    """

    name: str
    values: Sequence[float]
    verdict: str = ""
    tone: Tone = "neutral"
    band: Sequence[tuple[float, float]] = ()
    like: str = ""
    runs: Sequence[Sequence[float]] = ()


@dataclass(frozen=True)
class Profile:
    """How one or several quantities run through the layers, on a log scale.

    `layers` names the layers, nearest the input first; leave it empty where the series have
    different layers. With `shared_scale` all series are drawn on one scale and can be compared by
    eye; without it each has its own (for quantities of different units).
    """

    series: Sequence[LayerSeries]
    layers: Sequence[str] = ()
    shared_scale: bool = True
    caption: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        for one in self.series:
            _require(
                not self.layers or len(one.values) == len(self.layers),
                f"series {one.name!r} has {len(one.values)} values for {len(self.layers)} layers",
            )


@dataclass(frozen=True)
class Image:
    """A picture that is a file of its own, beside the document. path: relative to it."""

    path: str
    title: str


@dataclass(frozen=True)
class Strip:
    """One line of a strip group: a moment of a run, or a net. values: (layer,), or (moment,) of a
    group over steps, NaN where there is none.

    theory: (layer,) what theory expects of the same, on the same scale; empty for none. verdict: on
        these values, in one word. runs: as `Series` has them.
    """

    name: str
    values: Sequence[float]
    theory: Sequence[float] = ()
    verdict: str = ""
    tone: Tone = "neutral"
    runs: Sequence[Sequence[float]] = ()


@dataclass(frozen=True)
class StripGroup:
    """One quantity on one log scale that all its strips share. along: names of the places where
    they are not the layers of the block, e.g. steps.

    extreme: which end is named with its place. name: what `--only` calls it; empty: made of the
        quantity.
    """

    quantity: str
    strips: Sequence[Strip]
    along: Sequence[str] = ()
    extreme: Literal["largest", "smallest"] = "largest"
    name: str = ""


@dataclass(frozen=True)
class Strips:
    """Several quantities below each other, layer under layer, one group for each. A strip that
    is shorter than `layers` ends before the output layer.
    """

    groups: Sequence[StripGroup]
    layers: Sequence[str] = ()
    caption: str = ""

    def __post_init__(self) -> None:
        for group in self.groups:
            places = group.along or self.layers
            for strip in group.strips:
                longest = max(len(strip.values), len(strip.theory))
                _require(
                    longest <= len(places),
                    f"strip {strip.name!r} of {group.quantity} has {longest} values for "
                    f"{len(places)} places",
                )


@dataclass(frozen=True)
class Verdict:
    """One line of judgement. apart: it begins something new, so it does not stand right below
    the verdict before it.
    """

    line: str
    tone: Tone = "neutral"
    apart: bool = False


@dataclass(frozen=True)
class Choice:
    """Something to try: a short word before it ("Try", "or"), the command on one line so that it
    can be copied (empty: words alone), and why.

    lines: of a program, in place of a command.
    """

    word: str
    command: str
    why: str = ""
    lines: Sequence[str] = ()


@dataclass(frozen=True)
class Choices:
    """What belongs to the verdict above it: things to try, in order."""

    entries: Sequence[Choice]


@dataclass(frozen=True)
class Hint:
    """What to type next, e.g. `Hint("dlprobe inspect run.h5")`; printed on one line so that it can
    be copied.

    details: whether it is the way to the details, so that it is left out beside them.
    """

    command: str
    details: bool = False


Picture: TypeAlias = Bars | HeatTable | Chart | Density | StepMap | Profile | Strips
Block: TypeAlias = (
    Heading
    | Paragraph
    | Lines
    | Markdown
    | Bullets
    | Facts
    | Table
    | Picture
    | Image
    | Verdict
    | Choices
    | Hint
)


@dataclass(frozen=True)
class Document:
    """Title and blocks for people, `data` for programs: the record that `--format json` prints,
    with its `schema` key (e.g. "dlprobe-inspect/1").

    blocks: the first screen; details: what `--details` adds to it.
    """

    title: str
    blocks: Sequence[Block]
    data: Mapping[str, Any] = field(default_factory=dict)
    details: Sequence[Block] = ()

    def __post_init__(self) -> None:
        _require(
            not self.data or isinstance(self.data.get("schema"), str),
            "the data of a document needs a 'schema' text",
        )

    def shown(self, details: bool) -> Self:
        """The document with its details among the blocks, before what to type next, or without
        them.
        """
        if not self.details:
            return self
        kept = (
            [block for block in self.blocks if not isinstance(block, Hint)]
            if details
            else self.blocks
        )
        hints = (
            [block for block in self.blocks if isinstance(block, Hint) and not block.details]
            if details
            else []
        )
        return replace(self, blocks=[*kept, *(self.details if details else ()), *hints], details=())


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
