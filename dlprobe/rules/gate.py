"""What a gate is told, the same on the command line, in project files and in pytest: codes,
thresholds, and from which severity on it fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dlprobe.errors import FAIL_ON, FAIL_ON_DEFAULT, ConfigError, Severity
from dlprobe.registry import unknown
from dlprobe.rules.outcome import Finding

EXAMPLE = "G001.share=0.8"


def failing(findings: Iterable[Finding], fails_on: Sequence[str]) -> list[Finding]:
    """The findings at which a gate fails: those of the given severities."""
    return [finding for finding in findings if finding.severity in fails_on]


def severities(fail_on: str | None = None) -> tuple[Severity, ...]:
    """The severities that a word of FAIL_ON means; None: the default. Raises ConfigError for
    others.
    """
    word = FAIL_ON_DEFAULT if fail_on is None else str(fail_on)
    if word not in FAIL_ON:
        raise ConfigError(f"fail-on: {unknown('severity', word[:60], FAIL_ON)}")
    return FAIL_ON[word]


def codes(typed: str | Sequence[str] | None) -> list[str]:
    """Codes or prefixes, each text one or several with commas between.

    >>> codes(["G,L", "N001"]), codes("G, L"), codes(None)
    (['G', 'L', 'N001'], ['G', 'L'], [])
    """
    texts = [typed] if isinstance(typed, str) else typed or ()
    return [code.strip() for text in texts for code in text.split(",")]


def settings_of(table: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Thresholds by code and name, from `G001.share` keys or a table per code (in TOML both ways of
    writing). Raises ConfigError.

    >>> settings_of({"G001.share": 0.8, "L001": {"skill": 0.1}})
    {'G001': {'share': 0.8}, 'L001': {'skill': 0.1}}
    """
    tables: dict[str, dict[str, Any]] = {}
    for key, value in table.items():
        code, _, name = key.partition(".")
        if name:
            tables.setdefault(code, {})[name.replace("-", "_")] = value
        elif isinstance(value, Mapping):
            tables.setdefault(code, {}).update(
                {inner.replace("-", "_"): entry for inner, entry in value.items()}
            )
        else:
            raise ConfigError(
                f"set: {key} = {str(value)[:60]}: expected CODE.threshold = value, for "
                f"example {EXAMPLE.replace('=', ' = ')}"
            )
    return tables


def settings_from(texts: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Thresholds by code and name from `CODE.threshold=value` texts. Raises ConfigError."""
    pairs = {}
    for text in texts:
        place, equals, value = text.partition("=")
        if not (equals and value.strip() and place.partition(".")[2].strip()):
            raise ConfigError(
                f"--set {text[:70]!r}: expected CODE.threshold=value, for example {EXAMPLE}; "
                "dlprobe explain CODE lists thresholds"
            )
        pairs[place.strip()] = value.strip()
    return settings_of(pairs)
