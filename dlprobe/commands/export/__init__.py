"""Write a run or study as CSV, Parquet, npz, netCDF, TensorBoard.

The ending of FILE says which format. Without further options: every recorded statistic at every
recorded step. Of a study, the runs stand below each other with a column `run`, in .npz and .nc
under
RUN/NAME; --what results gives one row per run. Texts are made safe to print, and in CSV none is a
formula.

Examples:
  dlprobe export runs/digits-1.h5 -o statistics.csv
  dlprobe export runs/digits-1.h5 --statistic error_signal_rms,gradient_rms --layers hidden_1
      --steps 0:500 -o signal.parquet
  dlprobe export runs/digits-1.h5 --what scalars -o scalars.npz
  dlprobe export runs/digits-1.h5 --what evaluations -o evaluations.nc
  dlprobe export runs/digits-1.h5 --parameters -o weights.npz
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from dlprobe.commands.base.arguments import Force, RunFile, one_of, option
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.untrusted import reading_options
from dlprobe.commands.inspect.quantities import complete_statistic
from dlprobe.errors import ConfigError
from dlprobe.runs.reading import reading

LISTED = ("also", 1)

RESULTS = "results"
WHAT = ("statistics", "scalars", "evaluations", "evaluation_layers", RESULTS)

Output = Annotated[
    Path, option("-o --output FILE", "file to write: .csv, .parquet, .npz, .nc or .tfevents")
]
What = Annotated[
    str | None,
    option("--what KIND", f"{' | '.join(WHAT)} [default: statistics]", callback=one_of(WHAT)),
]
Statistic = Annotated[
    list[str] | None,
    option("--statistic NAME,NAME", "these of them only", autocompletion=complete_statistic),
]
Layers = Annotated[list[str] | None, option("--layers NAME,NAME", "these layers only")]
Steps = Annotated[
    str | None,
    option("--steps FIRST:LAST", "these steps only; FIRST:LAST:N every Nth of the recorded ones"),
]
Ids = Annotated[
    list[str] | None,
    option("--run ID", "runs of a study; * stands for anything; may be repeated [default: all]"),
]
Parameters = Annotated[
    bool, option("--parameters", "the last parameters of the net by layer, as .npz")
]


@reading_options
def command(
    run: RunFile,
    output: Output,
    what: What = None,
    statistic: Statistic = None,
    layers: Layers = None,
    steps: Steps = None,
    id: Ids = None,
    parameters: Parameters = False,
    force: Force = False,
    *,
    screen: Screen,
) -> None:
    """Claim the file, choose, write, say what was written."""
    from dlprobe.commands.base.writing import claim, read_as, write_by
    from dlprobe.commands.export.choosing import asked, open_exported, parameters_of, parts
    from dlprobe.exporters import npz
    from dlprobe.exporters.formats import format_of
    from dlprobe.reports.export import document
    from dlprobe.runs.opening import run_of_study

    format = format_of(output)
    if parameters and (format.name != "npz" or what or statistic or layers or steps):
        raise ConfigError(
            "--parameters writes all parameters to a file that ends in .npz: leave the other "
            "options out, and say -o NAME.npz"
        )
    wanted = asked(what, statistic, layers, steps)
    target = claim(
        output,
        format.kind,
        read_as("the file that is exported", Path(run_of_study(run)[0])),
        force=force,
    )
    with reading(run), open_exported(run, id) as opened:
        if parameters:
            arrays = parameters_of(opened)
            write_by(target, lambda path: npz.write_arrays(path, arrays))
            screen.show(
                document(
                    str(run),
                    str(output),
                    "parameters",
                    list(arrays),
                    sum(array.size for array in arrays.values()),
                    [],
                )
            )
            return
        chosen = parts(opened, wanted)
        write_by(target, lambda path: format.write(path, chosen))
        names = list(dict.fromkeys(name for part in chosen for name in part.dtypes))
        numbers = sum(len(part.dtypes) * part.size for part in chosen)
        screen.show(
            document(
                str(run),
                str(output),
                what or WHAT[0],
                names,
                numbers,
                [part.id for part in chosen if part.id],
            )
        )
