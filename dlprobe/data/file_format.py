"""The user's files: which format a path has, and reading it behind one guard."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dlprobe.data.arrays import Arrays, dataset_from_arrays
from dlprobe.data.columns import DataTable
from dlprobe.data.dataset import Dataset, Options
from dlprobe.data.given_parts import joined, joined_arrays
from dlprobe.data.large_files import Large, dataset_in_tiles
from dlprobe.data.places import at_home, in_one_line, problem, quoted, visible
from dlprobe.data.tables import dataset_from_table
from dlprobe.data.tiles import Told
from dlprobe.dataclass import dataclass
from dlprobe.errors import DlprobeError
from dlprobe.registry import Parameter, nearby, records, registrar


@dataclass(frozen=True)
class FileFormat:
    """A format that dlprobe reads. `suffixes` are matched with the end of the lower-case file name;
    a file must start with one of `signatures`, if given.

    text: whether it is text, which has a separator and decimal signs. large: the file where it is
        so large that it is read in tiles, or is to be read beside a large one (the last argument);
        None where it is not.
    """

    name: str
    summary: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, Options, DataTable | None], DataTable | Arrays]
    signatures: tuple[bytes, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    text: bool = False
    large: Callable[[Path, Options, bool], Large | None] | None = None


add_format = registrar("file_format", FileFormat)


GZIP = b"\x1f\x8b"

# What a file of another kind starts with, and what to say of it
FOREIGN = {
    b"PAR1": "a Parquet file: name it .parquet",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file: name it .h5",
    b"\x93NUMPY": "a NumPy array: name it .npy",
    b"PK\x03\x04": "a zip archive: an .npz, or a spreadsheet to be exported as CSV",
    b"ARROW1": "a Feather file: name it .feather",
    b"FEA1": (
        "a Feather file of version 1: write it anew with DataFrame.to_feather or polars' write_ipc"
    ),
    GZIP: "compressed with gzip: unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: unpack it first",
    b"BZh": "compressed with bzip2: unpack it first",
    b"\xfd7zXZ": "compressed with xz: unpack it first",
    b"<": "a page of the web or XML: was the download refused?",
    b"{": "JSON: in Python, pandas.read_json(FILE, lines=True).to_csv('data.csv', index=False)",
    b"version https://git-lfs": "a pointer of Git LFS: `git lfs pull` fetches the file itself",
    b"\x80\x04\x95": "a Python pickle, which dlprobe never loads: save the arrays with np.savez",
}


# How what is not read becomes what is, by suffix
CONVERSIONS = {
    (".arff",): (
        "scipy.io.arff.loadarff reads it: pandas.DataFrame(loadarff(FILE)[0]).to_csv('data.csv', "
        "index=False)"
    ),
    (
        ".svm",
        ".libsvm",
        ".svmlight",
    ): "scikit-learn's load_svmlight_file reads it: np.savez('data.npz', X=X.toarray(), y=y)",
    (".xlsx", ".xls", ".ods"): "save the sheet as CSV",
    (".pkl", ".pickle", ".joblib"): (
        "it is a Python pickle, which dlprobe never loads: save the arrays with "
        "np.savez('data.npz', X=X, y=y)"
    ),
    (".pt", ".pth"): (
        "it is a pickle of PyTorch, which dlprobe never loads: np.savez('data.npz', X=X.numpy(), "
        "y=y.numpy())"
    ),
    (".mat",): "scipy.io.loadmat reads it: np.savez('data.npz', X=…, y=…)",
    (".rds", ".rda", ".rdata"): "in R: write.csv(data, 'data.csv', row.names = FALSE)",
    (
        ".dta",
        ".sav",
        ".sas7bdat",
        ".json",
        ".jsonl",
        ".orc",
    ): "pandas reads it: DataFrame.to_parquet('data.parquet')",
    (
        ".zip",
        ".bz2",
        ".xz",
        ".zst",
        ".7z",
        ".tar",
    ): "unpack it first; of packed text tables .csv.gz is read",
    (".sqlite", ".db"): "write the table's rows as CSV",
}


def formats() -> dict[str, FileFormat]:
    """Every format by name."""
    return records("file_format")


def suffixes() -> list[str]:
    """The suffixes that messages list."""
    return [record.suffixes[0] for record in formats().values()]


def format_of(path: str | Path) -> FileFormat | None:
    """The format whose suffix ends the file's name, or None."""
    name = Path(path).name.lower()
    return next((record for record in formats().values() if name.endswith(record.suffixes)), None)


def read_sources(path: Path, options: Options) -> DataTable | Arrays:
    """What the user's file holds, with the files for validation and test. Raises DataError, one
    line, whatever is wrong with a file.
    """
    source = read_source(path, options)
    for other, part in given_files(path, options):
        source = with_part(
            source,
            read_source(other, options, source if isinstance(source, DataTable) else None),
            part,
        )
    return source


def given_files(path: Path, options: Options) -> Iterator[tuple[Path, int]]:
    """The files that `val_data` and `test_data` name, and the part. Raises DataError where one
    is the file itself.
    """
    for key, part in (("val_data", 1), ("test_data", 2)):
        if (named := getattr(options, key)) is not None:
            other = at_home(named.strip())
            if other.exists() and path.exists() and other.samefile(path):
                raise problem(
                    other,
                    f"is named by {key} and by data, expected another file: its rows would be "
                    "in both parts",
                )
            yield other, part


