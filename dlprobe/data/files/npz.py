"""NPZ: arrays X (samples, features) and y (samples,). Pickles are never loaded."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

from dlprobe.data.arrays import Arrays, refuse_several
from dlprobe.data.columns import DataTable
from dlprobe.data.dataset import Options
from dlprobe.data.file_format import add_format
from dlprobe.data.given_parts import array_pairs, arrays_of_parts
from dlprobe.data.npz_archive import array_names, read_member
from dlprobe.data.places import nearest, problem, quoted, quoted_list

LABELS = ("labels", "label", "targets", "target", "classes", "y")


def read_npz(path: Path, options: Options, like: DataTable | None = None) -> Arrays:
    with ZipFile(path) as archive:
        names = array_names(archive)
        if options.target is None and (pairs := array_pairs(names)):
            return arrays_of_parts(
                path,
                {
                    part: (read_member(path, archive, x), read_member(path, archive, y))
                    for part, (x, y) in pairs.items()
                },
                pairs,
            )
        inputs_name, targets_name = choose_arrays(path, names, options.target)
        inputs = read_member(path, archive, inputs_name)
        targets = read_member(path, archive, targets_name)
    return Arrays(path, inputs, targets, (inputs_name, targets_name))


def choose_arrays(path: Path, names: list[str], target: str | None) -> tuple[str, str]:
    """Names of the inputs and the targets: X (or x) and y (or Y); `target` names another y, and
    then the only other array is X.
    """
    ys = [target] if target is not None else ["y", "Y"]
    y = next((name for name in ys if name in names), None)
    others = [name for name in names if name != y]
    x = next(
        (name for name in ("X", "x") if name in others),
        others[0] if target is not None and len(others) == 1 else None,
    )
    if y is None:
        refuse_several(path, target)
    if x is None or y is None:
        listed = f"arrays {quoted_list(names)}" if names else "no arrays"
        wanted = quoted(target) if target is not None else "'y'"
        guess = (
            f": --target {next((n for n in names if n.lower() in LABELS), names[-1])}"
            if len(names) == 2 and target is None
            else ""
        )
        near = nearest(target, names) if target is not None and y is None else ""
        raise problem(
            path,
            f"holds {listed}, expected 'X' and {wanted}: {near}save with np.savez(path, X=…, "
            f"y=…), or name the target array with target{guess}",
        )
    return x, y


add_format(
    name="NPZ",
    summary="NumPy arrays X (samples, features) and y (samples,), or y named by --target, or "
    "x_train, y_train, x_test, y_test",
    suffixes=(".npz",),
    read=read_npz,
    signatures=(b"PK\x03\x04",),
)
