"""The machinery of the census, on a few configurations and on entries made by hand; the census
itself is a program.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import beta

from dlprobe.errors import ConfigError
from dlprobe.training.prepared_sets import PreparedSets

from . import measuring, prior
from .__main__ import main
from .advice_grids import Advised, Called
from .advice_grids import drawn as drawn_grid
from .advice_grids import summary as advice_summary
from .answers import Answer
from .failures import told
from .families import DATA_SETS, config_of, family_of, reachable
from .measuring import Census, Entry
from .scoring import lower_bound, markdown, rate, summary, upper_bound
from .store import Store

HEADER = {"seed": 7, "commit": "abc", "cures": True, "causes": False}


def entry(
    index: int,
    label: str,
    *codes: str,
    cause: str = "",
    seeds: int = 0,
    cured: int | None = None,
    before: bool | None = None,
    **rest: Any,
) -> Entry:
    action = {"training.lr": "0.01"} if cured else None
    answer = asdict(
        Answer(
            "did not learn",
            tuple((code, "error") for code in codes),
            cause,
            "why",
            (action,) if action else (),
            action,
        )
    )
    proved = {"undone": seeds, "seeds": seeds} if cause else None
    seen = None if before is None else {"fails": before}
    return Entry(
        index,
        "wine",
        {"data": "wine"},
        label,
        0.1,
        1.0,
        0.9,
        answer,
        proved,
        cured,
        before=seen,
        **rest,
    )


# The bounds.


@pytest.mark.parametrize(
    ("hits", "of"), [(0, 600), (6, 600), (12, 600), (270, 300), (299, 300), (300, 300), (1, 1)]
)
def test_bounds_are_those_of_clopper_and_pearson(hits: int, of: int) -> None:
    assert lower_bound(hits, of) == pytest.approx(
        beta.ppf(0.05, hits, of - hits + 1) if hits else 0.0
    )
    assert upper_bound(hits, of) == pytest.approx(
        beta.ppf(0.95, hits + 1, of - hits) if hits < of else 1.0
    )


def test_six_of_six_hundred_is_the_most_that_two_percent_allow() -> None:
    assert upper_bound(6, 600) < 0.02 < upper_bound(7, 600)
    assert upper_bound(0, 600) == pytest.approx(1 - 0.05 ** (1 / 600))


# The prior.


def test_a_configuration_depends_on_seed_and_index_alone() -> None:
    assert prior.drawn(3, 5) == prior.drawn(3, 5)
    assert len({json.dumps(prior.drawn(3, index)) for index in range(50)}) == 50
    assert prior.drawn(4, 5) != prior.drawn(3, 5)


def test_every_draw_is_a_configuration_of_a_known_family(tmp_path: Path) -> None:
    for index in range(200):
        family, options = prior.drawn(11, index)
        assert family in reachable()
        config = config_of(options, tmp_path)
        widths = config.model.layers
        assert len(widths) * max(widths) ** 2 <= prior.MOST_WEIGHTS
        assert (config.data.data_seed, config.training.steps) == (0, None)


def test_shares_are_as_published() -> None:
    """The table promises, e.g., 64 % usual rates and 36 % ReLU: 1,500 draws hold them to 4
    deviations.
    """
    drawn = [prior.drawn(1, index)[1] for index in range(1500)]
    for key, text, share in (
        ("activation", "relu", 0.36),
        ("scaling", "none", 0.07),
        ("norm", "batch", 0.13),
        ("optimizer", "rmsprop", 0.08),
    ):
        found = sum(each.get(key) == text for each in drawn) / len(drawn)
        assert abs(found - share) < 4 * (share * (1 - share) / len(drawn)) ** 0.5
    usual = sum("lr" not in each for each in drawn) / len(drawn)
    assert abs(usual - 0.64) < 0.05


def test_the_table_names_every_data_set_and_family() -> None:
    assert set(reachable()) == {
        family_of(name, noise) for name in DATA_SETS for noise in prior.NOISES
    }
    assert f"{len(DATA_SETS)} sets" in (prior.__doc__ or "")


# Counting.


def test_shares_by_hand() -> None:
    entries = [
        *[entry(index, "learned", before=False) for index in range(8)],
        entry(8, "learned", "B002", before=True),
        entry(9, "ill", "L001", "G001", cause="G001", seeds=2, cured=3, before=True),
        entry(10, "ill", "L004", cause="L004", seeds=1, cured=2, before=False),
        entry(11, "ill", cured=0, before=False),  # silent: no cause, no action
        entry(12, "unclear", "L004"),
        entry(13, "impossible"),
    ]
    found = summary(entries)
    assert found["labels"] == {"learned": 9, "ill": 3, "unclear": 1, "impossible": 1}
    counts = {
        name: (found[name]["hits"], found[name]["of"])
        for name in ("recall", "accused", "cause_proved", "action_cures")
    }
    assert counts == {
        "recall": (2, 3),
        "accused": (1, 9),
        "cause_proved": (1, 3),
        "action_cures": (2, 3),
    }
    assert {name: (one["hits"], one["of"]) for name, one in found["before_training"].items()} == {
        "foreseen": (1, 3),
        "warned_of": (1, 9),
    }
    assert found["rules"]["G001"] == {
        "severity": "error",
        "ill": 1,
        "healthy": 0,
        "blamed": 1,
        "proved": 1,
        "cured": 1,
    }
    assert found["rules"]["B002"]["healthy"] == 1
    assert found["reached"] == {
        "recall": False,
        "accused": False,
        "cause_proved": False,
        "action_cures": False,
    }


def test_an_info_is_no_accusation() -> None:
    told_of = Entry(
        0, "wine", {}, "learned", answer={"codes": [["B001", "info"]], "cause": "", "action": None}
    )
    assert summary([told_of])["accused"]["hits"] == 0


def test_a_bound_decides_and_not_the_share() -> None:
    aims = summary(
        [
            *[entry(index, "learned") for index in range(600)],
            *[entry(index, "ill", "L001") for index in range(300)],
        ]
    )["reached"]
    assert (aims["accused"], aims["recall"]) == (True, True)
    few = summary([entry(index, "ill", "L001") for index in range(20)])
    assert (few["recall"]["share"], few["reached"]["recall"]) == (
        1.0,
        False,
    )  # 20 of 20 are at least .861


def test_tables_and_failures_tell_each_kind() -> None:
    entries = [
        entry(0, "learned", "A001"),
        entry(1, "ill"),
        entry(2, "ill", "G001", cause="G001", cured=1, undone=["model.init"]),
    ]
    text = markdown(summary(entries), {**HEADER, "date": "2026-01-01"})
    assert "| G001 | error | 1 | 0 | 1 | 0 | 0 |" in text
    report = told(entries, text)
    for title in (
        "Healthy, accused: 1 of 1",
        "Ill, not named: 1 of 2",
        "Ill, first action does not cure: 1 of 2",
        "set back alone, cures: model.init",
    ):
        assert title in report
    assert "dlprobe train --data wine" in report


# Measuring and keeping.


@pytest.fixture
def census(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Census:
    """A census of two configurations whose end is known: wine learned by a plain net, and with
    weights of 0 by none.
    """
    drawn = [
        ("wine", {"data": "wine", "data_seed": "0", "epochs": "30", "layers": "16", "lr": "0.01"})
    ]
    drawn.append(("wine", {**drawn[0][1], "init": "zeros"}))
    monkeypatch.setattr(measuring, "drawn", lambda seed, index: drawn[index])
    return Census(0, tmp_path, causes=True, sets=PreparedSets())


def test_a_plain_net_is_healthy_and_nothing_accuses_it(census: Census) -> None:
    found = census.entry(0)
    assert (found.label, found.accuses, found.proved, found.cured) == ("learned", False, None, None)
    assert found.before is not None
    assert not found.before["fails"]


def test_zero_weights_are_ill_foreseen_named_proved_and_cured(census: Census) -> None:
    found = census.entry(1)
    assert found.label == "ill"
    assert "W001" in found.named
    assert found.before is not None
    assert found.before["fails"]
    assert found.undone is not None
    assert "model.init" in found.undone
    assert found.action_cures
    assert found.cause_proved


def test_an_impossible_configuration_is_refused_not_scored(
    census: Census, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise ConfigError("no")

    monkeypatch.setattr(measuring, "run_of", refused)
    assert census.entry(0).label == "impossible"


def test_a_killed_census_goes_on_and_one_of_another_seed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "census.jsonl"
    store = Store(path, HEADER, resume=False)
    for index in range(3):
        store.add(entry(index, "learned"))
    path.write_text(path.read_text()[:-9])  # a kill in the middle of a line
    again = Store(path, HEADER, resume=True)
    assert [each.index for each in again.entries] == [0, 1]
    again.add(entry(2, "learned"))
    assert len(Store(path, HEADER, resume=True).entries) == 3
    with pytest.raises(ValueError, match="holds another census"):
        Store(path, {**HEADER, "seed": 8}, resume=True)
    with pytest.raises(ValueError, match="add --resume"):
        Store(path, HEADER, resume=False)


def test_the_program_measures_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--seed", "1", "--no-cures", "--folder", str(tmp_path)]
    assert main([*arguments, "--count", "2"]) == 0
    assert main([*arguments, "--count", "3"]) == 2
    assert (
        main([*arguments, "--count", "3", "--resume", "--failures", str(tmp_path / "wrong.md")])
        == 0
    )
    lines = (tmp_path / "census-1.jsonl").read_text().splitlines()
    assert [json.loads(line)["index"] for line in lines[1:]] == [0, 1, 2]
    assert "Census of seed 1" in capsys.readouterr().out
    assert "# What the census found wrong" in (tmp_path / "wrong.md").read_text()


# Advice of grids.


def test_grids_are_drawn_with_several_nets_at_each_depth() -> None:
    for index in range(20):
        name, cells = drawn_grid(1, index)
        assert name in DATA_SETS
        assert min(Counter(cell.depth for cell in cells).values()) >= 6


def test_advice_counts_by_hand() -> None:
    advised = [Advised(0, "wine", 5, "relu", 5), Advised(0, "wine", 20, "tanh", 3)]
    broken = [
        Called(0, "a", 9, "vanishing", -3.0),
        Called(0, "b", 9, "vanishing", 0.2),
        Called(1, "c", 9, "exploding", 2.0),
    ]
    found = advice_summary(advised, broken)
    assert (found["advice_learns"]["hits"], found["advice_learns"]["of"]) == (8, 10)
    assert (found["theory_agrees"]["hits"], found["theory_agrees"]["of"], found["grids"]) == (
        2,
        3,
        2,
    )
    assert [each["use"] for each in found["failing_advice"]] == ["tanh"]


def test_no_rate_of_nothing() -> None:
    assert rate([], bool)["share"] is None
