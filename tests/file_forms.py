"""Files of the forms in which people have their tables: what each holds, or what is said of it."""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import polars


@dataclass(frozen=True)
class Form:
    """A file that is read as `inputs` and `targets`, and words of a note each."""

    name: str
    content: bytes | str
    inputs: list[list[float]]
    targets: list[float]
    noted: tuple[str, ...] = ()
    options: dict[str, str] = field(default_factory=dict)
    task: str = "classification"


@dataclass(frozen=True)
class Refused:
    """A file that is refused in one line with these words."""

    name: str
    content: bytes | str
    words: str
    options: dict[str, str] = field(default_factory=dict)


X = [[0.5, 7.0], [1.5, 8.0], [2.5, 9.25], [3.5, 6.0]]
Y = [0, 1, 1, 0]
ROWS = [[*row, y] for row, y in zip(X, Y, strict=True)]


def lines(
    separator: str, header: str = "", rows: list[list[object]] = ROWS, end: str = "\n"
) -> str:  # type: ignore[assignment]
    return "".join(
        line + end
        for line in [
            *([header] if header else []),
            *(separator.join(map(str, row)) for row in rows),
        ]
    )


def savetxt(**options: object) -> bytes:
    stream = io.BytesIO()
    np.savetxt(stream, np.array(ROWS), **options)  # type: ignore[arg-type]
    return stream.getvalue()


def feather(**columns: object) -> bytes:
    stream = io.BytesIO()
    polars.DataFrame(columns).write_ipc(stream, compression="lz4")
    return stream.getvalue()


def parquet(**columns: object) -> bytes:
    stream = io.BytesIO()
    polars.DataFrame(columns).write_parquet(stream)
    return stream.getvalue()


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npz(**arrays: object) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


PLAIN = lines(",", "a,b,y")
GERMAN = "Fläche;Preis;Art\n" + "".join(
    f"{a};{p};{k}\n"
    for a, p, k in [
        ("0,5", "1.234,50", "x"),
        ("1,5", "999", "y"),
        ("2,5", "1.000.000", "x"),
        ("3,5", "7,25 €", "y"),
    ]
)
MONEY = [[0.5, 1234.5], [1.5, 999.0], [2.5, 1e6], [3.5, 7.25]]
ENGLISH = 'area,price,kind\n0.5,"$1,234.5",x\n1.5,$999,y\n2.5,"1,000,000",x\n3.5,7.25,y\n'

DATES = "when,b,y\n{},7,0\n{},8,1\n{},9.25,1\n{},6,0\n"
DAYS = [[19723, 7], [19783, 8], [0, 9.25], [-1, 6]]
WITH_NAN = npz(X=np.array([*X, [np.nan, 1]]), y=np.array([*Y, 1]))
NAN = float("nan")
FILLED = [[0, 0.5], [0, NAN], [1, 2.5], [NAN, 3.5], [0, 4.5]]
FLAGGED = [[0, 0.5, 0, 0], [0, NAN, 0, 1], [1, 2.5, 0, 0], [NAN, 3.5, 1, 0], [0, 4.5, 0, 0]]
HOLED = "k,a,y\n0,0.5,0\n0,,1\n1,2.5,1\n,3.5,0\n0,4.5,1\n"
TITANIC = "PassengerId,Survived,Pclass,Name,Age,Ticket\n" + "".join(
    f'{i},{s},{c},"Doe, Mr. {n}",{a},A/5 {t}\n'
    for i, s, c, n, a, t in [
        (1, 0, 3, "J", 22, 211),
        (2, 1, 1, "K", 38, 175),
        (3, 1, 3, "L", 26, 310),
        (4, 0, 2, "M", 35, 113),
    ]
)
SURVIVED = {"target": "Survived"}
MANY_DATES = "when,a,y\n" + "".join(f"2024-{i + 1:02d}-01,{i}.5,{i % 2}\n" for i in range(12))
MANY_TEXTS = "id,kind,a,y\n" + "".join(f"n{i},t{i},{i}.5,{i % 2}\n" for i in range(12))

