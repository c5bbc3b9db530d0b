"""Train one MLP and write its run file.

The configuration comes from a TOML file or an earlier run file (which repeats that run), with the options on top. Every layer's activation variance,
error signal and gradient are recorded at every step.

Examples:
  dlprobe train
  dlprobe train --layers 100x20 --activation sigmoid --epochs 5
  dlprobe train --data "spirals(samples=600)" --norm batch --seed 3 -o runs/spirals.h5
  dlprobe train runs/spirals.h5 --activation "leaky_relu(slope=0.2)" -o runs/leaky.h5
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlprobe.commands.base.arguments import Force
from dlprobe.commands.base.configuration import ConfigFile, configuration_options, read_configuration
from dlprobe.commands.base.file_kinds import RUN
from dlprobe.commands.base.named_files import allow_file_option
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.writing import Target, claim, inputs_of, read_as
from dlprobe.errors import ExitCode

if TYPE_CHECKING:
    from dlprobe.render.document import Document

Output = Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="run file to write [default: runs/<data>-<n>.h5, the next free n]")]


@allow_file_option
@configuration_options()
def command(config: ConfigFile = None, output: Output = None, force: Force = False, *, options: dict[str, str | None], screen: Screen) -> ExitCode:
    """Train, pack, show."""
    from dlprobe.commands.train.recorded_run import FOLDER, open_writer, packed, prepare_session, train, warn_of_other_data

    configuration = read_configuration(config, options, screen)
    inputs = [*read_as("the configuration that is read", config), *inputs_of(configuration)]
    target = None if output is None else claim(output, RUN, inputs, force=force)
    if target is None:
        Target(FOLDER / "run.h5", RUN).check_place()
    session = prepare_session(configuration, screen)
    warn_of_other_data(config, session, screen)
    with open_writer(session, target) as writer:
        status = train(session, writer, screen)
        path = packed(writer, screen)
    screen.show(_document(path))
    if status == "interrupted":
        recorded = f"what was recorded is in {path}" if session.step else f"{path} holds the net as it began, and no step"
        return screen.interrupted(f" at step {session.step} of {session.steps}; {recorded}")
    return ExitCode.DONE


def _document(path: Path) -> Document:
    from dlprobe.analysis.learning.learned import learning, state
    from dlprobe.analysis.learning.loss_curve import smoothed
    from dlprobe.analysis.profiles.run_profile import run_profile
    from dlprobe.reports.run import train_document
    from dlprobe.runs import open_single

    with open_single(path) as run:
        curve = smoothed(run.steps, run.scalar("batch_loss")) if len(run.steps) else None
        return train_document(run, state(learning(run), run.status), run_profile(run), curve)
