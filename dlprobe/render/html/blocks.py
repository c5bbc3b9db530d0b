"""The blocks of a document as HTML: sections, cards of a verdict with what belongs to it,
tables, pictures.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from dlprobe.render import document as doc
from dlprobe.render import vega
from dlprobe.render.html.heat_table import heat_table
from dlprobe.render.html.maps import map_data
from dlprobe.render.html.svg import svg_of
from dlprobe.render.html.text import escaped
from dlprobe.render.numbers import heights, value_text
from dlprobe.render.vega.themes import THEMES

MARKS = {"good": "✓", "bad": "✗", "warning": "!", "neutral": "·"}
WIDTH = 480  # pixels of a plot: its letters are still read where the page is 380 pixels wide
COLUMNS = 64  # of maps and densities without scripts
DRAWN = doc.Bars | doc.Chart | doc.Density | doc.Profile | doc.Strips | doc.StepMap


class HtmlPage:
    """A document on its way to HTML."""

    def __init__(self, document: doc.Document) -> None:
        self.document = document
        self.headings = {
            block.text: f"s{index}"
            for index, block in enumerate(document.blocks)
            if isinstance(block, doc.Heading)
        }
        drawn = vega.pictures(document, THEMES["light"], WIDTH, COLUMNS)
        self.pictures: dict[int, list[tuple[int, vega.Picture]]] = {}
        for index, picture in enumerate(drawn):
            self.pictures.setdefault(id(picture.block), []).append((index, picture))
        self.rules: dict[str, str] = {}  # of style, by class, that the body needs

    def contents(self) -> str:
        """Links to the sections."""
        first = [
            block
            for block in self.document.blocks
            if isinstance(block, doc.Heading) and block.level == 1
        ]
        return "".join(
            f'<li><a href="#{self.headings[block.text]}">{escaped(block.text)}</a></li>'
            for block in first
        )

    def maps(self) -> list[dict[str, Any]]:
        """What the script draws: the step maps, in their order."""
        return [map_data(block) for block in self.document.blocks if isinstance(block, doc.StepMap)]

    def body(self) -> str:
        """All blocks in sections."""
        parts: list[str] = []
        for section in _parts(self.document.blocks):
            head = section[0]
            inner = "\n".join(self._grouped(section))
            named = (
                f' aria-labelledby="{self.headings[head.text]}"'
                if isinstance(head, doc.Heading)
                else ""
            )
            parts.append(f"<section{named}>\n{inner}\n</section>")
        return "\n".join(parts)

    def _grouped(self, blocks: Sequence[doc.Block]) -> Iterable[str]:
        """Blocks as HTML, a verdict in a card with what belongs to it, neighbouring pictures
        beside each other.
        """
        index = 0
        while index < len(blocks):
            block = blocks[index]
            end = index + 1
            if isinstance(block, doc.Verdict):
                while end < len(blocks) and _belongs(blocks[end]):
                    end += 1
                yield (
                    '<div class="card '
                    f'{block.tone}">{"".join(map(self._one, blocks[index:end]))}</div>'
                )
            elif isinstance(block, DRAWN):
                while end < len(blocks) and isinstance(blocks[end], DRAWN):
                    end += 1
                yield f'<div class="pictures">{"".join(map(self._one, blocks[index:end]))}</div>'
            else:
                yield self._one(block)
            index = end

    def _one(self, block: doc.Block) -> str:
        if isinstance(block, doc.Heading):
            level = block.level + 1
            return f'<h{level} id="{self.headings[block.text]}">{escaped(block.text)}</h{level}>'
        if isinstance(block, doc.Table):
            return self._table(block)
        if isinstance(block, doc.HeatTable):
            table, rules = heat_table(block, self.headings)
            self.rules |= rules
            return table
        if isinstance(block, DRAWN):
            return "".join(self._picture(*picture) for picture in self.pictures.get(id(block), ()))
        return _PLAIN[type(block)](block)

    def _table(self, block: doc.Table) -> str:
        """A table; a first cell that is called as a heading is a link to it."""
        heads = "".join(
            f'<th scope="col" class="{column.align}">{escaped(_titled(column))}</th>'
            for column in block.columns
        )
        rows = []
        for row in block.rows:
            cells = [_cell(cell, column) for cell, column in zip(row, block.columns, strict=True)]
            place = self.headings.get(str(row[0]))
            cells[0] = f'<a href="#{place}">{cells[0]}</a>' if place else cells[0]
            first, *others = (
                f' class="{column.align}">{text}'
                for text, column in zip(cells, block.columns, strict=True)
            )
            rows.append(
                "<tr><th "
                f'scope="row"{first}</th>{"".join(f"<td{other}</td>" for other in others)}</tr>'
            )
        caption = f'<p class="caption">{escaped(block.caption)}</p>' if block.caption else ""
        named = f' aria-label="{escaped(block.caption)}"' if block.caption else ""
        return (
            f'{caption}<div class="scroll" '
            f'tabindex="0"><table{named}><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
        )

    def _picture(self, index: int, picture: vega.Picture) -> str:
        """A figure with its caption; what the script needs to place its cursor stands in
        `data-` attributes.
        """
        lines = [
            line
            for part in ("text", "subtitle")
            for line in picture.spec.get("title", {}).get(part, ())
        ]
        title, *notes = [
            picture.title,
            *lines[len(picture.spec.get("title", {}).get("text", ())) :],
        ]
        below = f" <small>{escaped(' '.join(notes))}</small>" if notes else ""
        kind = "map" if isinstance(picture.drawn, doc.StepMap) else "picture"
        facts = "".join(
            f' data-{name}="{escaped(json.dumps(value))}"'
            for name, value in self._places(picture.drawn, picture).items()
        )
        drawn = svg_of(picture, f"p{index}")
        return (
            "<figure "
            f'class="{kind}"{facts}><figcaption><b>{escaped(title)}</b>{below}</figcaption><div '
            f'class="scroll" tabindex="0">{drawn}</div></figure>'
        )

    def _places(self, block: Any, picture: vega.Picture) -> dict[str, Any]:
        """The ends of the axes where they are steps, or layers of a quantity that a step map
        has.
        """
        if isinstance(block, doc.Profile):
            known = {
                one.name
                for block in self.document.blocks
                if isinstance(block, doc.StepMap)
                for one in block.quantities
            }
            if picture.name in known and block.layers:
                return {
                    "quantity": picture.name,
                    "layers": list(block.layers),
                    "y": vega.domain_of(picture.spec, "y"),
                }
            return {}
        over_steps = (
            isinstance(block, doc.Chart | doc.Density)
            and block.x_label == "step"
            and not getattr(block, "log_x", False)
        )
        return {"steps": vega.domain_of(picture.spec, "x")} if over_steps else {}


def _parts(blocks: Sequence[doc.Block]) -> list[list[doc.Block]]:
    parts: list[list[doc.Block]] = []
    for block in blocks:
        if not parts or (isinstance(block, doc.Heading) and block.level == 1):
            parts.append([])
        parts[-1].append(block)
    return parts


def _belongs(block: doc.Block) -> bool:
    return isinstance(block, doc.Choices | doc.Bullets) or (
        isinstance(block, doc.Paragraph) and block.below
    )


def _titled(column: doc.Column) -> str:
    return column.title


def _cell(value: doc.Cell, column: doc.Column) -> str:
    if isinstance(value, doc.Heights):
        return f'<span class="heights">{heights(value.values)}</span>'
    text = escaped(value_text(value, column.digits))
    return _toned(text, value.tone) if isinstance(value, doc.Toned) else text


def _toned(text: str, tone: str) -> str:
    """Text with its mark, so that the colour is not all that tells."""
    if tone == "neutral":
        return text
    return f'<span class="{tone}"><span aria-hidden="true">{MARKS[tone]} </span>{text}</span>'


def _facts(block: doc.Facts) -> str:
    rows = [(escaped(key), _cell(value, doc.Column("", digits=6))) for key, value in block.pairs]
    if rows:
        return f"<dl>{''.join(f'<dt>{key}</dt><dd>{value}</dd>' for key, value in rows)}</dl>"
    return ""


def _verdict(block: doc.Verdict) -> str:
    return (
        f'<p class="verdict {block.tone}"><span aria-hidden="true">{MARKS[block.tone]} '
        f"</span>{escaped(block.line)}</p>"
    )


def _choices(block: doc.Choices) -> str:
    entries = []
    for entry in block.entries:
        command = f"<code>{escaped(entry.command)}</code>" if entry.command else ""
        why = f"<span>{escaped(entry.why)}</span>" if entry.why else ""
        entries.append(f"<li><b>{escaped(entry.word)}</b> {command} {why}</li>")
    return f'<ul class="choices">{"".join(entries)}</ul>' if entries else ""


def _bullets(block: doc.Bullets) -> str:
    if block.items:
        return f"<ul>{''.join(f'<li>{escaped(item)}</li>' for item in block.items)}</ul>"
    return ""


def _lines(lines: Sequence[str]) -> str:
    text = "\n".join(escaped(line.expandtabs(4)) for line in lines)
    return f'<pre tabindex="0">{text}</pre>'


_PLAIN: dict[type, Callable[[Any], str]] = {
    doc.Paragraph: lambda block: (
        f'<p class="{block.tone}{" below" * block.below}">{escaped(block.text)}</p>'
    ),
    doc.Lines: lambda block: _lines(block.lines),
    doc.Markdown: lambda block: _lines(re.sub(r"\n+$", "", block.text).split("\n")),
    doc.Bullets: _bullets,
    doc.Facts: _facts,
    doc.Verdict: _verdict,
    doc.Choices: _choices,
    doc.Image: lambda block: f"<p>{escaped(block.title)}: {escaped(block.path)}</p>",
    doc.Hint: lambda block: f'<p class="next">next: <code>{escaped(block.command)}</code></p>',
}
