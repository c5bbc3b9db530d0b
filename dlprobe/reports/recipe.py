"""What `recipe` says: the list of claims, what slides get wrong, and one claim with its
measurement, pictures and verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote as quoted
from typing import TYPE_CHECKING, Any

from dlprobe.render.document import (
    Block,
    Bullets,
    Cell,
    Chart,
    Column,
    Document,
    Facts,
    Heading,
    Hint,
    LayerSeries,
    Lines,
    Paragraph,
    Profile,
    Series,
    Table,
    Tone,
    Toned,
    Verdict,
)

if TYPE_CHECKING:
    from pathlib import Path

    from dlprobe.experiments.recipe import Check, Found, Judgement, Picture, Recipe

SCHEMA = "dlprobe-recipe/1"
LIST_SCHEMA = "dlprobe-recipes/1"
TONES: Mapping[str, Tone] = {"holds": "good", "holds only when": "warning", "does not hold": "bad"}


def listing(recipes: Mapping[str, Recipe], wrong: bool) -> Document:
    """All claims by topic; with `wrong`, those that somebody said and that do not simply hold, each
    with what is so.
    """
    chosen = [
        recipe
        for recipe in recipes.values()
        if not wrong or (recipe.support == "said" and recipe.expected != "holds")
    ]
    data = {"schema": LIST_SCHEMA, "recipes": [entry(recipe) for recipe in chosen]}
    if wrong:
        blocks: list[Block] = []
        for recipe in chosen:
            blocks += [
                Heading(recipe.name, 2),
                Facts(
                    [
                        ("said", recipe.claim),
                        ("by", recipe.source),
                        ("verdict", Toned(told(recipe), TONES[recipe.expected])),
                        ("what is so", recipe.truth),
                    ]
                ),
            ]
        return Document(
            "what slides get wrong", [*blocks, Hint(f"dlprobe recipe {chosen[0].name}")], data
        )
    columns = [
        *(Column("recipe"), Column("claim"), Column("support"), Column("known verdict")),
        Column("takes about", "s", "right", 2),
    ]
    tables = []
    for topic in dict.fromkeys(recipe.topic for recipe in chosen):
        rows: list[list[Cell]] = []
        for recipe in (one for one in chosen if one.topic == topic):
            verdict = Toned(told(recipe), TONES[recipe.expected])
            rows.append([recipe.name, recipe.claim, recipe.support, verdict, recipe.seconds])
            rows += [["", f"also: {claim}", "", "", ""] for claim in recipe.also]
        tables.append(Table(columns, rows, caption=topic))
    note = (
        "takes: about so many seconds of one processor with --seeds 5; --tiny is for a look, "
        "--quiz asks about profiles"
    )
    hints = [f"dlprobe recipe {chosen[0].name}", "dlprobe recipe --wrong"]
    return Document("claims to measure", [*tables, Paragraph(note), *map(Hint, hints)], data)


def told(recipe: Recipe) -> str:
    """The known verdict without its condition."""
    return "holds in some cases" if recipe.expected == "holds only when" else recipe.expected


def entry(recipe: Recipe) -> dict[str, Any]:
    """A recipe as data."""
    return {
        "name": recipe.name,
        "topic": recipe.topic,
        "claim": recipe.claim,
        "also": list(recipe.also),
        "support": recipe.support,
        "source": recipe.source,
        "seconds": recipe.seconds,
        "tries": list(recipe.tries),
        "truth": recipe.truth,
        "expected": recipe.expected,
    }


def document(
    recipe: Recipe,
    measured: Found,
    judgement: Judgement,
    data_name: str,
    seeds: int,
    study: Path | None = None,
    given: bool = False,
) -> Document:
    """One claim, measured. study: the file that keeps its runs; given: on other data than the
    recipe's.
    """
    blocks: list[Block] = [
        Facts(
            [
                ("claim", recipe.claim),
                (recipe.support, recipe.source),
                ("data", data_name),
                ("seeds", seeds),
            ]
        )
    ]
    blocks += [drawn(picture) for picture in measured.pictures]
    rows = [asked(check) for check in measured.checks]
    blocks += [
        Table(
            [
                Column("the claim asks that"),
                Column("when"),
                Column("measured", align="right"),
                Column("asked"),
                Column("so"),
            ],
            rows,
        )
    ]
    blocks += [
        Verdict(f"The claim {judgement.text}.", TONES[judgement.answer]),
        Bullets(["on the recipe's own data: " * given + recipe.truth, *recipe.also]),
        *(Hint(line) for line in recipe.tries),
    ]
    blocks += (
        [
            Hint(
                f"dlprobe recipe {quoted(str(study))}   # measures the saved runs again, "
                "without training"
            )
        ]
        if study
        else []
    )
    return Document(recipe.name, blocks, result(recipe, measured, judgement, data_name, seeds))


def asked(check: Check) -> list[Cell]:
    """A row of the table of inequalities."""
    so = Toned("yes", "good") if check.holds else Toned("no", "bad")
    return [check.quantity, check.when, check.value, f"{check.relation} {check.bound:.4g}", so]


def result(
    recipe: Recipe, measured: Found, judgement: Judgement, data_name: str, seeds: int
) -> dict[str, Any]:
    """The record that `--format json` prints."""
    checks = [
        {
            "quantity": check.quantity,
            "when": check.when,
            "value": check.value,
            "relation": check.relation,
            "bound": check.bound,
            "holds": check.holds,
        }
        for check in measured.checks
    ]
    return {
        "schema": SCHEMA,
        **entry(recipe),
        "data": data_name,
        "seeds": seeds,
        "verdict": judgement.answer,
        "condition": judgement.condition,
        "checks": checks,
        "measured": dict(measured.measured),
    }


def drawn(picture: Picture) -> Block:
    """A picture as a block of a document."""
    if picture.kind == "lines":
        series = [
            Series(name, x, y, picture.bounds.get(name, ""), picture.runs.get(name, ()))
            for name, x, y in picture.series
        ]
        return Chart(
            *(series, picture.x_label, picture.y_label, picture.log_y, picture.caption),
            log_x=picture.log_x,
            y_reach=picture.y_reach,
            name=picture.name,
        )
    if picture.kind == "layers":
        return Profile(
            [LayerSeries(name, values) for name, _, values in picture.series],
            caption=picture.caption,
        )
    if picture.kind == "table":
        return Table([Column(name) for name in picture.columns], picture.rows, picture.caption)
    return Lines([picture.caption, *picture.lines])
