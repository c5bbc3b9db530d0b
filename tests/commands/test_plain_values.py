"""Values that are read without typer's adapters, against typer's own reading of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest
import typer

from dlprobe.commands.base.plain_values import PlainFirst, read_plainly


def command(
    text: str = "",
    whole: Annotated[int, typer.Option(min=2, max=50)] = 3,
    number: float = 0.5,
    flag: bool = False,
    path: Path = Path("a"),
    existing: Annotated[Path, typer.Option(exists=True)] = Path("."),
    texts: list[str] | None = None,
    paths: list[Path] | None = None,
    parsed: Annotated[str, typer.Option(parser=lambda value: value.upper())] = "",
) -> None:
    """Nothing."""


def parameters() -> dict[str, Any]:
    app = typer.Typer(add_completion=False)
    app.command()(command)
    return {parameter.name: parameter for parameter in typer.main.get_command(app).params}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", "a b"),
        ("text", 5),
        ("text", None),
        *(("whole", value) for value in ("7", "007", "1", "51", " 7", "-3", "1_0", "x", "²", 4, 1)),
        ("whole", "9" * 400),
        ("number", "0.1"),
        ("flag", True),
        ("flag", "yes"),
        ("path", "none/such.h5"),
        ("path", "a\0b"),
        ("path", Path("b")),
        ("path", "."),
        ("existing", "none/such.h5"),
        ("texts", ("a", "b")),
        ("texts", ()),
        ("texts", None),
        ("texts", "ab"),
        ("paths", ("a", Path("b"))),
        ("parsed", "a"),
    ],
)
def test_a_value_is_what_typer_makes_of_it(name: str, value: object) -> None:
    parameter = parameters()[name]
    if not hasattr(parameter, "get_runtime_param"):
        assert read_plainly([parameter]) == [parameter]  # an older typer reads by click alone
        return
    context = typer.Context(typer.main.get_command(typer.Typer(callback=command)))
    told = []
    for reader in (PlainFirst(parameter), parameter.get_runtime_param()):
        try:
            told.append(reader.coerce(value, param=parameter, ctx=context))
        except typer.BadParameter as error:
            told.append(error.message)
    ours, theirs = told
    assert (ours, type(ours)) == (theirs, type(theirs))
