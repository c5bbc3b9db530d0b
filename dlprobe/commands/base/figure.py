"""Pictures as files: the options that every command has that draws, declared once, and what is
written of a result.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlprobe.commands.base.arguments import Force, option
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError

if TYPE_CHECKING:
    from dlprobe.commands.base.writing import Target
    from dlprobe.render.document import Document

PANEL = "Figure"
THEMES = ("light", "dark", "print")
WIDTH = 640  # pixels of the plot: with its letters of 15 pixels read from the last row of a room
SMALLEST, LARGEST = 200, 4000  # pixels
LARGEST_SCALE = 10.0

File = Annotated[
    Path | None,
    option(
        "--figure FILE", "write the pictures to FILE.svg, .png, .pdf or .json (Vega-Lite)", PANEL
    ),
]
Only = Annotated[
    str | None, option("--only NAME,NAME", "these pictures alone; a wrong name lists them", PANEL)
]
Scale = Annotated[
    float | None,
    option(
        "--scale X", "enlarge the picture, PNG too [default: 1]", PANEL, min=0.1, max=LARGEST_SCALE
    ),
]
Theme = Annotated[str | None, option("--theme", "colours [default: light]", PANEL, choices=THEMES)]
WIDTHS = ("--figure-width", "--width")  # the short one where a command has no --width of its own


@dataclass(frozen=True)
class Figure:
    """What is to be written of a result's pictures. width: of each plot, pixels; only: the name
    of the single one that is wanted.
    """

    target: Target
    only: str | None = None
    scale: float = 1.0
    width: int = WIDTH
    theme: str = THEMES[0]

    def write(self, document: Document) -> None:
        """Write the pictures below each other. Raises ConfigError where there is none, or none
        of that name.
        """
        from dlprobe.commands.base.writing import write_bytes
        from dlprobe.render import vega
        from dlprobe.render.vega.files import content
        from dlprobe.render.vega.themes import THEMES

        theme = THEMES[self.theme]
        chosen = vega.picked(vega.pictures(document, theme, self.width), self.only)
        write_bytes(
            self.target,
            content(vega.specification(chosen, theme), suffix_of(self.target.path), self.scale),
        )

    @property
    def path(self) -> Path:
        """The file."""
        return self.target.path


def suffix_of(path: Path) -> str:
    """The format that a file's name asks for, without its dot. Raises ConfigError for another
    one.
    """
    from dlprobe.registry import unknown
    from dlprobe.render.vega.files import SUFFIXES

    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in SUFFIXES:
        raise ConfigError(
            f"--figure {path}: the ending says what is written; "
            f"{unknown('ending', suffix or path.name, SUFFIXES)}"
        )
    return suffix


def figure_of(path: Path | None, force: bool, **chosen: Any) -> Figure | None:
    """What the options ask for, checked before anything long runs. Raises ConfigError, or
    MissingExtraError without the extra `figures`.
    """
    from dlprobe.commands.base.file_kinds import PICTURES
    from dlprobe.commands.base.writing import claim
    from dlprobe.render.vega.files import renderer

    typed = {name: value for name, value in chosen.items() if value is not None}
    if path is None:
        if typed:
            raise ConfigError(
                f"--{' and --'.join(typed)} {'is' if len(typed) == 1 else 'are'} for a "
                "picture: give --figure FILE too"
            )
        return None
    suffix = suffix_of(path)
    target = claim(path, PICTURES[suffix], force=force, option="--figure")
    if suffix != "json":
        renderer()
    return Figure(target, **typed)


def figure_options(own: list[inspect.Parameter]) -> dict[str, tuple[Any, Any]]:
    """Name, annotation and default of the options, for a command with these parameters of its
    own.
    """
    taken = {option for parameter in own for option in _options(parameter.annotation)}
    width = typer.Option(
        *(name for name in WIDTHS if name not in taken),
        metavar="PIXELS",
        min=SMALLEST,
        max=LARGEST,
        help=f"of each plot, before --scale [default: {WIDTH}]",
        rich_help_panel=PANEL,
    )
    options: dict[str, tuple[Any, Any]] = {
        "figure": (File, None),
        "only": (Only, None),
        "figure_scale": (Scale, None),
    }
    options |= {"figure_width": (Annotated[int | None, width], None), "figure_theme": (Theme, None)}
    return options if "--force" in taken else {**options, "figure_force": (Force, False)}


def _options(annotation: Any) -> list[str]:
    metadata = getattr(annotation, "__metadata__", ())
    return [
        name
        for item in metadata
        for name in (getattr(item, "default", None), *(getattr(item, "param_decls", None) or ()))
        if isinstance(name, str)
    ]


def take_figure(values: dict[str, Any]) -> Figure | None:
    """Take the options out of a command's values. Raises as `figure_of`."""
    path, only, scale, width, theme = (
        values.pop(name)
        for name in ("figure", "only", "figure_scale", "figure_width", "figure_theme")
    )
    force = values.pop("figure_force", values.get("force", False))
    return figure_of(path, bool(force), only=only, scale=scale, width=width, theme=theme)
