"""The one registry: every part, data set and later every rule, report and format is a record under
`(kind, name)`.

A record is any frozen object with `name`, `summary` and `parameters`. A module registers its
records when it is imported; the registry imports the home of a kind the first time somebody asks
for that kind, so adding a record to a home (or a file to a home that is a folder) is all there is
to do. Another package adds records by an entry point of the group PLUGINS: its name is a kind, its
value a module that registers some.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from difflib import SequenceMatcher
from functools import cache
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, ParamSpec, Protocol, TypeAlias, TypeVar

from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError

Value: TypeAlias = bool | int | float | str


@dataclass(frozen=True)
class Parameter:
    """One named parameter of a record, e.g. `slope` of leaky_relu.

    `low` and `high` bound the legal values (inclusive unless the matching `open_` flag is set);
    None leaves a side open.
    `choices` lists the legal values of a text parameter. The type of a value is the type of
    `default`.
    """

    name: str
    default: Value
    help: str
    low: float | None = None
    high: float | None = None
    open_low: bool = False
    open_high: bool = False
    choices: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """The legal values in words, as help and errors print them."""
        if self.choices:
            return " | ".join(self.choices)
        if isinstance(self.default, bool):
            return "yes | no"
        kind = {int: "a whole number", float: "a number", str: "text"}[type(self.default)]
        bounds = [
            f"{'>' if self.open_low else '>='} {self.low:g}" if self.low is not None else "",
            f"{'<' if self.open_high else '<='} {self.high:g}" if self.high is not None else "",
        ]
        return " and ".join([kind, *filter(None, bounds)]).replace(" and ", " ", 1)

    def admits(self, value: Value) -> bool:
        """Whether `value` (already of the right type) is inside the legal range."""
        if self.choices:
            return value in self.choices
        if isinstance(value, bool | str):
            return True
        above = self.low is None or (value > self.low if self.open_low else value >= self.low)
        below = self.high is None or (value < self.high if self.open_high else value <= self.high)
        return bool(value == value and abs(value) != float("inf") and above and below)


class Record(Protocol):
    """What the registry asks of a record."""

    @property
    def name(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def parameters(self) -> tuple[Parameter, ...]: ...


@dataclass(frozen=True)
class Spec:
    """A named thing with its parameters filled in, e.g. `leaky_relu(slope=0.2)`: what a
    configuration holds.

    `parameters` holds every parameter of the record, defaults included. `given` keeps what the user
    wrote, so that it prints back short.
    """

    kind: str
    name: str
    parameters: Mapping[str, Value]
    given: tuple[str, ...] = ()

    def __str__(self) -> str:
        inner = ", ".join(f"{key}={format_value(self.parameters[key])}" for key in self.given)
        return f"{self.name}({inner})" if inner else self.name

    @property
    def record(self) -> Any:
        """The registered record this names."""
        return get(self.kind, self.name)


def format_value(value: Value) -> str:
    """A parameter's value as people type it; a text with signs that mean something in
    `name(key=value, …)` is quoted.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return (
            value if re.fullmatch(r"[\w./:+-]+", value) else json.dumps(value, ensure_ascii=False)
        )
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


# Kind -> the module or folder whose import registers its records. A folder is walked: every module
# in it is imported.
HOMES: dict[str, str] = {
    "concept": "dlprobe.guide.concepts",
    "activation": "dlprobe.parts.activations",
    "initializer": "dlprobe.parts.initializers",
    "normalization": "dlprobe.parts.normalizations",
    "optimizer": "dlprobe.parts.optimizers",
    "schedule": "dlprobe.parts.schedules",
    "loss": "dlprobe.parts.losses",
    "metric": "dlprobe.parts.metrics",
    "stopping": "dlprobe.parts.stopping",
    "weight_transform": "dlprobe.parts.weight_transforms",
    "perturbation": "dlprobe.parts.perturbations",
    "augmentation": "dlprobe.parts.augmentations",
    "residual": "dlprobe.parts.residuals",
    "penalty": "dlprobe.parts.penalties",
    "statistic": "dlprobe.record.statistics",
    "instrument": "dlprobe.record.instruments",
    "data": "dlprobe.data.sets",
    "file_format": "dlprobe.data.files",
    "rule": "dlprobe.rules.catalogue",
    "recipe": "dlprobe.experiments.recipes",
    "output_format": "dlprobe.render",
    "export_format": "dlprobe.exporters",
    "key": "dlprobe.config.listing",
    "page": "dlprobe.guide.pages",
    "schema": "dlprobe.guide.schemas",
}

