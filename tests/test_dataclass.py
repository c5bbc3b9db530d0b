"""`dlprobe.dataclass` against the library's own, on the same classes."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from dlprobe.dataclass import dataclass


def classes(decorator: Callable[..., Any]) -> SimpleNamespace:
    @decorator(frozen=True)
    class Point:
        x: int
        y: float = 2.0
        tags: dict[str, int] = dataclasses.field(default_factory=dict)
        note: str = dataclasses.field(default="", compare=False, repr=False)

        @functools.cached_property
        def double(self) -> int:
            return 2 * self.x

    @decorator(frozen=True)
    class Child(Point):
        z: tuple[int, ...] = ()

    @decorator(frozen=True, kw_only=True)
    class Named:
        a: int
        b: int = 1

        def __post_init__(self) -> None:
            if self.a < 0:
                raise ValueError("negative")

        def __repr__(self) -> str:
            return "own"

    @decorator
    class Open:
        values: list[int] = dataclasses.field(default_factory=list)
        inner: list[int] = dataclasses.field(default_factory=list, init=False, repr=False)

    class Plain(Point):
        """Of a class that is not decorated."""

    return SimpleNamespace(Point=Point, Child=Child, Named=Named, Open=Open, Plain=Plain)


def told(thing: Callable[[SimpleNamespace], Any]) -> list[Any]:
    """What both say, with the kind of an error in the place of a value."""
    answers = []
    for decorator in (dataclass, dataclasses.dataclass):
        try:
            answers.append(thing(classes(decorator)))
        except Exception as error:
            answers.append(type(error))
    return answers


@pytest.mark.parametrize(
    "thing",
    [
        lambda of: repr((of.Point(1), of.Child(1, z=(2,)), of.Named(a=1), of.Open([3]))),
        lambda of: repr(of.Plain(1, 3)),
        lambda of: (of.Point(1, note="a") == of.Point(1), of.Point(1) == of.Point(2)),
        lambda of: (of.Point(1) == of.Child(1), of.Point(1) != 1, of.Open([1]) == of.Open([1])),
        lambda of: hash(of.Named(a=1)) == hash(of.Named(a=1, b=1)),
        lambda of: hash(of.Point(1)),  # of a dict
        lambda of: hash(of.Open()),
        lambda of: dataclasses.asdict(of.Child(1, 3, {"a": 1})),
        lambda of: dataclasses.replace(of.Child(1, 3), x=4).x,
        lambda of: of.Point(1).tags is of.Point(1).tags,
        lambda of: (of.Point(5).double, vars(of.Point(1)), of.Point.__match_args__),
        lambda of: vars(copy.deepcopy(of.Child(1, z=(2,)))),
        lambda of: list(vars(of.Point(note="a", tags={}, y=1.0, x=3)).items()),  # in their order
        lambda of: [list(vars(each)) for each in (of.Child(z=(1,), x=1), of.Named(b=2, a=1))],
        lambda of: of.Open(inner=[1]),
        lambda of: of.Named(a=-1),
        lambda of: of.Named(1),
        lambda of: of.Point(),
        lambda of: of.Point(1, 2.0, {}, "", 5),
        lambda of: of.Point(1, x=1),
        lambda of: of.Point(1, w=1),
        lambda of: setattr(of.Point(1), "x", 2),
        lambda of: setattr(of.Point(1), "other", 2),
        lambda of: delattr(of.Child(1), "x"),
        lambda of: setattr(of.Open(), "values", 1),
    ],
)
def test_it_does_what_the_library_does(thing: Callable[[SimpleNamespace], Any]) -> None:
    ours, theirs = told(thing)
    assert ours == theirs


def test_a_wrong_call_says_what_is_wrong() -> None:
    of = classes(dataclass)
    with pytest.raises(TypeError, match=r"Point\(\): missing: x; unknown: w$"):
        of.Point(w=1)
    with pytest.raises(TypeError, match=r"Point\(\): given twice: x$"):
        of.Point(1, x=1)
    with pytest.raises(TypeError, match=r"Named\(\): missing: a; too many: 7$"):
        of.Named(7)
