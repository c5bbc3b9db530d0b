"""Tell a whole run or study on one page, with its pictures.

Diagnosis, findings, pictures, how it was made. The page is one HTML file with everything in it, to
be opened from disk, printed or sent; it loads nothing and needs no script. --format markdown writes
a text for a pull request with the pictures as SVG files beside it; table and json print the same.

Examples:
  dlprobe report runs/digits-1.h5
  dlprobe report runs/digits-1.h5 -o digits.html --force
  dlprobe report runs/digits-1.h5 --format markdown -o digits.md
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from dlprobe.commands.base.arguments import Force, RunFile, option
from dlprobe.commands.base.named_files import allow_file_option
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.untrusted import reading_options
from dlprobe.commands.base.writing import claim, read_as
from dlprobe.errors import ConfigError
from dlprobe.runs.reading import reading

LISTED = ("Read", 3)
SCHEMA = "dlprobe-report/1"
FORMAT = "html"
DRAWS = True  # its results have pictures, which --figure writes to files
# what is written where no -o is given; other formats are printed
FILES = {"html": "report.html", "markdown": "report.md"}
ENDINGS = {"html": (".html", ".htm"), "markdown": (".md", ".markdown"), "json": (".json",)}

Output = Annotated[
    Path | None,
    option("-o --output FILE", "the file to write [default: report.html, or report.md]"),
]


@reading_options
@allow_file_option
def command(run: RunFile, output: Output = None, force: Force = False, *, screen: Screen) -> None:
    """Read, put together, write."""
    from dlprobe.commands.report.contents import report_of
    from dlprobe.commands.report.markdown import with_pictures
    from dlprobe.render.vega.files import renderer
    from dlprobe.runs import open_run

    path = output or (Path(FILES[screen.format]) if screen.format in FILES else None)
    target = (
        None
        if path is None
        else claim(path, screen.kind, read_as("the run that is told of", run), force=force)
    )
    if output is not None:
        suited(output, screen.format)
    if screen.format in FILES:
        renderer()  # says at once that it is missing
    with reading(run), open_run(run) as opened:
        document = report_of(opened, run, screen)
        screen.write(
            document
            if screen.format != "markdown" or target is None
            else with_pictures(document, target),
            target,
        )


def suited(path: Path, format: str) -> None:
    """Refuses a file whose ending is not that of the format; none is any format's. Raises
    ConfigError.
    """
    ending, asked = path.suffix.lower(), ENDINGS.get(format)
    if not ending or asked is None or ending in asked:
        return
    other = next((f": add --format {name}" for name, of in ENDINGS.items() if ending in of), "")
    raise ConfigError(f"{path}: what --format {format} writes ends in {' or '.join(asked)}{other}")