PLUGINS = "dlprobe.plugins"
METADATA = (".dist-info", "egg-info")  # ends of the names of folders about packages
P = ParamSpec("P")
R = TypeVar("R", bound=Record)
_records: dict[str, dict[str, Any]] = {}
_loaded: set[str] = set()


def register(kind: str, record: R) -> R:
    """Add `record` under `(kind, record.name)` and return it. Raises ValueError where the name
    is taken.
    """
    shelf = _records.setdefault(kind, {})
    if record.name in shelf:
        raise ValueError(f"{kind} {record.name!r} is registered twice")
    shelf[record.name] = record
    return record


def registrar(kind: str, record: Callable[P, R]) -> Callable[P, R]:
    """`record`, such that every one that it makes is registered under `kind`."""

    def registered(*values: P.args, **named: P.kwargs) -> R:
        return register(kind, record(*values, **named))

    return registered


def kinds() -> tuple[str, ...]:
    """The kinds of things there are, in the order in which they are listed."""
    return tuple(HOMES)


def records(kind: str) -> dict[str, Any]:
    """Every record of a kind by name, in the order of registration."""
    if kind not in HOMES:
        raise ConfigError(unknown("kind", kind, HOMES, "see dlprobe explain"))
    if kind not in _loaded:
        home = importlib.import_module(HOMES[kind])
        for module in pkgutil.iter_modules(getattr(home, "__path__", [])):
            importlib.import_module(f"{HOMES[kind]}.{module.name}")
        _loaded.add(kind)  # before the plugins, which may ask for the kind themselves
        if kind in plugins(PLUGINS):
            load_plugins(PLUGINS, kind)
    return _records.get(kind, {})


@cache
def plugins(group: str) -> tuple[str, ...]:
    """The names of the entry points that installed packages declare in a group."""
    if not any(may_declare(Path(folder or "."), group) for folder in sys.path):
        return ()
    from importlib.metadata import entry_points

    return tuple(sorted(entry_points(group=group).names))


def may_declare(folder: Path, group: str) -> bool:
    """Whether a package in a folder of the import path, or an archive there, may declare entry
    points of a group: most often none does, and importlib.metadata takes an eighth of `--help`.
    """
    try:
        names = [name for name in os.listdir(folder) if name.lower().endswith(METADATA)]
    except OSError:
        return folder.is_file()
    for name in names:
        with suppress(OSError):  # most have no entry points
            if group.encode() in (folder / name / "entry_points.txt").read_bytes():
                return True
    return False


def load_plugins(group: str, name: str) -> list[Any]:
    """Import what the entry points of this name are. Raises ConfigError with the package that
    declares one which cannot be imported, or which takes the name of a record.
    """
    from importlib.metadata import entry_points

    loaded = []
    for point in entry_points(group=group, name=name):
        try:
            loaded.append(point.load())
        except Exception as error:  # whatever a package of somebody else raises
            package = point.dist.name if point.dist else "?"
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise ConfigError(
                f"plugin {point.value} of the package {package}: {reason}; mend it, or "
                f"pip uninstall {package}"
            ) from error
    return loaded


def tidied(name: str) -> str:
    """A name as it is registered.

    >>> tidied(" Leaky-ReLU")
    'leaky_relu'
    """
    return name.strip().replace("-", "_").lower()


def get(kind: str, name: str) -> Any:
    """The record called `name` (with `_` or `-`). Raises ConfigError with a suggestion where
    there is none.
    """
    shelf = records(kind)
    key = tidied(name)
    if key in shelf:
        return shelf[key]
    for known, record in shelf.items():  # file formats are written in capitals, schemas with -
        if tidied(known) == key:
            return record
    raise ConfigError(unknown(kind, name, shelf, listing(kind), other_names(kind)))


def other_names(kind: str) -> dict[str, str]:
    """What other tools call the records of a kind, each with the record's name here: never
    taken as a name, only to say what was meant.
    """
    return {
        other: name
        for name, record in records(kind).items()
        for other in getattr(record, "also_called", ())
    }


