"""`RUN.proof.json`: what is written reads back the same, and nothing else is believed."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest
from json_schemas import problems

from dlprobe.errors import RunFileError
from dlprobe.experiments.proof_file import (
    KeptTrial,
    ProofFile,
    Step,
    believed,
    proof_path,
    read_proof_file,
)
from dlprobe.experiments.proof_record import Cause
from dlprobe.experiments.trials import Trial
from dlprobe.rules import Finding, Remedy

CAUSE = Cause("G001", "vanishing-gradient", {"model.init": "auto"}, "keeps the size")
FOUND = Finding(
    3.5,
    math.nan,
    "it fell",
    ("hidden_1",),
    (0, 9),
    (Remedy({"model.norm": "batch"}, "resets"),),
    "G001",
    "vanishing-gradient",
    "error",
)
WELL, FAILED = (
    Trial("learned well", 0.9, 0.1, findings=()),
    Trial("diverged", -math.inf, math.inf, True, (FOUND,)),
)
TRIALS = {
    "a": KeptTrial("undone", 0, 0, WELL),
    "b": KeptTrial("sham", 0, 1, FAILED),  # restarts in any order
    "c": KeptTrial("sham", 0, 0, WELL),
    "d": KeptTrial("undone", 1, 0, WELL),  # its sham had not ended
    "f": KeptTrial("earlier", 0, 0, FAILED),
    "e": KeptTrial("change", 0, 0, Trial("did not learn", 0.0, 0.9)),
}
BOTH = Cause("W001", "symmetric-weights", {"model.init": "auto"}, "draws", (("L013", "held-back"),))
FILE = ProofFile(
    "ab" * 32, TRIALS, BOTH, "init = he_normal", (0, 1), earlier=(Step(CAUSE, "norm = batch", 1),)
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "run.proof.json"
    found.write_text(FILE.text(), encoding="utf-8")
    return found


def test_what_is_written_reads_back_the_same(path: Path) -> None:
    found = read_proof_file(path)
    assert found.text() == FILE.text()  # NaN is not itself, so texts are compared
    assert {key: kept.trial.findings for key, kept in found.trials.items() if key not in "bf"} == {
        "a": (),
        "c": (),
        "d": (),
        "e": None,
    }
    assert problems(json.loads(FILE.text())) == []


def test_the_counts_are_made_of_the_trials_and_not_of_what_the_file_claims(path: Path) -> None:
    claims = json.loads(FILE.text())
    claims["proof"] |= {"sentence": "proved: 100 of 100", "verdict": "proved", "undone": 100}
    path.write_text(json.dumps(claims), encoding="utf-8")
    proof = read_proof_file(path).proof()
    assert proof is not None
    assert repr(dict(proof.pairs)) == repr(
        {0: (WELL, (WELL, FAILED))}
    )  # NaN in a finding equals itself in print
    assert (proof.verdict, proof.undone, proof.sham, proof.seeds) == ("unfinished", 1, 1, (0, 1))
    (step,) = proof.earlier  # one restart of the two
    assert (step.cause, step.undone, dict(step.pairs)[0][1]) == (CAUSE, 0, (WELL,))
    assert proof.cause.sentence == "symmetric-weights (W001) and held-back (L013)"


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("a.h5", "a.proof.json"),
        ("a.h5.journal", "a.proof.json"),
        ("a.b.h5", "a.b.proof.json"),
        ("a", "a.proof.json"),
    ],
)
def test_it_lies_beside_the_run(name: str, beside: str) -> None:
    assert proof_path(Path("runs") / name) == Path("runs") / beside


def test_only_a_file_of_the_same_run_and_version_is_believed(path: Path) -> None:
    assert believed(path, FILE.content_sha256)[0] is not None
    for file, hash, word in (
        (FILE, "cd" * 32, "another content"),
        (
            ProofFile(FILE.content_sha256, dlprobe="0.0.1"),
            FILE.content_sha256,
            "made by dlprobe 0.0.1",
        ),
    ):
        path.write_text(file.text(), encoding="utf-8")
        found, reason = believed(path, hash)
        assert (found, word in reason) == (None, True)
    assert believed(path.with_name("none.json"), "") == (None, "")


def nodes(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of all values in a JSON record."""
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [place, *(each for key, one in inner for each in nodes(one, (*place, key)))]


@pytest.mark.parametrize(
    "wrong", [None, True, 10**400, "x", [], {}, [[]], {"a": 1}], ids=lambda value: str(value)[:9]
)
def test_whatever_is_wrong_in_it_is_one_error_and_no_proof(wrong: Any, path: Path) -> None:
    """Every value of the file replaced by every kind of other value: it reads, or it is said to
    be none.
    """
    whole = json.loads(FILE.text())
    for place in nodes(whole)[1:]:
        data = copy.deepcopy(whole)
        inner = data
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = wrong
        path.write_text(json.dumps(data), encoding="utf-8")
        try:
            read = read_proof_file(path).to_json()
        except RunFileError:  # and nothing else
            read = whole
        assert json.loads(json.dumps(read, allow_nan=False)).keys() == whole.keys()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"nonsense",
        b"{" * 10**5,
        b"\xff\xfe",
        b'{"schema": "dlprobe-check/1"}',
        b"[" * 10**5,
    ],
    ids=lambda content: repr(content[:9]),
)
def test_what_is_no_proof_is_said_to_be_none(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    assert believed(path, "")[1].endswith(
        "is no proof that dlprobe wrote, or it is damaged, so it is not used"
    )
