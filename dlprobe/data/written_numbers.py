"""Numbers as people write them: decimal commas, separators of thousands, currency and percent
signs. Recognised always, read where `decimal` asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars

BLANKS = " \u00a0\u2009\u202f"
CURRENCY = r"(?:[$€£¥₹₽₩₺฿]|(?:USD|EUR|GBP|CHF|JPY|CNY|INR)\b|\b(?:USD|EUR|GBP|CHF|JPY|CNY|INR))"
PERCENT = "[%‰]"


def form(decimal: str, thousands: str) -> str:
    """The pattern of a number with these signs, in a syntax that Python and polars share."""
    whole = rf"(?:[1-9]\d{{0,2}}(?:[{thousands}]\d{{3}})+|\d+)"
    bare = rf"(?:{whole}(?:[{decimal}]\d*)?|[{decimal}]\d+)(?:[eE][-+]?\d+)?\s*(?:{CURRENCY}|%)?"
    return rf"(?:[-+−]?\s*{CURRENCY}?\s*[-+−]?{bare}|\(\s*{CURRENCY}?\s*{bare}\)|{CURRENCY}?\s*\({bare}\))"  # noqa: E501


POINT = form(".", f",'’{BLANKS}")
COMMA = form(",", f".'’{BLANKS}")
FORMS = {"point": POINT, "comma": COMMA}


def as_plain(series: polars.Series, decimal: str) -> polars.Series:
    """Texts with the decimal sign point or comma as plain ones; what has another form stays as
    it is. 12 % becomes 12, (12) becomes -12.
    """
    import polars

    text = series.str.strip_chars()
    fits = text.str.contains(f"^(?:{FORMS[decimal]})$")
    bare = text.str.replace_all(
        rf"{CURRENCY}|%|['’)\s{BLANKS}{',' if decimal == 'point' else '.'}]", ""
    ).str.replace_all("[−(]", "-")
    bare = bare.str.replace_all(",", ".") if decimal == "comma" else bare
    return polars.select(polars.when(fits).then(bare).otherwise(text)).to_series()


def hint(texts: Sequence[str]) -> str:
    """What texts are that all are numbers with such signs, or plain ones among such, and the
    option that reads them; else empty.
    """
    texts = [text.strip() for text in texts]
    odd = [text for text in texts if not is_plain(text)]
    if not odd:
        return ""
    fitting = [
        decimal
        for decimal, pattern in FORMS.items()
        if all(re.fullmatch(pattern, text) for text in texts)
    ]
    if not fitting:
        return ""
    signs = [
        word
        for word, pattern in (("currency signs", CURRENCY), ("percent signs", PERCENT))
        if any(re.search(pattern, text) for text in odd)
    ]
    signs += [
        word
        for word, sign in (("parentheses for negative numbers", "("), ("minus signs of print", "−"))
        if any(sign in text for text in odd)
    ]
    grouped = any(is_grouped(text, decimal) for text in odd for decimal in fitting)
    commas = any("," in text for text in odd)
    if len(fitting) == 2 and commas:
        what = ["separators of thousands, or decimal commas"]
        options = "--decimal point reads the first, --decimal comma the second"
    else:
        what = ["decimal commas"] if fitting == ["comma"] and commas else []
        what += (
            ["separators of thousands"]
            if grouped and not (what and not any(is_grouped(text, fitting[0]) for text in odd))
            else []
        )
        options = f"--decimal {'point' if 'point' in fitting else 'comma'} reads them"
    return f" ({' and '.join([*what, *signs])}: {options})" if what or signs else ""


def is_grouped(text: str, decimal: str) -> bool:
    """Whether a number has separators of thousands."""
    return bool(
        re.search(rf"\d[{',' if decimal == 'point' else '.'}'’{BLANKS}]\d{{3}}(?!\d)", text)
    )


def is_plain(text: str) -> bool:
    return bool(re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text))


def all_in_thousands(series: polars.Series) -> bool:
    """Whether every number is written as 852.892: a dot before exactly three last digits, which
    may well separate thousands.
    """
    filled = series.drop_nulls().str.strip_chars()
    return len(filled) > 1 and bool(filled.str.contains(r"^[-+]?[1-9]\d{0,2}(\.\d{3})+$").all())
