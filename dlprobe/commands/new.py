"""Write a commented starter configuration (TOML).

Every option stands in it with its help, what is allowed, and a value to begin with. Options on the
command line are written into it. A preset decides some of them, with the reason as a comment; what
is given on the command line wins.

Examples:
  dlprobe new
  dlprobe new --preset guidelines --layers 100x8 -o deep.toml
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from dlprobe.commands.base.arguments import Force, option
from dlprobe.commands.base.configuration import configuration_options, read_configuration
from dlprobe.commands.base.file_kinds import CONFIGURATION
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.writing import claim, write_text
from dlprobe.errors import ConfigError
from dlprobe.registry import unknown

LISTED = ("also", 3)
SHORT = (
    "--preset --output --force --data --layers --activation --init --norm --loss --optimizer --lr "
    "--schedule --batch-size --epochs --seed"
)

Output = Annotated[Path, option("-o --output FILE", "file to write [default: net.toml]")]
PresetName = Annotated[
    str, option("--preset defaults|guidelines", "a starting point [default: defaults]")
]


@configuration_options()
def command(
    output: Output = Path("net.toml"),
    preset: PresetName = "defaults",
    force: Force = False,
    *,
    options: dict[str, str | None],
    screen: Screen,
) -> None:
    """Choose, write, show."""
    from dlprobe.config import from_options, to_mapping, to_toml
    from dlprobe.config.presets import PRESETS
    from dlprobe.reports.new import new_document

    if preset not in PRESETS:
        raise ConfigError(unknown("preset", preset, PRESETS))
    target = claim(output, CONFIGURATION, force=force)
    config, reasons = PRESETS[preset].applied(read_configuration(None, options, None))
    config = from_options(config, options)
    kept = {
        place: reason
        for place, reason in reasons.items()
        if options.get(place.partition(".")[2]) is None
    }
    write_text(target, to_toml(config, kept))
    screen.show(new_document(str(output), preset, kept, to_mapping(config, whole=True)))
