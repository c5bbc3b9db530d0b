"""Document → GitHub-flavoured Markdown, for pull requests and issues.

Text is escaped: nothing in it becomes markup, a link, HTML, or a mention of somebody. Pictures that
need characters of one width become tables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TextIO
from urllib.parse import quote

from dlprobe.render import density, formats
from dlprobe.render import document as doc
from dlprobe.render.heat import number_of
from dlprobe.render.numbers import heights, spread, value_text
from dlprobe.render.safe_text import encodable, visible

_SPECIAL = re.compile(r"[\\`*_\[\]|~$]|^[-+#=]|^(?P<number>\d+)(?=[.)](?:\s|$))")
_LINK = re.compile(r"\b(https?|ftp)(:)(?=//)|\b(www)(\.)", re.IGNORECASE)
_MARKS = {"good": "✅ ", "bad": "❌ ", "warning": "⚠️ ", "neutral": ""}
_SHOWN_POINTS = 8


def render(
    document: doc.Document, stream: TextIO, *, width: int | None = None, color: bool | None = None
) -> None:
    """Write the document; `width` and `color` are there because every format has them."""
    parts = [f"## {escaped(document.title)}"] if document.title else []
    parts += [text for block in document.blocks if (text := _DRAWINGS[type(block)](block))]
    stream.write(encodable("\n\n".join(parts) + "\n", getattr(stream, "encoding", None) or "utf-8"))


def escaped(text: str) -> str:
    r"""Text that Markdown shows as it is, on one line.

    >>> print(escaped("a_b <i> | @you #3"))
    a\_b &lt;i&gt; \| @&#8203;you #&#8203;3
    """
    plain = visible(text).strip().replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    plain = _SPECIAL.sub(
        lambda match: f"{match['number']}&#8203;" if match["number"] else f"\\{match[0]}", plain
    )
    # neither a mention nor a reference to an issue
    plain = re.sub(r"(?<=[@#])(?=[^\W_])(?<!&#)", "&#8203;", plain)
    return _LINK.sub(lambda match: f"{match[1] or match[3]}&#{58 if match[2] else 46};", plain)


def code(text: str) -> str:
    """Text as a code span, with a fence longer than any in it.

    >>> code("a `b` c")
    '``a `b` c``'
    """
    plain = visible(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", plain)), default=0))
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{pad}{plain}{pad}{fence}"


def fenced(lines: Sequence[str]) -> str:
    """Lines as a code block."""
    shown = [visible(line.expandtabs(4)) for line in lines]
    fence = "`" * max(
        3, 1 + max((len(run) for line in shown for run in re.findall("`+", line)), default=0)
    )
    return "\n".join([fence, *shown, fence])


def _cell(value: doc.Cell, digits: int = 4) -> str:
    if isinstance(value, doc.Heights):
        return heights(value.values)
    mark = _MARKS[value.tone] if isinstance(value, doc.Toned) else ""
    return mark + escaped(value_text(value, digits))


def _rows(names: Sequence[str], aligns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---:" if align == "right" else "---" for align in aligns]
    return "\n".join(
        f"| {' | '.join(cells)} |" for cells in [[name or " " for name in names], rule, *rows]
    )


def _captioned(caption: str, text: str) -> str:
    return f"**{escaped(caption)}**\n\n{text}" if caption else text


def _heading(block: doc.Heading) -> str:
    return f"{'#' * (block.level + 2)} {escaped(block.text)}"


def _verdict(block: doc.Verdict) -> str:
    return f"{_MARKS[block.tone]}{escaped(block.line)}"


def _choices(block: doc.Choices) -> str:
    typed = [
        ", ".join(map(code, [entry.command] if entry.command else entry.lines))
        for entry in block.entries
    ]
    told = [
        ": ".join(filter(None, [text, escaped(entry.why)]))
        for text, entry in zip(typed, block.entries, strict=True)
    ]
    return "\n".join(
        f"- {escaped(entry.word)} {text}".strip()
        for entry, text in zip(block.entries, told, strict=True)
    )


def _bullets(block: doc.Bullets) -> str:
    return "\n".join(f"- {escaped(item)}" for item in block.items)


def _facts(block: doc.Facts) -> str:
    if block.pairs:
        return _rows(
            ["", ""],
            ["left", "left"],
            [[escaped(key), _cell(value, 6)] for key, value in block.pairs],
        )
    return ""


def _table(block: doc.Table) -> str:
    names = [escaped(column.title) for column in block.columns]
    rows = [
        [_cell(cell, column.digits) for cell, column in zip(row, block.columns, strict=True)]
        for row in block.rows
    ]
    return _captioned(block.caption, _rows(names, [column.align for column in block.columns], rows))


def _bars(block: doc.Bars) -> str:
    rows = [
        [escaped(name), escaped(text)] for name, text in zip(block.names, block.texts, strict=True)
    ]
    return _captioned(block.caption, _rows(["", ""], ["left", "right"], rows)) if rows else ""


def _heat_table(block: doc.HeatTable) -> str:
    names = [
        escaped(block.stub),
        *(escaped(f"{block.across} {name}".strip()) for name in block.columns),
    ]
    rows = [
        [
            escaped(name),
            *(
                _MARKS[cell.tone]
                + escaped(" ".join(filter(None, [number_of(cell), cell.verdict, cell.beside])))
                for cell in row
            ),
        ]
        for name, row in zip(block.rows, block.cells, strict=True)
    ]
    told = "; ".join(
        [
            f"number: {block.meaning}",
            *([f"behind it: {block.beside_meaning}"] if block.beside_meaning else []),
        ]
    )
    return _captioned(
        block.caption,
        f"{_rows(names, ['left', *['right'] * len(block.columns)], rows)}\n\n{escaped(told)}",
    )


def _some(count: int) -> list[int]:
    return sorted(set(spread(count, _SHOWN_POINTS)))


def _chart(block: doc.Chart) -> str:
    rows = []
    for series in block.series:
        shown = _some(len(series.x))
        rows += [
            [
                escaped(series.name),
                escaped(block.x_names.get(series.x[index], value_text(series.x[index]))),
                escaped(value_text(float(series.y[index]))),
            ]
            for index in shown
        ]
    names = ["series", escaped(block.x_label or "x"), escaped(block.y_label or "y")]
    return _captioned(block.caption, _rows(names, ["left", "right", "right"], rows)) if rows else ""


def _density(block: doc.Density) -> str:
    picture = density.draw(block, 100, density.SHADES)
    lines = [f"{number:>{picture.margin}} │{text}".rstrip() for number, text in picture.rows]
    axes = f"{block.y_label} over {block.x_label}" if block.x_label else block.y_label
    if lines:
        return _captioned(
            block.caption,
            f"{escaped(axes)}\n\n{fenced([*lines, ' ' * (picture.margin + 2) + picture.steps])}",
        )
    return ""


def _profile(block: doc.Profile) -> str:
    if not block.series:
        return ""
    depth = max(len(series.values) for series in block.series)
    layers = block.layers or [f"layer {index + 1}" for index in range(depth)]
    judged = [
        f"{series.name} ({series.verdict})" if series.verdict else series.name
        for series in block.series
    ]
    rows = [
        [
            escaped(layer),
            *(
                escaped(value_text(float(series.values[index]), 3))
                if index < len(series.values)
                else "-"
                for series in block.series
            ),
        ]
        for index, layer in enumerate(layers)
    ]
    return _captioned(
        block.caption,
        _rows(["layer", *map(escaped, judged)], ["left", *["right"] * len(judged)], rows),
    )


def _step_map(block: doc.StepMap) -> str:
    columns = _some(len(block.steps))
    quantity = block.quantities[0]
    rows = [
        [escaped(name), *(value_text(float(quantity.values[column][row]), 3) for column in columns)]
        for row, name in enumerate(block.layers)
    ]
    heads = [escaped(quantity.name), *(f"step {block.steps[column]}" for column in columns)]
    return _captioned(block.caption, _rows(heads, ["left", *["right"] * len(columns)], rows))


def _image(block: doc.Image) -> str:
    """A link to the file; its name is ours but for the stem, which is encoded."""
    return f"![{escaped(block.title)}]({quote(block.path)})"


def _strips(block: doc.Strips) -> str:
    """A table for each quantity, a row for each of its places."""
    texts = [_captioned(block.caption, "")] if block.caption else []
    for group in block.groups:
        columns = [(strip.name, strip.values) for strip in group.strips]
        columns += [
            (f"{strip.name}: theory", strip.theory) for strip in group.strips if len(strip.theory)
        ]
        longest = max((len(values) for _, values in columns), default=0)
        rows = [
            [
                escaped(place),
                *(
                    escaped(value_text(float(values[index]), 3)) if index < len(values) else "-"
                    for _, values in columns
                ),
            ]
            for index, place in enumerate((group.along or block.layers)[:longest])
        ]
        names = ["step" if group.along else "layer", *(escaped(name) for name, _ in columns)]
        texts.append(
            _captioned(group.quantity, _rows(names, ["left", *["right"] * len(columns)], rows))
        )
    return "\n\n".join(text.rstrip() for text in texts)


_DRAWINGS: dict[type, Callable[[Any], str]] = {
    doc.Heading: _heading,
    doc.Paragraph: lambda block: escaped(block.text),
    doc.Lines: lambda block: fenced(block.lines),
    doc.Markdown: lambda block: block.text.rstrip("\n"),
    doc.Bullets: _bullets,
    doc.Facts: _facts,
    doc.Table: _table,
    doc.Bars: _bars,
    doc.HeatTable: _heat_table,
    doc.Chart: _chart,
    doc.Density: _density,
    doc.Profile: _profile,
    doc.StepMap: _step_map,
    doc.Image: _image,
    doc.Strips: _strips,
    doc.Verdict: _verdict,
    doc.Choices: _choices,
    doc.Hint: lambda block: f"next: {code(block.command)}",
}

formats.register("markdown", "Markdown for pull requests and issues", render)
