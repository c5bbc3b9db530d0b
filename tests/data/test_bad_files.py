"""Every bad file is one clear line that names it: no other exception, no traceback, no pickle."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars
import pytest

from dlprobe.config.records import DataConfig
from dlprobe.data import Dataset, load
from dlprobe.errors import DataError

Read = Callable[..., Dataset]


@dataclass(frozen=True)
class Bad:
    """A file that must be refused, and words that the message must hold."""

    name: str
    content: bytes
    words: str
    options: dict[str, str] = field(default_factory=dict)
    beside: dict[str, bytes] = field(default_factory=dict)


class Trap:
    """Its pickle makes a folder when somebody loads it."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("pickle-was-loaded",)


def npy(array: np.ndarray, **more: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **more)  # type: ignore[arg-type]
    return stream.getvalue()


def npy_header(text: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    head = text.encode("latin1") + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(head)) + head + data


def npz(packing: int = zipfile.ZIP_STORED, **arrays: np.ndarray | bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", packing) as archive:
        for name, array in arrays.items():
            archive.writestr(
                f"{name}.npy", array if isinstance(array, bytes) else npy(array, allow_pickle=True)
            )
    return stream.getvalue()


def parquet(**columns: object) -> bytes:
    stream = io.BytesIO()
    polars.DataFrame(columns).write_parquet(stream)
    return stream.getvalue()


def hdf5(**arrays: np.ndarray) -> bytes:
    h5py = pytest.importorskip("h5py")
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return stream.getvalue()


def idx(code: int, shape: tuple[int, ...], data: bytes) -> bytes:
    return struct.pack(f">HBB{len(shape)}I", 0, code, len(shape), *shape) + data


X, Y = np.arange(12.0).reshape(6, 2), np.array([0, 1, 0, 1, 0, 1])
INFINITE = np.where(X == 0, np.inf, X)
HOLES = X.copy()
HOLES[:4, 1] = np.nan
LABELS = idx(0x08, (6,), bytes(Y.tolist()))
TEXT_IDS = "id,y\n" + "".join(f"name{i},{i % 2}\n" for i in range(12))
THREE_TEXTS = "id,kind,when,share,y\n" + "".join(
    f'name{i},{"uv"[i % 2]},day{i},"{i % 2},5",{i % 3}\n' for i in range(12)
)
DECIMAL_COMMAS = "a;y\n" + "".join(f"{i},5;{i}\n" for i in range(12))

BAD = [
    # text tables
    Bad("empty.csv", b"", "is empty"),
    Bad("blank.csv", b"\n\n  \n", "no rows of data"),
    Bad("header.csv", b"a,b,y\n", "a header and no rows"),
    Bad("single.csv", b"a\n1\n2\n3\n", "single column"),
    Bad(
        "word.csv",
        b"a,y\n1,0.5\n2,1.5\nthree,2.5\n",
        "row 4, column 1 'a': found 'three', expected a number",
    ),
    Bad("target_word.csv", b"a,y\n1,0.5\n2,1.5\n3,high\n", "row 4, column 2 'y': found 'high'"),
    Bad("short.csv", b"a,b,y\n1,2,3\n4,5\n6,7,8\n", "row 3: has 2 fields, expected 3"),
    Bad("short_by_two.csv", b"a,b,y,\n1,2,3\n4,5\n6,7,8\n", "row 3: has 2 fields, expected 4"),
    Bad("long.csv", b"a,b,y\n1,2,3\n4,5,6\n6,7,8,9\n", "row 4: has 4 fields, expected 3"),
    Bad("title_alone.csv", b"my measurements\na,b,y\n1,2,3\n", "row 2: has 3 fields, expected 1"),
    Bad("quote.csv", b'a,b,y\n1,2,3\n"4,5,6\n7,8,9\n', "row 3: cannot be split"),
    Bad("inner_quote.csv", b'a,b,y\n1,x"1,3\n4,5,6\n', "row 2"),
    Bad("latin1.csv", b"a,y\n1,caf\xe9\n2,the\n", "row 2: holds the byte 'e9', which is not UTF-8"),
    Bad(
        "half_utf16.csv",
        "a,y\n1,2\n".encode("utf-16") + b"\n",
        "starts as UTF-16 text and goes on otherwise",
    ),
    Bad("utf32.csv", "a,y\n1,2\n".encode("utf-32"), "zero bytes"),
    Bad("zeros.csv", b"a,y\n1,\0\n2,3\n", "zero bytes"),
    Bad("infinite.csv", b"a,b,y\n1,2,0.5\n3,inf,1.5\n", "row 3, column 2 'b': found inf"),
    Bad("huge.csv", b"a,y\n1,0.5\n1e999,1.5\n", "row 3, column 1 'a': found inf"),
    Bad("infinite_target.csv", b"a,y\n1,0.5\n2,-inf\n", "row 3, column 2 'y': found -inf"),
    Bad("refused.csv", b"<!DOCTYPE html>\n<html></html>\n", "a page of the web or XML"),
    Bad("lines.csv", b'{"a": 1, "y": 2}\n', "pandas.read_json(FILE, lines=True).to_csv"),
    Bad(
        "pointer.csv",
        b"version https://git-lfs.github.com/spec/v1\nsize 12345\n",
        "`git lfs pull` fetches",
    ),
    Bad(
        "title.csv",
        b"Sales,,,\n,,,\na,b,c,y\n1,2,3,4\n5,6,7,8\n",
        "row 1: has a single cell, and the row 'a', 'b', 'c' and 1 more below it names the columns",
    ),
    Bad(
        "holes.csv",
        b"a,b,y\n1,,3\n,5,6\n7,8,9\n",
        "row 2, column 2 'b': missing value; 2 of 3 rows",
    ),
    Bad("column_of_holes.csv", b"a,b,y\n1,,3\n4,,6\n7,,9\n", "3 of 3 rows have one, most in 'b'"),
    Bad("names.csv", TEXT_IDS.encode(), "column 1 'id': has 12 different texts"),
    Bad("commas.csv", DECIMAL_COMMAS.encode(), "decimal commas"),
    Bad(
        "few_commas.csv",
        b"a;b;y\n0,5;1;p\n1,5;2;q\n0,5;3;p\n1,5;4;q\n",
        "column 1 'a': holds '0,5', expected numbers or categories (decimal commas",
    ),
    Bad(
        "thousands.csv",
        b'a,b,y\n"1,000",1,p\n"2,000,000",2,q\n7,3,p\n"1,000",4,q\n',
        "(separators of thousands: --decimal point reads them)",
    ),
    Bad(
        "comma_target.csv",
        b"a;y\n1;0,25\n2;0,25\n3;1,25\n4;1,25\n",
        "row 2, column 2 'y': found '0,25', expected a number or a label (decimal commas",
    ),
    Bad(
        "one_comma.csv",
        b"a;y\n1;0.5\n2;1.5\n3,5;2.5\n",
        (
            "row 4, column 1 'a': found '3,5', expected a number as in 2 of the column's 3 values "
            "(decimal commas"
        ),
    ),
    Bad("dash.csv", b"a,y\n1,0.5\n2,1.5\n-,2.5\n", "(missing is an empty cell or one of NA, "),
    Bad("old_mac.csv", b"a,y\r1,0.5\r2,1.5\r", "carriage returns alone"),
    Bad("capitals.csv", b"a,Price\n1,2\n3,4\n", "did you mean 'Price'?", {"target": "price"}),
    Bad(
        "three_texts.csv",
        THREE_TEXTS.encode(),
        "column 1 'id': has 12 different texts in 12 rows, 'name0' is one, so it names the "
        "rows, expected numbers or at most 100 categories; "
        "so it is with 'when', 'share': --drop id,when leaves them out",
    ),
    Bad(
        "no_column.csv",
        b"a,b\n1,2\n3,4\n",
        "target 'price' is no column: there are 'a', 'b'",
        {"target": "price"},
    ),
    Bad("no_number.csv", b"a,b\n1,2\n3,4\n", "columns count from 1 to 2", {"target": "3"}),
    Bad("column_zero.csv", b"a,b\n1,2\n3,4\n", "columns count from 1 to 2", {"target": "0"}),
    Bad("one_class.csv", b"a,y\n1,p\n2,p\n3,p\n", "every row has the label 'p'"),
    Bad("one_number.csv", b"a,y\n1,7\n2,7\n3,7\n", "every row has the label 7"),
    Bad("own_labels.csv", b"a,y\n1,p\n2,q\n3,r\n", "a label of its own"),
    Bad(
        "text_regression.csv",
        b"a,y\n1,p\n2,q\n3,p\n",
        "row 2, column 2 'y': found 'p', expected a number",
        {"task": "regression"},
    ),
    Bad(
        "float_classes.csv",
        b"a,y\n1,1\n2,2\n3,0.37\n",
        "row 4, column 2 'y': found 0.37",
        {"task": "classification"},
    ),
    Bad("line_break.csv", b'a,y\n1,0.5\n2,1.5\n"th\nree",2.5\n', "found 'th\\nree'"),
    Bad("escape.csv", b"a,y\n1,0.5\n2,1.5\n\x1b[2J,2.5\n", "found '\\x1b[2J'"),
    Bad("long_cell.csv", b"a,y\n1,0.5\n2,1.5\n" + b"x" * 5000 + b",2.5\n", "xxx…'"),
    Bad("short.tsv", b"a\tb\ty\n1\t2\t3\n4\t5\n", "row 3: has 2 fields, expected 3"),
    # a name that promises another format
    Bad("sheet.xlsx", b"PK\x03\x04" + bytes(100), "suffix '.xlsx', expected one of .csv"),
    Bad("sheet.csv", b"PK\x03\x04" + bytes(100), "a zip archive"),
    Bad("table.csv", parquet(a=[1], y=[2]), "a Parquet file: name it .parquet"),
    Bad("packed.csv", gzip.compress(b"a,y\n1,2\n"), "compressed with gzip: name it packed.csv.gz"),
    Bad("text.parquet", b"a,y\n1,2\n", "is not Parquet data"),
    Bad("text.npz", b"a,y\n1,2\n", "is not NPZ data"),
    Bad("text.npy", b"a,y\n1,2\n", "is not NPY data"),
    Bad("text.h5", b"a,y\n1,2\n", "HDF5"),
    Bad("text-ubyte", b"a,y\n1,2\n", "is not IDX data"),
    Bad("objects.pkl", pickle.dumps(Trap(), protocol=4), "pickle, which dlprobe never loads"),
    # Parquet
    Bad("cut.parquet", parquet(a=[1, 2, 3], y=[1, 2, 3])[:-20], "damaged"),
    Bad("magic.parquet", b"PAR1", "damaged"),
    Bad("list.parquet", parquet(a=[[1], [2]], y=[1.5, 2.5]), "column 1 'a': holds 'List(Int64)'"),
    Bad("bytes.parquet", parquet(a=[b"1", b"2"], y=[1.5, 2.5]), "column 1 'a': holds 'Binary'"),
    Bad("single.parquet", parquet(a=[1, 2]), "single column"),
    Bad("norows.parquet", parquet(a=[], y=[]), "no rows of data"),
    Bad(
        "infinite.parquet",
        parquet(a=[1.0, float("inf")], y=[0.5, 1.5]),
        "row 2, column 1 'a': found inf",
    ),
    Bad(
        "holes.parquet",
        parquet(a=[None, None, 1.0], y=[0.5, 1.5, 2.5]),
        "row 1, column 1 'a': missing value",
    ),
    # NPY
    Bad(
        "pickle.npy", npy(np.array([Trap(), 1], dtype=object), allow_pickle=True), "Python objects"
    ),
    Bad("line.npy", npy(np.arange(5.0)), "shape (5,), expected (samples, columns)"),
    Bad("cube.npy", npy(np.zeros((2, 2, 2))), "shape (2, 2, 2), expected (samples, columns)"),
    Bad("narrow.npy", npy(np.zeros((5, 1))), "single column"),
    Bad("norows.npy", npy(np.zeros((0, 3))), "is empty"),
    Bad("complex.npy", npy(np.zeros((3, 2), dtype=complex)), "complex numbers"),
    Bad("dates.npy", npy(np.zeros((3, 2), dtype="M8[s]")), "dates"),
    Bad("text.2.npy", npy(np.array([["a", "b"], ["c", "d"]])), "holds text"),
    Bad("records.npy", npy(np.zeros(3, dtype=[("a", "f8"), ("y", "f8")])), "records"),
    Bad(
        "infinite.npy",
        npy(INFINITE),
        "row 1, column 1: the array holds inf, expected a finite number",
    ),
    Bad("cut.npy", npy(X)[:-5], "the file holds"),
    Bad("longer.npy", npy(X) + b"more", "the file holds"),
    Bad("magic.npy", b"\x93NUMPY", "header cannot be read"),
    Bad(
        "bomb.npy",
        npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000000), }"),
        "declares 1000000000000000 numbers",
    ),
    Bad(
        "negative.npy",
        npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (-2, -2), }", bytes(32)),
        "lengths of 0 and more",
    ),
    Bad(
        "code.npy", npy_header("__import__('os').mkdir('header-was-run')"), "header cannot be read"
    ),
    Bad(
        "version.npy",
        npy_header("{}", version=b"\x09\x00"),
        "NumPy format 9.0, dlprobe reads 1.0 and 2.0",
    ),
    # NPZ
    Bad(
        "pickle.npz",
        npz(X=np.array([[Trap(), 1]], dtype=object), y=Y),
        "array 'X' holds Python objects",
    ),
    Bad(
        "pickle_y.npz",
        npz(X=X, y=np.array([Trap()] * 6, dtype=object)),
        "array 'y' holds Python objects",
    ),
    Bad("named.npz", npz(data=X, labels=Y), "holds arrays 'data', 'labels', expected 'X' and 'y'"),
    Bad("none.npz", b"PK\x05\x06" + bytes(18), "is not NPZ data"),
    Bad("lengths.npz", npz(X=X, y=Y[:5]), "array 'y' has shape (5,), expected (6,)"),
    Bad(
        "line.npz",
        npz(X=np.arange(6.0), y=Y),
        "array 'X' has shape (6,), expected (samples, features)",
    ),
    Bad("scalar.npz", npz(X=X, y=np.array(3)), "array 'y' has shape ()"),
    Bad(
        "nan.npz",
        npz(X=HOLES, y=Y),
        "4 of 6 rows hold NaN, row 1 is the first: --missing median fills gaps",
    ),
    Bad(
        "nan_y.npz",
        npz(X=X, y=HOLES[:, 1]),
        "4 of 6 rows hold NaN, row 1 is the first: expected a target in most rows",
    ),
    Bad("infinite.npz", npz(X=INFINITE, y=Y), "row 1, column 1: array 'X' holds inf"),
    Bad("complex.npz", npz(X=X + 1j, y=Y), "complex numbers"),
    Bad("cut.npz", npz(X=X, y=Y)[:-30], "damaged"),
    Bad(
        "flipped.npz", npz(X=X, y=Y).replace(X.tobytes(), X.tobytes()[::-1]), "Bad CRC-32 for file"
    ),
    Bad(
        "bomb.npz",
        npz(
            zipfile.ZIP_DEFLATED,
            X=npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (30000, 30000), }"),
            y=Y,
        ),
        "numbers, dlprobe takes up to",
    ),
    Bad(
        "lie.npz",
        npz(
            zipfile.ZIP_DEFLATED,
            X=npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (3000, 3000), }"),
            y=Y,
        ),
        "the file holds 0",
    ),
    Bad("columns.npz", npz(X=X, y=X), "not one-hot", {"task": "classification"}),
    Bad(
        "text_regression.npz",
        npz(X=X, y=np.array(["u", "v"] * 3)),
        "expected a number",
        {"task": "regression"},
    ),
    Bad("capitals.npz", npz(X=X, label=Y), "did you mean 'label'?", {"target": "Label"}),
    Bad("no_target.npz", npz(X=X, y=Y), "expected 'X' and 'price'", {"target": "price"}),
    # HDF5
    Bad("named.h5", hdf5(data=X, labels=Y), "X"),
    Bad("no_target.h5", hdf5(X=X, y=Y), "price", {"target": "price"}),
    Bad("nan.h5", hdf5(X=HOLES, y=Y), "4 of 6 rows hold NaN"),
    Bad("cut.h5", hdf5(X=X, y=Y)[:1000], "cut.h5"),
    Bad("complex.h5", hdf5(X=X + 1j, y=Y), "complex.h5"),
    Bad(
        "truth.h5",
        hdf5(X=X, y=Y > 0),
        "save labels as np.array(labels, dtype='S'), truth values as whole numbers",
    ),
    # IDX
    Bad(
        "alone-images-idx3-ubyte",
        idx(0x08, (6, 2), bytes(12)),
        "no labels file found beside it, tried 'alone-labels-idx1-ubyte'",
    ),
    Bad("pictures.idx", idx(0x08, (6, 2), bytes(12)), "name it with target"),
    Bad("a-labels-idx1-ubyte", LABELS, "give the images file"),
    Bad(
        "type-images-idx3-ubyte",
        idx(0x07, (6, 2), bytes(12)),
        "starts with 00 00 07 02, expected an IDX header",
    ),
    Bad(
        "cut-images-idx3-ubyte",
        idx(0x08, (6, 2), bytes(11)),
        "declares 12 bytes of data and holds 11",
    ),
    Bad(
        "more-images-idx3-ubyte",
        idx(0x08, (6, 2), bytes(13)),
        "declares 12 bytes of data and holds more",
    ),
    Bad("header-images-idx3-ubyte", b"\0\0\x08\x03\0\0", "ends within its header"),
    Bad("bomb-images-idx3-ubyte", idx(0x08, (4_000_000_000, 4_000_000_000), b""), "takes up to"),
    Bad(
        "lie-images-idx3-ubyte",
        idx(0x0E, (10_000, 10_000), b""),
        "declares 800000000 bytes of data in a file of 12",
    ),
    Bad(
        "bomb-images-idx3-ubyte.gz",
        gzip.compress(idx(0x08, (6, 2), bytes(10_000_000))),
        "holds more",
    ),
    Bad(
        "lie-images-idx3-ubyte.gz",
        gzip.compress(idx(0x0E, (10_000, 10_000), b"")),
        "declares 800000000 bytes",
    ),
    Bad(
        "cut-images-idx3-ubyte.gz",
        gzip.compress(idx(0x08, (600, 2), bytes(range(200)) * 6))[:60],
        "ends too early",
    ),
    Bad(
        "bare-images-idx3-ubyte",
        idx(0x08, (6, 2), bytes(12)),
        "bare-labels-idx1-ubyte: is empty",
        {},
        {"bare-labels-idx1-ubyte": b""},
    ),
    Bad(
        "count-images-idx3-ubyte",
        idx(0x08, (5, 2), bytes(10)),
        "array 'labels' has shape (6,), expected (5,)",
        {},
        {"count-labels-idx1-ubyte": LABELS},
    ),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_a_bad_file_is_one_clear_line(
    read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: Bad
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in bad.beside.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read(bad.name, bad.content, **bad.options)
    message = str(caught.value)
    assert message.isprintable()
    assert bad.name in message or any(name in message for name in bad.beside)
    assert bad.words in message
    assert len(message) < 600 + len(str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {bad.name, *bad.beside}  # nothing was run


def test_at_least_forty_bad_inputs_are_listed() -> None:
    assert len({bad.name for bad in BAD}) == len(BAD) >= 40


def test_a_missing_file_a_folder_and_a_pipe_are_refused_without_waiting(
    read: Read, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"nowhere\.csv: there is no such file: check the path"):
        read("nowhere.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match=r"folder\.csv: is a folder"):
        read("folder.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DataError, match=r"pipe\.csv: is not a regular file"):
        read("pipe.csv")
    os.mkfifo(tmp_path / "x-labels-idx1-ubyte")
    with pytest.raises(DataError, match="no labels file"):
        read("x-images-idx3-ubyte", idx(0x08, (6, 2), bytes(12)))


def test_a_missing_file_given_by_a_relative_path_says_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        DataError, match=f"measured.csv: there is no such file in {tmp_path}: check"
    ):
        load(DataConfig(data="measured.csv"), seed=0)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("~nobody-of-that-name/a.csv", "no such home folder"),
        ("https://example.com/a.csv", "is a web address"),
    ],
)
def test_what_is_no_path_is_one_clear_line(data: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        load(DataConfig(data=data), seed=0)


def test_a_forbidden_file_is_one_clear_line(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    read("secret.csv", "a,b\n1.5,2.5\n3.5,4.5\n")
    monkeypatch.setattr(Path, "open", refuse)  # file modes do not stop the superuser
    with pytest.raises(DataError, match=r"secret\.csv: cannot be read: Permission denied"):
        read("secret.csv")


def test_a_name_with_a_line_break_stays_on_one_line(read: Read) -> None:
    with pytest.raises(DataError) as caught:
        read("two\nlines.csv", b"a\n1\n")
    assert "two\\nlines.csv" in str(caught.value)
    assert "\n" not in str(caught.value)