FORMS = [
    # what separates
    Form("savetxt.txt", savetxt(), X, Y, ("separated by blanks",)),
    Form(
        "savetxt_header.txt",
        savetxt(header="a b y"),
        X,
        Y,
        ("separated by blanks", "row 1 is the header"),
    ),
    Form(
        "savetxt_comma_header.csv",
        savetxt(delimiter=",", header="a,b,y"),
        X,
        Y,
        ("row 1 is the header",),
    ),
    Form(
        "runs_of_blanks.dat",
        "  0.5   7  0\n 1.5\t 8   1  \n2.5   9.25 1\n\n3.5 6    0\n",
        X,
        Y,
        ("separated by blanks", "skipped 1 blank line"),
    ),
    Form(
        "like_auto_mpg.data",
        '0.5   7   0\t"a b"\n1.5   8   1\t"c d"\n2.5   9.25   1\t"a b"\n3.5   6   0\t"c d"\n',
        [[*row, *one] for row, one in zip(X, ([1, 0], [0, 1], [1, 0], [0, 1]), strict=True)],
        Y,
        ("separated by blanks",),
        {"target": "3"},
    ),
    Form(
        "double_tabs.txt",
        "0.5\t7\t0\n1.5\t\t8\t1\n2.5\t9.25\t1\n3.5\t6\t0\n",
        X,
        Y,
        ("separated by blanks",),
    ),
    Form("tabs.dat", lines("\t"), X, Y, ("separated by tabs",)),
    Form("semicolons.csv", lines(";", "a;b;y", end="\r\n"), X, Y, ("separated by semicolons",)),
    Form("most_agree.csv", "a|1;b|2;y\n" + lines(";"), X, Y, ("separated by semicolons",)),
    Form(
        "sep_line.csv",
        "sep=;\r\n" + lines(";", "a;b;y", end="\r\n"),
        X,
        Y,
        ("row 1, 'sep=;', which names the separator",),
    ),
    Form(
        "sep_line_bom.csv",
        b"\xef\xbb\xbfsep=;\r\n" + lines(";", "a;b;y", end="\r\n").encode(),
        X,
        Y,
        ("separated by semicolons",),
    ),
    Form("sep_line_tab.csv", '"sep=\t"\n' + lines("\t", "a\tb\ty"), X, Y, ("separated by tabs",)),
    Form(
        "asked_blank.csv", "a b y\n" + lines(" "), X, Y, ("separated by blanks",), {"sep": "blank"}
    ),
    Form(
        "asked_semicolon.csv",
        lines(";", "a,1;b,2;y"),
        X,
        Y,
        ("separated by semicolons",),
        {"sep": ";"},
    ),
    Form(
        "asked_blank_sign.csv", "a b y\n" + lines(" "), X, Y, ("separated by blanks",), {"sep": " "}
    ),
    Form("asked_bar.csv", lines("|", "a,1|b,2|y"), X, Y, ("separated by bars",), {"sep": "bar"}),
    # what stands above and between
    Form(
        "comments.csv",
        "# exported 2024-05-01\n# units: mm\n" + PLAIN,
        X,
        Y,
        ("skipped 2 comment lines above the table ('# exported 2024-05-01'",),
    ),
    Form(
        "like_adult_test.csv",
        "|1x3 Cross validator\n" + lines(","),
        X,
        Y,
        ("skipped 1 comment line above",),
    ),
    Form(
        "comment_within.csv",
        PLAIN + "# end of the series\n",
        X,
        Y,
        ("skipped 1 comment line within",),
    ),
    Form(
        "percent_comment.txt",
        "% written by hand\n" + lines(" "),
        X,
        Y,
        ("skipped 1 comment line above", "separated by blanks"),
    ),
    Form("percent_in_header.csv", PLAIN.replace("a,b", "% fat,b"), X, Y, ("row 1 is the header",)),
    Form(
        "quoted_hash.csv",
        'k,b,y\n"u\n# no, comment",7,0\nv,8,1\n"u\n# no, comment",9.25,1\nv,6,0\n',
        [[1, 0, 7], [0, 1, 8], [1, 0, 9.25], [0, 1, 6]],
        Y,
    ),
    Form("bom.csv", b"\xef\xbb\xbf" + PLAIN.encode(), X, Y, ("row 1 is the header",)),
    Form(
        "bom_comments.csv",
        b"\xef\xbb\xbf# made today\n" + PLAIN.encode(),
        X,
        Y,
        ("skipped 1 comment line above",),
    ),
    Form(
        "colours.csv",
        "#ff0000,1.5,0\n#00ff00,2.5,1\n#ff0000,3.5,1\n#00ff00,4.5,0\n",
        [[0, 1, 1.5], [1, 0, 2.5], [0, 1, 3.5], [1, 0, 4.5]],
        Y,
    ),
    Form(
        "excel_unicode.txt",
        ("\ufeff" + lines("\t", "Gr\u00f6\u00dfe\tb\ty", end="\r\n")).encode("utf-16-le"),
        X,
        Y,
        ("the text is UTF-16", "separated by tabs"),
    ),
    Form("utf_16_big.csv", ("\ufeff" + PLAIN).encode("utf-16-be"), X, Y, ("the text is UTF-16",)),
    Form(
        "names_twice.csv",
        PLAIN.replace("a,b", "b,b"),
        X,
        Y,
        ("column 2 is called 'b.1', since column 1 is 'b' already",),
    ),
    Form(
        "names_thrice.csv",
        "a,a,a.1,a\n1,2,3,4.5\n5,6,7,8.5\n",
        [[1, 2, 3], [5, 6, 7]],
        [4.5, 8.5],
        ("called 'a.2'", "called 'a.3'"),
        {},
        "regression",
    ),
    Form("none.csv", PLAIN + "None,7,0\n1,\\N,1\n", X, Y, ("dropped 2 of 6 rows",)),
    # what packs
    Form("packed.csv.gz", gzip.compress(PLAIN.encode()), X, Y, ("row 1 is the header",)),
    Form("packed.tsv.gz", gzip.compress(lines("\t", "a\tb\ty").encode()), X, Y),
    Form("packed_blanks.dat.gz", gzip.compress(savetxt()), X, Y, ("separated by blanks",)),
    Form(
        "table.feather",
        feather(a=[0.5, 1.5, 2.5, 3.5], b=[7.0, 8.0, 9.25, 6.0], y=["u", "v", "v", "u"]),
        X,
        Y,
    ),
    Form(
        "index.arrow",
        feather(
            index=[0, 1, 2, 3],
            a=[0.5, 1.5, 2.5, 3.5],
            b=[7.0, 8.0, 9.25, 6.0],
            y=["u", "v", "v", "u"],
        ),
        X,
        Y,
        ("counts the rows: left out",),
    ),
    # how numbers are written
    Form(
        "german.csv", GERMAN, MONEY, [0, 1, 0, 1], ("decimal = comma: dots",), {"decimal": "comma"}
    ),
    Form(
        "english.csv",
        ENGLISH,
        MONEY,
        [0, 1, 0, 1],
        ("decimal = point: commas",),
        {"decimal": "point"},
    ),
    Form(
        "apostrophes.csv",
        "a,b,y\n0.5,1'234,u\n1.5,12'345'678,v\n2.5,7,u\n",
        [[0.5, 1234], [1.5, 12345678], [2.5, 7]],
        [0, 1, 0],
        (),
        {"decimal": "point", "task": "classification"},
    ),
    Form(
        "blanks_in_numbers.csv",
        "a;b\n1 234,5;-0,5\n12 345;1,5\n",
        [[1234.5], [12345]],
        [-0.5, 1.5],
        (),
        {"decimal": "comma"},
        "regression",
    ),
    Form(
        "narrow_blanks.csv",
        "a;b\n1\u202f234,5;-0,5\n12\u00a0345;1,5\n",
        [[1234.5], [12345]],
        [-0.5, 1.5],
        (),
        {"decimal": "comma"},
        "regression",
    ),
    Form(
        "percent.csv",
        "a,b\n12 %,0.5\n7.5%,1.5\n",
        [[12], [7.5]],
        [0.5, 1.5],
        ("12 % is 12",),
        {"decimal": "point"},
        "regression",
    ),
    Form(
        "dots.csv",
        "a;b\n852.892;0.5\n90.100;1.5\n",
        [[852.892], [90.1]],
        [0.5, 1.5],
        ("column 1 'a': every number has a dot before its last three",),
        {},
        "regression",
    ),
    Form(
        "dots_read.csv",
        "a;b\n852.892;0,5\n90.100;1,5\n",
        [[852892], [90100]],
        [0.5, 1.5],
        (),
        {"decimal": "comma"},
        "regression",
    ),
    Form(
        "accounting.csv",
        'a,b\n"(1,234.50)",0.5\n($7.25),1.5\n"$(2,000)",2.5\n(0.5),3.5\n',
        [[-1234.5], [-7.25], [-2000], [-0.5]],
        [0.5, 1.5, 2.5, 3.5],
        (),
        {"decimal": "point"},
        "regression",
    ),
    Form(
        "minus_of_print.csv",
        "a,b\n\u22120.126,0.5\n\u221212,1.5\n",
        [[-0.126], [-12]],
        [0.5, 1.5],
        (),
        {"decimal": "point"},
        "regression",
    ),
    # which columns
    Form(
        "drop_names.csv",
        TITANIC,
        [[3, 22], [1, 38], [3, 26], [2, 35]],
        Y,
        ("3 of 6 columns were left out as asked: 'PassengerId', 'Name'",),
        {**SURVIVED, "drop": "Name,Ticket,PassengerId"},
    ),
    Form(
        "columns.csv",
        TITANIC,
        [[3, 22], [1, 38], [3, 26], [2, 35]],
        Y,
        ("3 of 6 columns were left out",),
        {**SURVIVED, "columns": "Pclass,Age"},
    ),
    Form(
        "patterns.csv",
        TITANIC,
        [[3, 22], [1, 38], [3, 26], [2, 35]],
        Y,
        (),
        {**SURVIVED, "columns": "*a*,A?e", "drop": "Name,*Id"},
    ),
    Form(
        "numbers.csv",
        TITANIC,
        [[3, 22], [1, 38], [3, 26], [2, 35]],
        Y,
        (),
        {"target": "2", "columns": "3,5"},
    ),
    Form(
        "drop_last.csv",
        TITANIC,
        [[1, 0, 3], [2, 1, 1], [3, 1, 3], [4, 0, 2]],
        [22, 38, 26, 35],
        ("target: column 5 'Age' (the last",),
        {"drop": "Name,-1", "columns": "PassengerId,Survived,Pclass"},
        "regression",
    ),
    Form(
        "unreadable.csv",
        "a,b,c,y\n0.5,7,x,0\n1.5,8,1,1\n2.5,9.25,2,1\n3.5,6,3,0\n",
        X,
        Y,
        (),
        {"drop": "c"},
    ),
    Form(
        "numbered_names.csv",
        "9,1,y\n0.5,7,0\n1.5,8,1\n2.5,9.25,1\n3.5,6,0\n",
        [[7.0], [8.0], [9.25], [6.0]],
        Y,
        (),
        {"columns": "1"},
    ),
    Form(
        "id_asked_for.csv",
        "id,a,y\n1,7,0\n2,8,1\n3,9,1\n4,6,0\n",
        [[1, 7], [2, 8], [3, 9], [4, 6]],
        Y,
        (),
        {"columns": "id,a"},
    ),
    Form(
        "drop.parquet",
        parquet(
            a=[0.5, 1.5, 2.5, 3.5], w=[[1]] * 4, b=[7.0, 8.0, 9.25, 6.0], y=["u", "v", "v", "u"]
        ),
        X,
        Y,
        (),
        {"drop": "w"},
    ),
    Form(
        "drop.npz",
        npz(X=np.column_stack([X, np.ones(4)]), y=np.array(Y)),
        X,
        Y,
        ("1 of 3 features were left out",),
        {"drop": "x3"},
    ),
    Form(
        "columns.npz",
        npz(X=np.column_stack([X, np.ones(4)]), y=np.array(Y)),
        X,
        Y,
        (),
        {"columns": "1,2"},
    ),
    Form("columns.npy", npy(np.column_stack([np.ones(4), X, Y])), X, Y, (), {"columns": "2,3"}),
    # what is missing: NaN here is what is filled by the training part later
    Form(
        "dropped.csv",
        HOLED,
        [[0, 0.5], [1, 2.5], [0, 4.5]],
        [0, 1, 1],
        ("dropped 2 of 5 rows",),
        {"task": "classification"},
    ),
    Form(
        "filled.csv",
        HOLED,
        [[0, 0.5], [0, NAN], [1, 2.5], [NAN, 3.5], [0, 4.5]],
        [0, 1, 1, 0, 1],
        ("2 missing values in 2 columns ('k', 'a') are filled by the mean",),
        {"missing": "mean"},
    ),
    Form(
        "median.csv",
        HOLED,
        FILLED,
        [0, 1, 1, 0, 1],
        ("filled by the median",),
        {"missing": "median"},
    ),
    Form(
        "indicator.csv",
        HOLED,
        FLAGGED,
        [0, 1, 1, 0, 1],
        ("a column for each says where",),
        {"missing": "indicator"},
    ),
    Form(
        "no_target.csv",
        "a,y\n1,0\n2,\n3,1\n4,1\n5,0\n",
        [[1], [3], [4], [5]],
        Y,
        ("dropped 1 of 5 rows",),
        {"missing": "mean"},
    ),
    Form(
        "nan.npz", WITH_NAN, X, Y, ("dropped 1 of 5 rows with missing values (the first: row 5)",)
    ),
    Form(
        "nan_target.npz",
        npz(X=np.array([*X, [1, 1]]), y=np.array([*Y, np.nan])),
        X,
        Y,
        ("dropped 1 of 5 rows",),
        {"missing": "mean"},
    ),
    Form(
        "nan_filled.npz",
        WITH_NAN,
        [*X, [NAN, 1]],
        [*Y, 1],
        ("1 missing value in column 'x1' is",),
        {"missing": "median"},
    ),
    Form(
        "nan_flag.npz",
        WITH_NAN,
        [*([*x, 0] for x in X), [NAN, 1, 1]],
        [*Y, 1],
        (),
        {"missing": "indicator"},
    ),
    Form(
        "nan.npy",
        npy(np.array([[*x, y] for x, y in zip(X, Y, strict=True)] + [[np.nan, 1, 1]])),
        X,
        Y,
        ("dropped 1 of 5 rows",),
    ),
    # dates: 2024-01-01 is day 19,723 since 1970-01-01 (54 years, 13 of them leap years: 54·365 +
    #     13)
    Form(
        "dates.csv",
        DATES.format("2024-01-01", "2024-03-01", "1970-01-01", "1969-12-31"),
        DAYS,
        Y,
        ("column 1 'when': dates are days since",),
        {"dates": "ordinal"},
    ),
    Form(
        "german_dates.csv",
        DATES.format("01.01.2024", "1.3.2024", "01.01.1970", "31.12.1969"),
        DAYS,
        Y,
        (),
        {"dates": "ordinal"},
    ),
    Form(
        "american_dates.csv",
        DATES.format("1/1/2024", "3/1/2024", "1/1/1970", "12/31/1969"),
        DAYS,
        Y,
        (),
        {"dates": "ordinal"},
    ),
    Form(
        "english_dates.csv",
        DATES.format("1/1/2024", "1/3/2024", "1/1/1970", "31/12/1969"),
        DAYS,
        Y,
        (),
        {"dates": "ordinal"},
    ),
    Form(
        "months.csv",
        DATES.format("01-Jan-2024", "1 March 2024", "01-JAN-1970", "31 Dec 1969"),
        DAYS,
        Y,
        (),
        {"dates": "ordinal"},
    ),
    Form(
        "halves_of_days.csv",
        DATES.format(
            "1/1/2024 6:00 AM", "3/1/2024 12:00 PM", "1/1/1970 12:30 am", "12/31/1969 6:00:00 pm"
        ),
        [[19723.25, 7], [19783.5, 8], [30 / 1440, 9.25], [-0.25, 6]],
        Y,
        (),
        {"dates": "ordinal"},
    ),
    Form(
        "slashes.csv",
        DATES.format("2024/01/01", "2024/03/01", "1970/01/01", "1969/12/31"),
        DAYS,
        Y,
        (),
        {"dates": "ordinal"},
    ),
    Form(
        "times.csv",
        DATES.format(
            "2024-01-01 06:00",
            "2024-03-01T12:00:00Z",
            "1970-01-01 18:00:00.0",
            "1969-12-31T02:00:00+02:00",
        ),
        [[19723.25, 7], [19783.5, 8], [0.75, 9.25], [-1, 6]],
        Y,
        (),
        {"dates": "ordinal"},
    ),
    Form(
        "dates_dropped.csv",
        DATES.format("2024-01-01", "2024-03-01", "1970-01-01", "1969-12-31"),
        [[b] for _, b in X],
        Y,
        ("column 1 'when' holds dates: left out",),
        {"dates": "drop"},
    ),
    Form(
        "dates.parquet",
        parquet(
            when=[date(2024, 1, 1), date(2024, 3, 1), date(1970, 1, 1), date(1969, 12, 31)],
            b=[7.0, 8.0, 9.25, 6.0],
            y=["u", "v", "v", "u"],
        ),
        DAYS,
        Y,
        (),
        {"dates": "ordinal"},
    ),
    Form(
        "times.feather",
        feather(
            when=[datetime(1970, 1, 2, 12), datetime(1969, 12, 31, 6), None, datetime(1970, 1, 1)],
            b=[7.0, 8.0, 9.25, 6.0],
            y=["u", "v", "v", "u"],
        ),
        [[1.5, 7], [-0.75, 8], [NAN, 9.25], [0, 6]],
        Y,
        (),
        {"dates": "ordinal", "missing": "mean"},
    ),
    Form(
        "zones.parquet",
        parquet(
            when=[
                datetime(1970, 1, 2, 2, tzinfo=timezone(timedelta(hours=2))),
                datetime(1970, 1, 1, tzinfo=UTC),
            ]
            * 2,
            b=[7.0, 8.0, 9.25, 6.0],
            y=["u", "v", "v", "u"],
        ),
        [[1, 7], [0, 8], [1, 9.25], [0, 6]],
        Y,
        (),
        {"dates": "ordinal"},
    ),
    Form(
        "date_gap.csv",
        DATES.format("2024-01-01", "", "1970-01-01", "1969-12-31"),
        [DAYS[0], DAYS[2], DAYS[3]],
        [0, 1, 0],
        ("dropped 1 of 4 rows",),
        {"dates": "ordinal", "task": "classification"},
    ),
    Form(
        "date_target.csv",
        "a,when\n1,1970-01-02\n2,1970-02-01\n",
        [[1], [2]],
        [1, 31],
        (),
        {"dates": "ordinal", "target": "when"},
        "regression",
    ),
    Form(
        "few_dates.csv",
        "when,y\n1970-01-02,0\n1970-02-01,1\n1970-01-02,1\n1970-02-01,0\n",
        [[1, 0], [0, 1], [1, 0], [0, 1]],
        Y,
        ("dates: --dates ordinal makes numbers of them",),
    ),
    # labels
    Form(
        "few_integers.npz",
        npz(X=np.arange(8.0).reshape(4, 2), y=np.array([0, 1, 2, 3]) // 2),
        [[0, 1], [2, 3], [4, 5], [6, 7]],
        [0, 0, 1, 1],
    ),
    Form(
        "codes.npz",
        npz(
            X=np.arange(10.0).reshape(10, 1),
            y=np.array([0, 1, 2, 3, 4, 4, 4, 4, 4, 4], dtype=np.uint8),
        ),
        [[i] for i in range(10)],
        [0, 1, 2, 3, 4, 4, 4, 4, 4, 4],
    ),
    Form(
        "counts.npz",
        npz(X=np.arange(4.0).reshape(4, 1), y=np.array([0, 1, 2, 3])),
        [[0], [1], [2], [3]],
        [0, 1, 2, 3],
        (),
        {},
        "regression",
    ),
    Form(
        "floats.npz",
        npz(X=np.arange(10.0).reshape(10, 1), y=np.repeat(np.arange(5.0), 2)),
        [[i] for i in range(10)],
        [0, 0, 1, 1, 2, 2, 3, 3, 4, 4],
        (),
        {},
        "regression",
    ),
    Form(
        "like_wdbc.data",
        "M,1.25\nB,2.5\nM,3.5\nB,4.5\n",
        [[0, 1], [1, 0], [0, 1], [1, 0]],
        [1.25, 2.5, 3.5, 4.5],
        ("2 different texts: if these are the labels, --target x1",),
        {},
        "regression",
    ),
]

REFUSED = [
    Refused("german.csv", GERMAN, "(decimal commas: --decimal comma reads them)"),
    Refused(
        "german_target.csv",
        "a;b\n1;1.234,50\n2;853.550,00\n",
        (
            "'1.234,50', expected a number or a label (decimal commas and separators of "
            "thousands: --decimal comma reads them)"
        ),
    ),
    Refused(
        "english.csv",
        'a,b\n1,"1,234"\n2,"2,345"\n',
        (
            "(separators of thousands, or decimal commas: --decimal point reads the first, "
            "--decimal comma the second)"
        ),
    ),
    Refused(
        "leading_zero.csv",
        "a;b\n1;0,234\n2;0,345\n",
        "(decimal commas: --decimal comma reads them)",
    ),
    Refused("dollars.csv", "a,b\n1,$12.50\n2,$7\n", "(currency signs: --decimal point reads them)"),
    Refused(
        "percent.csv",
        "a,b,y\n1,12 %,0.5\n2,7.5%,1.5\n",
        (
            "column 2 'b': holds '12 %', expected numbers or categories (percent signs: --decimal "
            "point reads them)"
        ),
    ),
    Refused(
        "apostrophe.csv",
        "a,b\n1,852'892\n2,1'000\n",
        "(separators of thousands: --decimal point reads them)",
    ),
    Refused(
        "wrong_decimal.csv",
        "a;b\n1;1,5\n2;2,5\n3;x\n",
        "row 4, column 2 'b': found 'x', expected a number",
        {"decimal": "comma"},
    ),
    Refused(
        "names.csv",
        MANY_TEXTS,
        "column 1 'id': has 12 different texts in 12 rows, 'n0' is one, so it names the rows, "
        "expected numbers or at most 100 categories; so it is with 'kind': --drop id,kind "
        "leaves them out",
    ),
    Refused(
        "comma_in_name.csv",
        MANY_TEXTS.replace("id,kind", '"id, old",kind'),
        "--drop 1,kind leaves them out",
    ),
    Refused(
        "blank_in_name.csv",
        MANY_TEXTS.replace("id,kind", "the id,kind"),
        "--drop 'the id,kind' leaves them out",
    ),
    Refused(
        "infinite.csv",
        "a,b,y\n1,2,0.5\n3,inf,1.5\n",
        "mend the cell, or --drop b leaves the column out",
    ),
    Refused(
        "word.csv",
        "a,b,y\n1,2,0.5\n3,4,1.5\nx,5,2.5\n",
        (
            "mend the cell, or delete the row if it holds units or a total, or --drop a leaves "
            "the column out"
        ),
    ),
    Refused(
        "dates.parquet",
        parquet(a=[1, 2], w=[[1], [2]], v=[[1], [2]], y=[0.5, 1.5]),
        (
            "holds 'List(Int64)', expected numbers or text; so it is with 'v': --drop w,v leaves "
            "them out"
        ),
    ),
    Refused(
        "mostly_missing.csv",
        "a,b,y\n1,,3\n,5,6\n7,8,9\n",
        "--drop a leaves that column out, --missing median fills gaps (or mean, indicator)",
    ),
    Refused(
        "mostly_unlabelled.csv",
        "a,y\n1,\n2,\n7,9\n",
        "2 of 3 rows have one, most in 'y': name another target",
        {"missing": "mean"},
    ),
    Refused(
        "dates.csv",
        MANY_DATES,
        "column 1 'when': has 12 different texts in 12 rows, '2024-01-01' is one, a date, "
        "expected numbers or at most 100 categories: --dates ordinal makes numbers of 'when', "
        "--dates drop leaves dates out",
    ),
    Refused(
        "day_or_month.csv",
        "when,y\n1/2/2024,0\n3/4/2024,1\n1/2/2024,1\n3/4/2024,0\n",
        "holds dates as '1/2/2024', day first or month first",
        {"dates": "ordinal"},
    ),
    Refused(
        "when.parquet",
        parquet(when=[date(2024, 1, 1)] * 2, y=[0.5, 1.5]),
        (
            "holds 'Date', expected numbers or text: --dates ordinal makes numbers of dates, "
            "--drop when leaves it out"
        ),
    ),
    Refused(
        "dates_only.csv",
        "when,y\n1970-01-02,0.5\n1970-02-01,1.5\n",
        "has no column beside 'y'",
        {"dates": "drop"},
    ),
    Refused("no_such.csv", PLAIN, "drop 'c' is no column: there are 'a', 'b', 'y'", {"drop": "c"}),
    Refused(
        "no_such_feature.csv",
        PLAIN,
        "columns 'B' is no column: did you mean 'b'?",
        {"columns": "a,B"},
    ),
    Refused(
        "no_such_number.csv",
        PLAIN,
        "columns '4' is no column: columns count from 1 to 3",
        {"columns": "4"},
    ),
    Refused("no_fit.csv", PLAIN, "columns 'pixel*' fits no column", {"columns": "pixel*"}),
    Refused("drop_all.csv", PLAIN, "drop names every column", {"drop": "*"}),
    Refused(
        "drop_target.csv",
        PLAIN,
        "column 3 'y' is named by target and by drop",
        {"drop": "y", "target": "y"},
    ),
    Refused("no_feature.csv", PLAIN, "columns 'y' names no feature", {"columns": "y"}),
    Refused(
        "no_feature.npz",
        npz(X=X, y=Y),
        "columns and drop leave no feature",
        {"columns": "x1", "drop": "1"},
    ),
    Refused("libsvm.txt", "0 1:5.1 2:3.5\n1 1:4.9 2:3.0\n", "is libsvm text"),
    Refused("flowers.arff", "@RELATION iris\n", "scipy.io.arff.loadarff reads it"),
    Refused("sheet.xlsx", b"PK\x03\x04" + bytes(100), "save the sheet as CSV"),
    Refused("table.rds", b"RDX3\n" + bytes(100), "in R: write.csv"),
    Refused("adult.test", PLAIN, "it looks like text: name it adult.test.csv"),
    Refused("plain.csv.gz", PLAIN, "is not compressed with gzip as its name says"),
    Refused(
        "cut.csv.gz",
        gzip.compress(PLAIN.encode() * 9)[:-12],
        "its compressed data is damaged or ends too early",
    ),
    Refused(
        "bad_row.csv.gz",
        gzip.compress(b"a,b,y\n1,2,3\n4,5\n6,7,8\n"),
        "row 3: has 2 fields, expected 3",
    ),
    Refused(
        "after_comments.csv",
        "# one\n# two\na,y\n1,0.5\n2,1.5\nthree,2.5\n",
        "row 6, column 1 'a': found 'three'",
    ),
    Refused("odd_separator.csv", "sep=:\na:b\n1:2\n", "row 1 names the separator ':'"),
    Refused("cut.feather", feather(a=[1, 2, 3], y=[1, 2, 3])[:-40], "damaged"),
    Refused("old.feather", b"FEA1" + bytes(100), "a Feather file of version 1"),
    Refused(
        "asked.npz",
        npz(X=X, y=Y),
        "sep = tab does not suit NPZ data: sep is for text tables",
        {"sep": "tab"},
    ),
    Refused("asked_tab.csv", PLAIN, "single column", {"sep": "tab"}),
]
