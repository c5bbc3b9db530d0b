"""Single values as people type them: reading whole numbers, numbers and yes/no from texts or
values, and showing a value in an error.
"""

from __future__ import annotations

import math
import re
import reprlib
from numbers import Integral, Real

YES_NO = {"yes": True, "true": True, "no": False, "false": False}
LONGEST_SHOWN = 70

_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = LONGEST_SHOWN
_short.maxlist = _short.maxtuple = _short.maxdict = 8


def read_whole(value: object) -> int | None:
    """`value` as an int, or None where it is not a whole number of 64 bits (3.0 and true are
    not).
    """
    if isinstance(value, bool) or not isinstance(value, str | Integral):
        return None
    try:
        whole = int(value)
    except ValueError:  # not a number, or thousands of digits
        return None
    return whole if -(2**63) <= whole < 2**63 else None


def read_number(value: object) -> float | None:
    """`value` as a finite float, or None where it is not one."""
    if isinstance(value, bool) or not isinstance(value, str | Real):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):  # not a number, or a whole number beyond the largest float
        return None
    return number if math.isfinite(number) else None


def read_yes_no(value: object) -> bool | None:
    """`value` as a bool (yes, no, true, false), or None where it is neither."""
    if isinstance(value, bool):
        return value
    return YES_NO.get(value.strip().lower()) if isinstance(value, str) else None


def show(value: object) -> str:
    """`value` as an error names it: one line, cut where it is long, whatever it is."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        shown = re.sub(r"\s*\n\s*", " ", _short.repr(value))
    except Exception:  # an int of thousands of digits, or a foreign object whose repr fails, must not hide the error being reported  # noqa: E501
        shown = f"a {type(value).__name__}"
    return shown if len(shown) <= LONGEST_SHOWN else shown[: LONGEST_SHOWN - 1] + "…"


def show_text(text: str) -> str:
    """An option's text as typed after the option: bare where a shell would take it bare, else
    quoted.
    """
    return text if re.fullmatch(r"[\w./+,:-]{1,70}", text) else show(text)