MOST_FILES = 2000  # of a folder, in which a name like a missing one is looked for
TWO_LINES = 160  # characters of a list that an error prints: a longer one hides what the error says


def unknown(
    what: str,
    name: str,
    known: Iterable[str],
    elsewhere: str = "",
    also_called: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The sentence for an unknown name: did you mean, and what is known.

    `elsewhere` says what shows a long list; `also_called` maps names that other tools use to those
    that are known here.
    """
    names, typed = list(known), tidied(name)
    guess = did_you_mean(typed, names, also_called, most=1 if is_short(names) else 3)
    return f"unknown {what} {name!r}: {guess}known: {listed(names, elsewhere)}"


def listing(kind: str) -> str:
    """What `unknown` says in place of a long list of this kind."""
    return f"those that dlprobe explain {kind} shows"


def listed(names: Sequence[str], elsewhere: str = "") -> str:
    """Names with commas; of a long list what shows it, or its ends where nothing does."""
    if is_short(names):
        return ", ".join(names)
    return elsewhere or f"{', '.join(names[:3])} … {names[-1]}, {len(names)} in all"


def is_short(names: Sequence[str]) -> bool:
    """Whether the names, joined by ", ", have at most TWO_LINES (160) characters."""
    return len(", ".join(names)) <= TWO_LINES


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number of things in words.

    >>> counted(1, "run"), counted(0, "run"), counted(2, "class", "classes")
    ('1 run', '0 runs', '2 classes')
    """
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def first_of(texts: Sequence[str], most: int, separator: str = ", ") -> str:
    """The first texts of many, and how many more there are.

    >>> first_of(["a", "b", "c", "d"], 2), first_of(["a"], 2)
    ('a, b and 2 more', 'a')
    """
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return separator.join(texts[:most]) + more


def did_you_mean(
    name: str,
    known: Iterable[str],
    also_called: Mapping[str, str] = MappingProxyType({}),
    most: int = 1,
) -> str:
    """`did you mean 'x' or 'y'? ` with at most `most` names that may have been meant; empty where
    nothing is near.

    >>> did_you_mean("he", ["zeros", "he_normal", "he_uniform"], most=2)
    "did you mean 'he_normal' or 'he_uniform'? "
    """
    guesses = [repr(each) for each in nearest(name, known, also_called)[:most]]
    return f"did you mean {' or '.join(guesses)}? " if guesses else ""


def nearby(path: str | Path) -> str:
    """`did you mean 'c.csv'? ` for a path that is not there: a file beside it that is spelled
    alike or goes on so, `t1` and `t1.h5`; empty without one.
    """
    missing = Path(path)
    try:
        with os.scandir(missing.parent) as entries:
            beside = [entry.name for entry in islice(entries, MOST_FILES) if entry.is_file()]
    except (OSError, ValueError):
        return ""
    close = [str(missing.parent / name) for name in nearest(missing.name, sorted(beside))[:1]]
    return f"did you mean {close[0]!r}? " if close else ""


def nearest(
    name: str, known: Iterable[str], also_called: Mapping[str, str] = MappingProxyType({})
) -> list[str]:
    """The known names that may have been meant, likeliest first: the one that other tools call so,
    else those of the same words, those that begin so and those spelled most like it.

    >>> nearest("swi", ["mish", "silu"], {"swish": "silu"}), nearest("find_lr", ["lr-find", "new"])
    (['silu'], ['lr-find'])
    """
    if name in also_called:
        return [also_called[name]]
    known = list(known)
    words = sorted(tidied(name).split("_"))
    turned = [candidate for candidate in known if sorted(tidied(candidate).split("_")) == words]
    alike = {candidate: SequenceMatcher(None, candidate, name).ratio() for candidate in known}
    meant = {**also_called, **{candidate: candidate for candidate in alike}}
    begun = sorted(
        (candidate for candidate in meant if len(name) > 1 and candidate.startswith(name)), key=len
    )
    least = max(0.6, max(alike.values(), default=0.0) - 0.05)
    spelled = sorted(
        (candidate for candidate in alike if alike[candidate] >= least),
        key=lambda candidate: -alike[candidate],
    )
    likeliest = [*turned, *(meant[candidate] for candidate in begun), *spelled]
    return list(dict.fromkeys(likeliest))