def large_dataset(path: Path, options: Options, told: Told | None) -> Dataset | None:
    """The data set of a large file, its features read in tiles; None where the file is to be
    read whole. Raises DataError.
    """
    if (
        large := large_file(path, options, beside=False)
    ) is None or options.outliers > 0:  # outliers are set in whole columns
        return None
    others = []
    for other, part in given_files(path, options):
        if (more := large_file(other, options, beside=True)) is None:
            return None
        others.append((more, part))
    with one_clear_line(path):
        return dataset_in_tiles(large, others, options, told)


def large_file(path: Path, options: Options, beside: bool) -> Large | None:
    """A file that is read in tiles, `beside` a large one however small it is; None where it is
    to be read whole. Raises DataError.
    """
    with one_clear_line(path):
        record = chosen_format(path, first_bytes(path))
        return None if record.large is None else record.large(path, options, beside)


def dataset_of(path: Path, source: DataTable | Arrays, options: Options) -> Dataset:
    """The Dataset of what a file holds. Raises DataError, one line, where it cannot be one."""
    with one_clear_line(path):
        if isinstance(source, DataTable):
            return dataset_from_table(source, options)
        return dataset_from_arrays(source, options)


def read_source(path: Path, options: Options, like: DataTable | None = None) -> DataTable | Arrays:
    """What a file holds; `like`: the table whose columns it must have. Raises DataError."""
    with one_clear_line(path):
        head = first_bytes(path)
        record = chosen_format(path, head)
        for key, value in (("sep", options.sep), ("decimal", options.decimal)):
            if value != "auto" and not record.text:
                raise problem(
                    path,
                    f"{key} = {value} does not suit {record.name} data: {key} is for text tables",
                )
        return record.read(path, options, like)


def with_part(main: DataTable | Arrays, other: DataTable | Arrays, part: int) -> DataTable | Arrays:
    """The rows of another file behind those of the main one, given to a part. Raises DataError
    where the two do not fit.
    """
    if isinstance(main, DataTable) and isinstance(other, DataTable):
        return joined(main, other, part)
    if isinstance(main, Arrays) and isinstance(other, Arrays):
        return joined_arrays(main, other, part)
    raise problem(
        other.path,
        f"and {visible(main.path.name)} are one a table, the other a pair of arrays: give "
        "files of one kind",
    )


@contextmanager
def one_clear_line(path: Path) -> Iterator[None]:
    """Whatever goes wrong while a file is read becomes a DataError that names it."""
    try:
        yield
    except DlprobeError:
        raise
    except MemoryError:
        raise problem(
            path, "reading it needs more memory than there is: give a smaller file"
        ) from None
    except OSError as error:
        raise problem(path, f"cannot be read: {in_one_line(error.strerror or error)}") from None
    except Exception as error:  # parsers of other projects, on bytes nobody vouches for: any of their exceptions means that the file is damaged  # noqa: E501
        raise problem(
            path, f"cannot be read, it looks damaged ({in_one_line(error)}): write the file again"
        ) from None


def first_bytes(path: Path) -> bytes:
    """The first 512 bytes of a regular, not empty file. A pipe or device is refused before it
    is opened: opening it could wait for ever.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        where = "" if path.is_absolute() else f" in {visible(Path.cwd())}"
        raise problem(
            path,
            f"there is no such file{where}: {nearby(path)}check the path, or `dlprobe explain "
            "data` for the sets that have a name",
        ) from None
    except ValueError as error:
        raise problem(path, f"is not a path ({in_one_line(error)})") from None
    if stat.S_ISDIR(mode):
        raise problem(path, "is a folder, expected a file")
    if not stat.S_ISREG(mode):
        raise problem(path, "is not a regular file, expected one (a pipe or device is not read)")
    with path.open("rb") as stream:
        head = stream.read(512)
    if not head:
        raise problem(path, "is empty, expected data")
    return head


def chosen_format(path: Path, head: bytes) -> FileFormat:
    """The format by suffix, provided that the file's first bytes do not say otherwise."""
    record = format_of(path)
    foreign = next((what for start, what in FOREIGN.items() if head.startswith(start)), None)
    if record is None:
        hint = f"; it is {foreign}" if foreign else ""
        reason = f"the suffix {quoted(path.suffix)}" if path.suffix else "no suffix"
        hint = hint or (
            f"; it looks like text: name it {visible(path.name)}.csv"
            if head.isascii() and b"\0" not in head
            else ""
        )
        how = next(
            (
                f"; {words}"
                for endings, words in CONVERSIONS.items()
                if path.name.lower().endswith(endings)
            ),
            hint,
        )
        raise problem(path, f"has {reason}, expected one of {', '.join(suffixes())}{how}")
    if foreign and head.startswith(GZIP):
        foreign = (
            None
            if path.name.lower().endswith(".gz")
            else f"compressed with gzip: name it {visible(path.name)}.gz"
        )
    fits = head.startswith(record.signatures) if record.signatures else foreign is None
    if not fits:
        raise problem(
            path,
            f"is not {record.name} data; it is {foreign}"
            if foreign
            else f"is not {record.name} data: it starts with {quoted(head[:8].decode('latin1'))}",
        )
    return record
