"""Text tables as people have them, brought to the form that is read: unpacked, without comment
lines, one separator. Lines keep their numbers.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

from dlprobe.data.packing import refuse_bomb
from dlprobe.data.places import problem, quoted
from dlprobe.dataclass import dataclass

BLANK = " "
SIGNS = (",", ";", "\t", "|")
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "blank": BLANK}
SEPARATOR_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}
GZIP = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LARGEST_UNPACKED = 2**31  # bytes of text that a packed file may hold
LONGEST_FIRST_LINE = 2**20
LONGEST_LINE = 2**20
UTF_32 = b"\xff\xfe\0\0"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # what Excel calls Unicode text starts so
SAMPLED_LINES = 200
# of lines above the table; within it only # starts a comment
COMMENT_SIGNS = ("#", "%", "//", "|", "!")
# what Excel writes and reads in the first line
SEPARATOR_LINE = re.compile(r'"?sep=(.|\\t)"?', re.IGNORECASE)
LIBSVM = re.compile(r"\S+(\s+\d+:\S+)+\s*(#.*)?")
WORD = re.compile(rb'"(?:[^"]|"")*"|[^ \t]+')


@dataclass(frozen=True)
class TextFile:
    """A text table: `content` where it was unpacked or rewritten, else the file itself.

    separator: between cells, one character. skipped: positions of the lines that were emptied.
    """

    path: Path
    separator: str
    content: bytes | None = None
    notes: tuple[str, ...] = ()
    skipped: frozenset[int] = frozenset()

    @property
    def size(self) -> int:
        """Bytes."""
        return self.path.stat().st_size if self.content is None else len(self.content)

    def open(self) -> IO[bytes]:
        """The bytes from the start."""
        return self.path.open("rb") if self.content is None else io.BytesIO(self.content)


def opened(path: Path, usual: str, asked: str = "auto") -> TextFile:
    """The table of a file whose suffix promises the separator `usual`, and whose `sep` is
    `asked`. Raises DataError for what is no text.
    """
    content = unpacked(path) if path.name.lower().endswith(".gz") else None
    content, encoded = from_utf_16(path, content)
    lines = first_lines(path, content)
    told = separator_told(path, lines[0].strip())
    body = [line for line in lines[bool(told) :] if line.strip()]
    table = [line for line in body if not line.lstrip().startswith(COMMENT_SIGNS)] or body
    separator = told or agreed_separator(table, usual) if asked == "auto" else SEPARATORS[asked]
    if separator == BLANK and any(LIBSVM.fullmatch(line.strip()) for line in body[:3]):
        how = (
            "scikit-learn's load_svmlight_file reads it, then np.savez('data.npz', "
            "X=X.toarray(), y=y)"
        )
        raise problem(path, f"is libsvm text (label index:value …), which is not read: {how}")
    width = agreement(
        [line for line in body if not line.lstrip().startswith("#")] or body, separator
    )[1]
    above = lines_above(lines, 1 if told else 0, separator, width)
    header = header_in_comment(lines, above, separator, width)
    comments = [i for i in above if i != header]
    emptied = {*comments, *([0] if told else [])}
    notes = ["the text is UTF-16"] if encoded else []
    notes += (
        [f"columns are separated by {SEPARATOR_NAMES[separator]}"] if separator != usual else []
    )
    notes += (
        [f"skipped row 1, {quoted(lines[0].strip())}, which names the separator"] if told else []
    )
    notes += counted(comments, "above the table", lines)
    commented = has_comments_within(path, content)
    if not emptied and header is None and separator != BLANK and not commented:
        return TextFile(path, separator, content, tuple(notes))
    with _opened(path, content) as stream:
        whole, within = rewritten(stream, emptied, header, separator, width)
    notes += (
        [f"skipped {len(within)} comment line{'s' * (len(within) > 1)} within the table"]
        if within
        else []
    )
    return TextFile(
        path,
        "\t" if separator == BLANK else separator,
        whole,
        tuple(notes),
        frozenset((*emptied, *within)),
    )


def separator_told(path: Path, line: str) -> str:
    """The separator that a first line as Excel's `sep=;` names; empty where it is another line.
    Raises DataError for a separator that is not read.
    """
    if not (line_match := SEPARATOR_LINE.fullmatch(line)):
        return ""
    separator = "\t" if line_match[1] == "\\t" else line_match[1]
    if separator not in SEPARATOR_NAMES:
        raise problem(
            path,
            f"row 1 names the separator {quoted(separator)}, expected one of "
            f"{' | '.join(SEPARATOR_NAMES.values())}",
        )
    return separator


def counted(comments: Sequence[int], where: str, lines: Sequence[str]) -> list[str]:
    """A note on skipped comment lines with the first of them; none where none was skipped."""
    first = quoted(lines[comments[0]].strip()) if comments else ""
    if comments:
        return [
            f"skipped {len(comments)} comment line{'s' * (len(comments) > 1)} {where} "
            f"({first} is the first)"
        ]
    return []


def unpacked(path: Path) -> bytes:
    """What a gzip file holds. Raises DataError for another kind of file, a damaged one, and one
    that unpacks to more than 2 GiB.
    """
    with path.open("rb") as stream:
        if stream.read(2) != GZIP:
            raise problem(
                path, "is not compressed with gzip as its name says: take .gz off its name"
            )
    try:
        pieces, total, packed = [], 0, path.stat().st_size
        with gzip.open(path) as stream:
            while more := stream.read(2**22):
                pieces.append(more)
                total += len(more)
                refuse_bomb(path, total, packed)
                if total > LARGEST_UNPACKED:
                    raise problem(
                        path,
                        f"unpacks to more than {LARGEST_UNPACKED} bytes: unpack it, and give "
                        "a smaller table or a Parquet file",
                    )
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise problem(
            path, "its compressed data is damaged or ends too early: write it again"
        ) from None
    return b"".join(pieces)


def from_utf_16(path: Path, content: bytes | None) -> tuple[bytes | None, bool]:
    """The content as UTF-8 and True where a byte order mark says that it is UTF-16; else as it
    was.
    """
    with _opened(path, content) as stream:
        head = stream.read(4)
        if not head.startswith(UTF_16) or head == UTF_32:
            return content, False
        if (size := path.stat().st_size if content is None else len(content)) > LARGEST_UNPACKED:
            raise problem(
                path,
                f"is UTF-16 text of {size} bytes, more than {LARGEST_UNPACKED}: save it as UTF-8",
            )
        try:
            return (head + stream.read()).decode("utf-16").encode(), True
        except UnicodeError:
            raise problem(
                path, "starts as UTF-16 text and goes on otherwise: save it as UTF-8"
            ) from None


def first_lines(path: Path, content: bytes | None) -> list[str]:
    """The lines of the first MiB as text, blank ones too, without byte order mark. Refuses
    binary files and a first line beyond 1 MiB.
    """
    if content is None:
        with path.open("rb") as stream:
            head = stream.read(LONGEST_FIRST_LINE)
    else:
        head = content[:LONGEST_FIRST_LINE]
    if b"\0" in head[:4096]:
        raise problem(
            path, "holds zero bytes, expected text: is it another format under this name?"
        )
    if b"\r" in head and b"\n" not in head:
        raise problem(
            path,
            "ends its lines in carriage returns alone, as old Macs did: save it with line feeds",
        )
    head = head.removeprefix(BYTE_ORDER_MARK)
    filled = head.lstrip(b"\r\n \t")
    if not filled:
        raise problem(path, "has no rows of data")
    if len(filled.split(b"\n", 1)[0]) >= LONGEST_FIRST_LINE - 16:
        raise problem(path, "row 1 is longer than 1 MiB, expected a table")
    lines = head.split(b"\n")
    if len(lines) > 1 and len(head) >= LONGEST_FIRST_LINE - len(BYTE_ORDER_MARK):
        lines = lines[:-1]  # cut
    return [line.decode("utf-8", "replace").rstrip("\r") for line in lines[: SAMPLED_LINES * 2]]


def fields(lines: Sequence[str], separator: str) -> list[int]:
    """Number of cells of each record."""
    if separator == BLANK:
        return [len(words(line)) for line in lines]
    return [len(record) for record in csv.reader(lines, delimiter=separator) if record]


def words(line: str) -> list[bytes]:
    """The cells of a line that is separated by runs of blanks and tabs; a quoted cell may hold
    blanks.
    """
    content = line.encode()
    return WORD.findall(content) if b'"' in content else content.split()


def agreement(lines: Sequence[str], separator: str) -> tuple[float, int]:
    """(share of records with the most frequent number of cells, that number); (0, 1) for no lines
    or for quotes that do not match.
    """
    try:
        counts = Counter(fields(lines, separator))
    except csv.Error:
        return 0.0, 1
    width, count = counts.most_common(1)[0] if counts else (1, 0)
    return (count / counts.total() if counts else 0.0), width


def agreed_separator(lines: Sequence[str], usual: str) -> str:
    """The separator that most lines agree on, the usual one where several do; blanks only where
    no sign separates, or only tabs and those worse.
    """
    lines = lines[:SAMPLED_LINES]
    agreements = {
        separator: agreement(lines, separator) for separator in dict.fromkeys((usual, *SIGNS))
    }
    signs = {separator: share for separator, (share, width) in agreements.items() if width > 1}
    share, width = agreement(lines, BLANK)
    if width > 1 and not (set(signs) - {"\t"}) and (len(lines) > 1 or not signs):
        tabs, columns = agreements["\t"]
        if (
            not signs
            or share > tabs
            or (share == tabs and width > columns and all_numbers_between_tabs(lines))
        ):
            return BLANK if share > 0.5 else usual
    if not signs:
        return usual
    best = max(signs.values())
    if signs.get(usual) == best:
        return usual
    return max((s for s in signs if signs[s] == best), key=lambda s: agreements[s][1])


def all_numbers_between_tabs(lines: Sequence[str]) -> bool:
    """Whether every line has at least two numbers (or ?) separated by blanks before its first tab,
    as in UCI's auto-mpg: then blanks separate too.
    """
    return all(
        len(cells := line.split("\t")[0].split()) > 1
        and all(re.fullmatch(r"[-+.\deE]+|\?", cell) for cell in cells)
        for line in lines
    )


def lines_above(lines: Sequence[str], skipped: int, separator: str, width: int) -> list[int]:
    """Positions of the comment lines above the table: those that start with a sign of comments
    and have not the table's cells, or come before such.
    """
    numbers: list[int] = []
    for i, line in enumerate(lines):
        text = line.strip()
        if i < skipped or not text:
            continue
        if not text.startswith(COMMENT_SIGNS):
            break
        numbers.append(i)
    if len(numbers) >= sum(1 for line in lines if line.strip()):
        return []  # every line starts so: it is data
    marked = [
        i
        for i in numbers
        if fields([lines[i]], separator) != [width] or re.match(r"\s*#\s", lines[i])
    ]
    return numbers[: numbers.index(marked[-1]) + 1] if marked else []


def bare_cells(line: str, separator: str) -> list[str]:
    """The cells of a comment line without its sign."""
    text = re.sub(r"^\s*(#|%|//|\||!)+\s*", "", line)
    return text.split() if separator == BLANK else next(csv.reader([text], delimiter=separator), [])


def header_in_comment(
    lines: Sequence[str], above: Sequence[int], separator: str, width: int
) -> int | None:
    """The last comment line above the table where it names the columns, as NumPy's savetxt
    writes it: a name for each, and numbers below.
    """
    if (
        not above
        or lines[above[-1]].lstrip()[:1] != "#"
        or len(names := bare_cells(lines[above[-1]], separator)) != width
        or width < 2
    ):
        return None
    below = next((line for line in lines[above[-1] + 1 :] if line.strip()), "")
    cells = (
        [cell.decode() for cell in words(below)]
        if separator == BLANK
        else next(csv.reader([below], delimiter=separator), [])
    )
    if any(is_number(cell) for cell in cells) and not any(is_number(name) for name in names):
        return above[-1]
    return None


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _opened(path: Path, content: bytes | None) -> IO[bytes]:
    return path.open("rb") if content is None else io.BytesIO(content)


def has_comments_within(path: Path, content: bytes | None) -> bool:
    """Whether any line but the first starts with #. Raises DataError for a line that is longer
    than 2 MiB: no table has such, and a cell may hide one.
    """
    commented, end, filled = False, b"", 0
    with _opened(path, content) as stream:
        for piece in iter(lambda: stream.read(LONGEST_LINE), b""):
            # one sign is found ten times as fast as two
            commented = commented or (b"#" in piece and b"\n#" in end + piece)
            filled = 0 if b"\n" in piece else filled + len(piece)
            if filled > LONGEST_LINE:
                raise problem(
                    path,
                    f"has a line of more than {LONGEST_LINE} bytes, expected a table: is a "
                    "quote not closed?",
                )
            end = piece[-1:]
    return commented


def rewritten(
    lines: Iterable[bytes], emptied: set[int], header: int | None, separator: str, width: int
) -> tuple[bytes, list[int]]:
    """The lines with skipped ones empty, blanks as tabs, the header without its sign, in one; and
    the positions of comments within the table.

    Line by line, so that a large text is not held in pieces beside the result.
    """
    within: list[int] = []
    quoted_cell = False
    written = io.BytesIO()
    for i, original in enumerate(lines):
        line = original.removesuffix(b"\n")
        if i == 0:
            line = line.removeprefix(BYTE_ORDER_MARK)
        if i == header:
            line = re.sub(rb"^\s*#+\s*", b"", line)
        elif i in emptied:
            line = b""
        elif (
            line.startswith(b"#")
            and not quoted_cell
            and fields([line.decode("utf-8", "replace").rstrip("\r")], separator) != [width]
        ):
            within.append(i)
            line = b""
        quoted_cell ^= bool(line.count(b'"') % 2)
        if separator == BLANK:
            line = b"\t".join(WORD.findall(line.rstrip(b"\r")) if b'"' in line else line.split())
        written.write(line + b"\n" * original.endswith(b"\n"))
    return written.getvalue(), within
