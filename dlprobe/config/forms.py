"""Forms: how the value of a field is typed, read, checked and written. One class per form; a
field's annotation carries one.

`read` takes an option text or a TOML/JSON value and returns the value a record holds; a ValueError
says what is allowed.
`plain` gives the JSON-able value that `read` takes back.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Any

from dlprobe.config.naming import parse_spec, split_list
from dlprobe.config.scalars import read_number, read_whole, read_yes_no
from dlprobe.errors import ConfigError
from dlprobe.registry import Spec, tidied


class Form(ABC):
    """What all forms share.

    `words` maps texts with a meaning of their own to the value they stand for: auto, none and never
    stand for None; full stands for itself.
    `type_name` is how --help names the type, `choices` the complete list of values where there is
    one, `kind` the registry kind of names.
    """

    type_name = "text"
    choices: tuple[str, ...] = ()
    kind: str | None = None

    def __init__(self, words: tuple[str, ...] = (), own_words: tuple[str, ...] = ()) -> None:
        self.words: dict[str, str | None] = {
            **dict.fromkeys(words),
            **{word: word for word in own_words},
        }

    @property
    @abstractmethod
    def described(self) -> str:
        """What is allowed, without the words."""

    @abstractmethod
    def parse(self, value: object) -> Any:
        """The value a record holds; ValueError (its message, where there is one, says more than
        `allowed`) for anything else.
        """

    @property
    def allowed(self) -> str:
        """What is allowed, as help and errors say it."""
        return ", or ".join([self.described, *self.words])

    def read(self, value: object) -> Any:
        """The value a record holds. Raises ValueError with what is wrong or what is allowed."""
        if isinstance(value, str) and value.strip().lower() in self.words:
            return self.words[value.strip().lower()]
        if value is None and None in self.words.values():
            return None
        try:
            return self.parse(value)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        except ValueError as error:
            raise ValueError(str(error) or f"expected {self.allowed}") from None

    def plain(self, value: Any) -> Any:
        """The JSON-able value that `read` takes back."""
        return next(
            (word for word, stands_for in self.words.items() if value == stands_for), None
        ) or self.plain_value(value)

    def plain_value(self, value: Any) -> Any:
        """`plain` of a value that is not one of the words."""
        return list(value) if isinstance(value, tuple) else value


def is_text(value: object) -> bool:
    # a lone surrogate is a byte of the command line that is not UTF-8: it could not be written
    # to the run file
    return (
        isinstance(value, str) and bool(value.strip()) and not re.search("[\0\ud800-\udfff]", value)
    )


class Whole(Form):
    """A whole number between bounds."""

    type_name = "whole number"

    def __init__(
        self,
        low: int,
        high: int | None = None,
        words: tuple[str, ...] = (),
        own_words: tuple[str, ...] = (),
    ) -> None:
        super().__init__(words, own_words)
        self.low, self.high = low, high

    @property
    def described(self) -> str:
        if self.high is None:
            return f"a whole number >= {self.low}"
        return f"a whole number, {self.low} to {self.high}"

    def parse(self, value: object) -> int:
        whole = read_whole(value)
        if whole is None or whole < self.low or (self.high is not None and whole > self.high):
            raise ValueError
        return whole


class Number(Form):
    """A finite number between bounds; `open_low` excludes the smaller one, `below` excludes
    itself and what is larger.
    """

    type_name = "number"

    def __init__(
        self,
        low: float,
        high: float | None = None,
        words: tuple[str, ...] = (),
        *,
        open_low: bool = False,
        below: float | None = None,
    ) -> None:
        super().__init__(words)
        self.low, self.high, self.open_low, self.below = low, high, open_low, below

    @property
    def described(self) -> str:
        if self.high is not None:
            return f"a number, {self.low:g} to {self.high:g}"
        upper = "" if self.below is None else f" and < {self.below:g}"
        return f"a finite number {'>' if self.open_low else '>='} {self.low:g}{upper}"

    def parse(self, value: object) -> float:
        number = read_number(value)
        if number is None or number < self.low or (self.open_low and number == self.low):
            raise ValueError
        if (self.high is not None and number > self.high) or (
            self.below is not None and number >= self.below
        ):
            raise ValueError
        return number


class OneOf(Form):
    """One of a few texts."""

    def __init__(self, *choices: str) -> None:
        super().__init__()
        self.choices = choices

    @property
    def described(self) -> str:
        return " | ".join(self.choices)

    def parse(self, value: object) -> str:
        text = tidied(value) if isinstance(value, str) else ""
        if text not in self.choices:
            raise ValueError
        return text


class Separator(OneOf):
    """One of a few texts, or the sign that a text stands for, e.g. `;` for semicolon."""

    def __init__(self, *choices: str, signs: dict[str, str]) -> None:
        super().__init__(*choices)
        self.signs = signs

    def parse(self, value: object) -> str:
        if isinstance(value, str) and value in self.signs:
            return self.signs[value]
        return super().parse(value)


class YesNo(Form):
    """yes or no; true and false are taken too."""

    type_name = "yes/no"
    choices = ("yes", "no")

    @property
    def described(self) -> str:
        return "yes | no"

    def parse(self, value: object) -> bool:
        read = read_yes_no(value)
        if read is None:
            raise ValueError
        return read


class Text(Form):
    """A text that is not empty."""

    @property
    def described(self) -> str:
        return "text that is not empty"

    def parse(self, value: object) -> str:
        if not isinstance(value, str) or not is_text(value):
            raise ValueError
        return value


class DataSource(Text):
    """The name of a data set with its parameters, or the path of a file."""

    type_name = "name or path"
    kind = "data"

    @property
    def described(self) -> str:
        return "the name of a data set, alone or as name(key=value, …), or the path of a file"

    def parse(self, value: object) -> str:
        if isinstance(value, str) and is_path(value):
            return super().parse(value)
        try:
            return str(parse_spec("data", value))  # type: ignore[arg-type]  # parse_spec refuses what is neither text nor table
        except ConfigError as error:
            may_be_file = (
                isinstance(value, str)
                and "(" not in value
                and value.isprintable()
                and value.strip()
            )
            hint = f"; a file of that name is written ./{value}" if may_be_file else ""
            raise ValueError(f"{error}{hint}") from None


def is_path(text: str) -> bool:
    """Whether a data text is a file's path: a slash or a dot outside parentheses.

    >>> is_path("digits.csv"), is_path("./digits"), is_path("gaussian(noise=0.5)")
    (True, True, False)
    """
    outside = re.sub(r"\(.*\)|\(.*$", "", text, flags=re.DOTALL)
    return outside.startswith("~") or any(sign in outside for sign in "./\\")


class Named(Form):
    """A registered thing with its parameters."""

    type_name = "name"

    def __init__(self, kind: str, words: tuple[str, ...] = ()) -> None:
        super().__init__(words)
        self.kind: str = kind

    @property
    def described(self) -> str:
        return f"name or name(key=value, …), see dlprobe explain {self.kind}"

    def parse(self, value: object) -> Spec:
        return parse_spec(self.kind, value, self.words)  # type: ignore[arg-type]  # parse_spec refuses what is neither text nor table

    def plain_value(self, value: Spec) -> str:
        return str(value)


class NamedOrYes(Named):
    """A registered thing with its parameters, `yes` standing for the usual one."""

    def __init__(self, kind: str, usual: str, words: tuple[str, ...] = ()) -> None:
        super().__init__(kind, words)
        self.usual = usual

    @property
    def described(self) -> str:
        return f"yes ({self.usual}), {super().described}"

    def read(self, value: object) -> Any:
        no = value is False or (isinstance(value, str) and value.strip().lower() == "false")
        return super().read("none" if no else value)

    def parse(self, value: object) -> Spec:
        yes = value is True or (isinstance(value, str) and value.strip().lower() in ("yes", "true"))
        return super().parse(self.usual if yes else value)


class NamedPerLayer(Named):
    """One registered thing for all hidden layers, or a list with one per hidden layer."""

    @property
    def described(self) -> str:
        return f"{super().described}; or a list with one per hidden layer"

    def parse(self, value: object) -> Any:
        items = split_list(value) if isinstance(value, str) else value
        if isinstance(items, list | tuple):
            specs = tuple(super(NamedPerLayer, self).parse(item) for item in items)
            return specs[0] if isinstance(value, str) and len(specs) == 1 else specs
        return super().parse(value)

    def plain_value(self, value: Any) -> Any:
        return [str(spec) for spec in value] if isinstance(value, tuple) else str(value)
