"""Every rule's lesson is read: headings, length, thresholds with their origin, names that exist."""

from __future__ import annotations

import importlib
import pkgutil
import re

import pytest

from dlprobe import registry
from dlprobe.config import parse_spec
from dlprobe.record import layout
from dlprobe.rules import Passed, Rule, all_rules, catalogue
from dlprobe.rules.outcome import SEVERITIES
from dlprobe.rules.rule import HEADINGS, register

each_rule = pytest.mark.parametrize("rule", all_rules().values(), ids=lambda rule: rule.code)


def test_one_file_holds_one_rule_and_is_named_for_it() -> None:
    files = sorted(module.name for module in pkgutil.iter_modules(catalogue.__path__))
    assert files == [f"{rule.code.lower()}_{rule.name}" for rule in all_rules().values()]


def test_codes_are_unique() -> None:
    assert len(all_rules()) == len(registry.records("rule"))


@each_rule
def test_code_and_severity_are_legal(rule: Rule) -> None:
    assert re.fullmatch(r"[A-Z][0-9]{3}", rule.code)
    assert rule.severity in SEVERITIES


@pytest.mark.parametrize("code", ["g001", "G01", "G0001", "GG01", ""])
def test_a_code_of_another_form_is_not_registered(code: str) -> None:
    with pytest.raises(ValueError, match="a capital and three digits"):
        register(code, "made_up", "error", "", lambda evidence, settings: Passed())
    assert "made_up" not in registry.records("rule")


@each_rule
def test_the_lesson_has_every_heading_once_in_order_and_says_something_under_each(
    rule: Rule,
) -> None:
    assert re.findall(rf"^({'|'.join(HEADINGS)}):", rule.lesson, flags=re.MULTILINE) == list(
        HEADINGS
    )
    assert all(len(text.split()) >= 8 for text in rule.sections.values()), rule.sections
    assert len(rule.summary) < 120


@each_rule
def test_the_lesson_is_the_docstring_of_its_file(rule: Rule) -> None:
    module = importlib.import_module(f"{catalogue.__name__}.{rule.code.lower()}_{rule.name}")
    assert rule.lesson == module.__doc__


@each_rule
def test_references_name_a_year_or_say_that_it_is_ours(rule: Rule) -> None:
    assert re.search(r"(19|20)\d\d", rule.sections["References"])


@each_rule
def test_thresholds_say_what_they_are_and_where_their_default_comes_from(rule: Rule) -> None:
    for threshold in rule.parameters:
        assert len(threshold.help.split()) >= 3
        assert len(threshold.origin.split()) >= 2
        assert threshold.admits(threshold.default)


@each_rule
def test_needs_are_names_of_the_run_file(rule: Rule) -> None:
    known = {name for line in layout.data_sets().values() for name in (line.name, line.path)} | {
        "status",
        "config",
    }
    assert rule.needs
    assert set(rule.needs) <= known


@each_rule
def test_thresholds_can_be_set_by_name(rule: Rule) -> None:
    spec = parse_spec(
        "rule",
        {"name": rule.name, **{threshold.name: threshold.default for threshold in rule.parameters}},
    )
    assert spec.parameters == {threshold.name: threshold.default for threshold in rule.parameters}
