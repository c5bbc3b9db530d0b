"""--format json: every command prints one JSON record with its schema, NaN and infinity as
null, nothing else on stdout.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import ROOT, TINY, dlprobe

CALLS = {
    "dlprobe-train/1": ["train", *TINY, "-o", "new.h5", "--force"],
    "dlprobe-inspect/1": ["inspect", "run.h5"],
    "dlprobe-inspect/1 layers": ["inspect", "run.h5", "--show", "layers"],
    "dlprobe-inspect/1 config": ["inspect", "run.h5", "--show", "config"],
    "dlprobe-inspect/1 environment": ["inspect", "run.h5", "--show", "environment"],
    "dlprobe-inspect/1 statistic": ["inspect", "run.h5", "--statistic", "slope_mean_square"],
    "dlprobe-inspect/1 profile": [
        "inspect",
        "run.h5",
        "--statistic",
        "gradient_rms",
        "--over",
        "layer",
    ],
    "dlprobe-check/1": ["check", "run.h5", "--exit-zero"],
    "dlprobe-check-counts/1": ["check", "run.h5", "--exit-zero", "--counts"],
    "dlprobe-diff/1": ["diff", "run.h5", str(ROOT / "sample_runs" / "healthy.h5")],
    "dlprobe-summary/1": ["train", "run.h5", "--dry-run"],
    "dlprobe-import/1": ["import", "log.csv", "-o", "imported.h5", "--force"],
    "dlprobe-topics/1": ["explain"],
    "dlprobe-list/1": ["explain", "initializer"],
    "dlprobe-explain/1": ["explain", "softplus"],
    "dlprobe-explain/1 statistic": ["explain", "update_ratio"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("formats")
    assert dlprobe("train", *TINY, "-o", str(path / "run.h5")).code == 0
    (path / "log.csv").write_text("step,loss\n1,2.5\n2,2.25\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("name", CALLS)
def test_json_parses_and_names_its_schema(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    outcome = dlprobe(*CALLS[name], "--format", "json")
    assert outcome.code == 0, outcome.err
    assert outcome.data["schema"] == name.split()[0]


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("width", [40, 80, 200])
def test_table_keeps_to_the_width(
    name: str, width: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", str(width))
    lines = dlprobe(*CALLS[name]).out.splitlines()
    copied = ("next: ", "command line")  # what is to be copied is never broken
    assert [line for line in lines if len(line) > width and not line.startswith(copied)] == []


def test_statistic_that_is_undefined_is_null(folder: Path) -> None:
    data = dlprobe(
        "inspect", str(folder / "run.h5"), "--statistic", "slope_mean_square", "--format", "json"
    ).data
    assert data["layers"] == ["hidden_1", "hidden_2", "output"]
    assert {row[2] for row in data["values"]} == {None}  # softmax has no slope of its own
    assert all(0 < row[0] <= 1 for row in data["values"])


def test_every_record_can_be_explained_in_both_formats() -> None:
    from dlprobe import registry

    for kind in registry.kinds():
        for name, record in registry.records(kind).items():
            assert (
                dlprobe("explain", f"{kind}:{name}", "--format", "json").data["summary"]
                == record.summary
            )
            assert dlprobe("explain", f"{kind}:{name}").code == 0


def test_every_kind_can_be_listed_and_holds_every_record() -> None:
    from dlprobe import registry

    assert list(dlprobe("explain", "--format", "json").data["kinds"]) == [
        kind for kind in registry.kinds() if kind != "page"
    ]
    for kind in registry.kinds():
        names = [
            record["name"]
            for record in dlprobe("explain", kind, "--format", "json").data["records"]
        ]
        assert names == list(registry.records(kind))
