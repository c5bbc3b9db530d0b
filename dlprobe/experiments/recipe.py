"""Recipes: claims of lectures and textbooks, each with the runs that measure it and inequalities
that decide it.

A recipe is a record of the registry: the claim as the slide says it, a base configuration, and a
function, marked with `@recipe`, that trains what it needs in a laboratory and returns numbers,
inequalities and pictures. The verdict follows from the inequalities alone. Importing recipes
imports no engine.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from dlprobe import registry
from dlprobe.dataclass import dataclass
from dlprobe.registry import Parameter

if TYPE_CHECKING:
    from dlprobe.experiments.laboratory import Laboratory

Answer: TypeAlias = Literal["holds", "holds only when", "does not hold"]
Support: TypeAlias = Literal["said", "implied", "often heard"]
Relation: TypeAlias = Literal["<", ">"]
PictureKind: TypeAlias = Literal["lines", "layers", "table", "drawing"]


@dataclass(frozen=True)
class Check:
    """One inequality that the claim implies, `value` `relation` `bound`, in the case `when` (""
    for always). NaN never holds.
    """

    quantity: str
    value: float
    relation: Relation
    bound: float
    when: str = ""

    @property
    def holds(self) -> bool:
        """Whether the measured value is on the claim's side."""
        return self.value < self.bound if self.relation == "<" else self.value > self.bound


@dataclass(frozen=True)
class Picture:
    """What is drawn, as numbers. lines: series of (name, x, y); layers: series of (name, (), one
    value per layer); table: columns and rows;
    drawing: text lines. bounds: of lines that are edges of an area around another one, the name of
        that one. name: what `--only` calls it; empty: made of the caption. runs: by series, the
        values of each run that it is the median of.
    """

    kind: PictureKind
    caption: str
    series: Sequence[tuple[str, Sequence[float], Sequence[float]]] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str | float]] = ()
    lines: Sequence[str] = ()
    x_label: str = ""
    y_label: str = ""
    log_x: bool = False
    log_y: bool = False
    bounds: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    y_reach: tuple[float, ...] = ()
    runs: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """What a recipe measured: inequalities, named numbers (plain Python values, for JSON),
    pictures.
    """

    checks: Sequence[Check]
    measured: Mapping[str, Any]
    pictures: Sequence[Picture] = ()


@dataclass(frozen=True)
class Judgement:
    """The verdict and, where it needs one, its condition."""

    answer: Answer
    condition: str = ""

    @property
    def text(self) -> str:
        """The verdict as a sentence's end."""
        return (
            f"{self.answer} {self.condition}" if self.answer == "holds only when" else self.answer
        )


@dataclass(frozen=True)
class Recipe:
    """One claim. `truth` says what is so, `expected` which verdict follows from it at the default
    size, `base` is the TOML that all its runs begin with.

    support: whether `source` (author, year and place, or lecture topic) says the claim, implies it,
    or nobody in particular says it. topic: the module that it stands in. also: further claims that
    its numbers show. tries: commands that go on from it. `tiny` replaces values of the base where a
    recipe is run for a look (`--tiny`); `own_data` says that the claim is about the data in `base`
    and no other.
    """

    name: str
    claim: str
    support: Support
    source: str
    topic: str
    base: str
    measure: Callable[[Laboratory], Found]
    truth: str
    expected: Answer
    also: Sequence[str] = ()
    tries: Sequence[str] = ()
    tiny: Mapping[str, str] = field(default_factory=dict)
    own_data: bool = False
    parameters: tuple[Parameter, ...] = ()

    @property
    def summary(self) -> str:
        """The claim: what the registry lists."""
        return self.claim

    @property
    def seconds(self) -> float | None:
        """Seconds of one processor that five seeds took, None where nobody measured it."""
        return measured_seconds().get(self.name)


@cache
def measured_seconds() -> dict[str, float]:
    """By recipe; `python -m tests.lectures` measures and writes them."""
    file = resources.files("dlprobe.guide") / "recipes.json"
    seconds: dict[str, float] = json.loads(file.read_text(encoding="utf-8"))["seconds"]
    return seconds


Measure: TypeAlias = "Callable[[Laboratory], Found]"


def recipe(
    *,
    claim: str,
    base: str,
    truth: str,
    expected: Answer,
    said: str = "",
    implied: str = "",
    heard: str = "",
    also: Sequence[str] = (),
    tries: Sequence[str] = (),
    tiny: Mapping[str, str] | None = None,
    own_data: bool = False,
) -> Callable[[Measure], Measure]:
    """Decorator: the function measures a claim, and the recipe has its name; see `Recipe`. Exactly
    one of said, implied and heard is its source. Raises ValueError.
    """
    sources: dict[Support, str] = {"said": said, "implied": implied, "often heard": heard}
    ((support, source),) = ((kind, text) for kind, text in sources.items() if text)

    def register(measure: Measure) -> Measure:
        registry.register(
            "recipe",
            Recipe(
                name=measure.__name__,
                claim=claim,
                support=support,
                source=source,
                topic=measure.__module__.rpartition(".")[2],
                base=base,
                measure=measure,
                truth=truth,
                expected=expected,
                also=also,
                tries=tries,
                tiny=tiny or {},
                own_data=own_data,
            ),
        )
        return measure

    return register


def judge(checks: Sequence[Check]) -> Judgement:
    """The verdict: a case holds if all its inequalities do, the claim if all cases do. Words that
    all such cases begin with are said once.

    >>> judge([Check("loss", 1.0, "<", 2.0, "deep"), Check("loss", 3.0, "<", 2.0, "shallow")]).text
    'holds only when deep'
    """
    cases = list(dict.fromkeys(check.when for check in checks))
    kept = [case for case in cases if all(check.holds for check in checks if check.when == case)]
    if len(kept) == len(cases):
        return Judgement("holds")
    if not any(kept):
        return Judgement("does not hold")
    words = [case.split() for case in kept if case]
    ahead = zip(*(case[:-1] for case in words), strict=False)
    shared = len(list(itertools.takewhile(lambda words_here: len(set(words_here)) == 1, ahead)))
    ends = " or ".join(" ".join(case[shared:]) for case in words)
    return Judgement("holds only when", " ".join([*words[0][:shared], ends]))
