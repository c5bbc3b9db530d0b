"""Text from outside (layer names, file texts, error messages) made safe to print: nothing in it
may move the cursor, colour, or hide.
"""

from __future__ import annotations

import re
import unicodedata

# Cc: control characters with ESC and line breaks; Cf: invisible ones, among them those that turn
#     the writing direction; Cs: halves of characters, which no stream can encode; Zl, Zp: line and
#     paragraph separators.
_UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def visible(text: str) -> str:
    r"""`text` with every character that would act instead of being seen written as its escape.

    >>> print(visible("hidden\x1b[2J_1\n"))
    hidden\x1b[2J_1\n
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(one) if unicodedata.category(one) in _UNSAFE else one for one in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


# What our own texts use, one character for one so that columns stay where they are.
_PLAIN = str.maketrans("×·–—−…≤≥→“”‘’⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "x.---~<>>\"\"''-0123456789")
_POWER = re.compile("(?<![0-9.])10(?=[⁻⁰¹²³⁴⁵⁶⁷⁸⁹])")


def encodable(text: str, encoding: str) -> str:
    """`text` with what `encoding` cannot carry written as a plain relative or an escape, so
    that writing it never fails.
    """
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return (
            _POWER.sub("1e", text)
            .translate(_PLAIN)
            .encode(encoding, "backslashreplace")
            .decode(encoding)
        )
    return text
