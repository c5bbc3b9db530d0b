"""Where compiled kernels are kept: a new folder after every edit, a way out where nothing can
be written, and other people's caches left alone.
"""

from __future__ import annotations

import contextlib
import inspect
import math
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import dlprobe
from dlprobe import registry
from dlprobe.nn import cache, folders, sources

PACKAGE = Path(dlprobe.__file__).parent
# Prints the folder and what a compiled kernel makes of 2, with a scalar function that it inlines
# from another file.
SCRIPT = """
import numpy as np
from dlprobe import registry
from dlprobe.nn import cache, kernels
forward, _ = kernels.activation_loops(registry.get("activation", "softsign"))
kernel = cache.compiled(kernels.PRECISIONS["float64"].forward)(forward)
none, y = np.zeros(0), np.zeros((1, 1))
kernel(np.full((1, 1), 2.0), y, none, none, none, np.zeros(3, np.uint64), True)
print("folder", cache.cache_folder())
print("value", y[0, 0])
"""


def run(code: str, folder: Path, cache_base: Path | str) -> subprocess.CompletedProcess[str]:
    """Python code with dlprobe imported from `folder`, its kernels below `cache_base`. No
    bytecode: it would hide an edit that keeps the time stamp.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "DLPROBE_CACHE_DIR": str(cache_base),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        cwd=folder,
    )
    assert result.returncode == 0, result.stderr
    return result


def printed(result: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in result.stdout.splitlines())


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with a copy of the package that may be edited."""
    shutil.copytree(
        PACKAGE,
        tmp_path / "copy" / "dlprobe",
        ignore=shutil.ignore_patterns("__pycache__", "embedded"),
    )
    return tmp_path / "copy"


def edit(file: Path, old: str, new: str) -> None:
    """Replace a text by one of the same length and set the time stamp back: numba and Python
    see the same file as before.
    """
    before, text = file.stat(), file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    assert len(old) == len(new)
    file.write_text(text.replace(old, new), encoding="utf-8")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_an_edited_record_gives_its_new_value_never_a_stale_kernel(
    copy: Path, tmp_path: Path
) -> None:
    """softsign(2) = 2/3; with 1 + |z| edited to 2 + |z| it is 1/2, in a folder of its own;
    edited back, the first folder serves again.
    """
    record, definition = (
        copy / "dlprobe" / "parts" / "activations" / "saturating.py",
        "return z / (like(z, {}) + abs(z))",
    )
    first = printed(run(SCRIPT, copy, tmp_path / "cache"))
    edit(record, definition.format("1.0"), definition.format("2.0"))
    second = printed(run(SCRIPT, copy, tmp_path / "cache"))
    edit(record, definition.format("2.0"), definition.format("1.0"))
    third = printed(run(SCRIPT, copy, tmp_path / "cache"))
    assert (float(first["value"]), float(second["value"])) == (pytest.approx(2 / 3), 0.5)
    assert first["folder"] != second["folder"]
    assert third == first


TRAINING = """
from dlprobe.config import from_options
from dlprobe.executors.one_run import train_to_bytes
from dlprobe.runs import Run
from dlprobe.runs.journal_contents import JournalContents
from dlprobe.runs.sources import MemorySource
from dlprobe.training.prepared_sets import PreparedSets
config = from_options(None, {"data": "digits", "layers": "40,33,7", "steps": "4", "data_seed": "0", "augment": "shift"})
print("content", Run(JournalContents(MemorySource(train_to_bytes(config, PreparedSets().of(config))))).computed_content_sha256())
"""  # noqa: E501


def test_the_process_that_compiles_records_what_the_next_one_does(tmp_path: Path) -> None:
    """It failed once for 40 units: a helper that may reorder its sums had been compiled twice,
    and each process called another one. It crashed once with augmentation: of kernels that take
    memory of their own, the next process had nobody to give it.
    """
    assert printed(run(TRAINING, PACKAGE.parent, tmp_path)) == printed(
        run(TRAINING, PACKAGE.parent, tmp_path)
    )


@pytest.fixture
def edited(copy: Path) -> Callable[[str, str, str], bool]:
    """Edits a file of the copy, and tells whether the hash is another than this package's."""

    def changes(name: str, old: str, new: str) -> bool:
        file = copy / "dlprobe" / name
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        assert old in text
        file.write_text(text.replace(old, new, 1) if old else text + new, encoding="utf-8")
        return folders.source_hash(sources.sources(copy / "dlprobe")) != folders.HASH_AT_IMPORT

    return changes


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("nn/observe.py", "square > 1e-25", "square > 1e-24"),  # a constant
        (
            "nn/observe.py",
            "sums_hold(square: Number | Value)",
            "sums_hold(square=0.0)",
        ),  # a default
        ("nn/positions.py", "SUM_G,\n    SUM_ABS_G,", "SUM_ABS_G,\n    SUM_G,"),  # an order
        ("nn/cache.py", 'EXACT = {"contract"}', "EXACT = set()"),  # a compiler's flag
        ("nn/model.py", "    batch: Index", "    batch: Key"),  # a field's type
        ("parts/scalar.py", "", "\nMORE = 1\n"),
        ("parts/activations/rectified.py", "like(z, 0.0)", "like(z, 0.5)"),
        (
            "parts/losses/of_tomorrow.py",
            "",
            "LOSS = 1\n",
        ),  # a file in a folder that the registry walks
        (
            "record/statistics.py",
            '_statistic("activation_mean"',
            '_statistic("activation_average"',
        ),  # an order of columns that kernels know
        ("record/scalars.py", 'Scalar("penalty"', 'Scalar("fine"'),
    ],
)
def test_an_edit_that_a_kernel_may_feel_changes_the_hash(
    name: str, old: str, new: str, edited: Callable[[str, str, str], bool]
) -> None:
    assert edited(name, old, new)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("nn/observe.py", "", "\n# a comment\n"),
        ("nn/observe.py", "def deviations(", "# a comment\n\n\ndef deviations("),  # lines move
        ("nn/memory.py", '"""The weight matrix of a layer."""', '"""Of a layer, the weights."""'),
        (
            "nn/observe.py",
            "def sums_hold(square: Number | Value) -> Flag",
            "def sums_hold(square) -> bool",
        ),
        ("nn/model.py", "# (P,): what is learned", "# what is learned, (P,)"),
        ("nn/network.py", "EVALUATION_ROWS = 256", "EVALUATION_ROWS = 128"),  # Python's side
        ("parts/metrics.py", "", "\nMORE = 1\n"),
        ("parts/initializers/__init__.py", "", "\nMORE = 1\n"),
        ("record/instruments.py", "", "\nMORE = 1\n"),
        ("errors.py", "", "\nMORE = 1\n"),
        ("dataclass.py", "", "\nMORE = 1\n"),
        ("parts/of_tomorrow.py", "", "PART = 1\n"),  # nobody imports it
    ],
)
def test_an_edit_that_no_kernel_can_feel_keeps_the_hash(
    name: str, old: str, new: str, edited: Callable[[str, str, str], bool]
) -> None:
    assert not edited(name, old, new)


def test_the_files_that_reach_a_kernel_stand_in_the_folders_that_are_watched() -> None:
    """The note of what a state of the files is called knows of these alone."""
    modules = sources.sources(PACKAGE).modules
    assert {name.split(".")[1] for name in modules} <= set(sources.FOLDERS)
    assert modules == folders.SOURCES_AT_IMPORT.modules
    for kind in (
        "activation",
        "loss",
        "optimizer",
        "normalization",
        "weight_transform",
        "perturbation",
        "augmentation",
    ):
        functions = [
            value
            for record in registry.records(kind).values()
            for value in vars(record).values()
            if inspect.isfunction(value)
        ]
        assert functions
        assert {function.__module__ for function in functions} <= modules


def test_a_note_spares_the_next_process_the_parsing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that says nothing sensible is written anew."""
    monkeypatch.setenv("DLPROBE_CACHE_DIR", str(tmp_path))
    expected = folders.remembered_sources()
    (note,) = (tmp_path / "kernels").iterdir()
    note.write_text("half a no", encoding="utf-8")
    assert folders.remembered_sources() == expected
    monkeypatch.setattr(folders, "sources", None)
    assert folders.remembered_sources() == expected


def test_comments_and_other_places_leave_kernels_in_use(copy: Path, tmp_path: Path) -> None:
    """A kernel's file touched, lines above it moved, docstrings changed, and all of it in
    another place: nothing is compiled anew.
    """
    first = printed(run(SCRIPT, PACKAGE.parent, tmp_path / "cache"))
    files = kernels_in(tmp_path / "cache")
    for name, old in (
        ("nn/kernels.py", "def elementwise_loops("),
        ("parts/activations/saturating.py", "def "),
        ("nn/views.py", "def view("),
    ):
        file = copy / "dlprobe" / name
        text = file.read_text(encoding="utf-8")
        file.write_text(
            text.replace(old, f"# a comment\n\n\n{old}", 1).replace('"""', '"""More: ', 1),
            encoding="utf-8",
        )
    assert printed(run(SCRIPT, copy, tmp_path / "cache")) == first
    assert kernels_in(tmp_path / "cache") == files


def kernels_in(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*.nb?")}


WEEK = 7 * 24 * 3600


def test_folders_unused_for_a_week_are_removed_and_nothing_else(tmp_path: Path) -> None:
    now = 1e9
    ages = {
        "0" * 16: 8,
        "1" * 16: 6,
        "2" * 16: 8,
        "3" * 16 + ".removed-00ff": 8,
        "4" * 64 + ".sources": 8,
        "5" * 64 + ".sources": 6,
        "notes": 800,
        "6" * 15: 8,
    }
    for name, days in ages.items():
        path = tmp_path / name
        if name.endswith(".sources"):
            path.write_text("", encoding="utf-8")
        else:
            path.mkdir()
            (path / "a.nbc").write_text("", encoding="utf-8")
        os.utime(path, (now - days * WEEK / 7,) * 2)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ("7" * 16)).symlink_to(tmp_path / "elsewhere")
    folders.remove_unused(tmp_path, tmp_path / ("2" * 16), now)
    kept = {"1" * 16, "2" * 16, "5" * 64 + ".sources", "notes", "6" * 15, "elsewhere", "7" * 16}
    assert {path.name for path in tmp_path.iterdir()} == kept


def test_a_new_folder_clears_away_old_ones_and_a_start_keeps_ones_own(tmp_path: Path) -> None:
    """The first process makes the folder and removes what is old; the second finds its own
    folder old, and uses it from then on.
    """
    old = tmp_path / "kernels" / ("0" * 16)
    old.mkdir(parents=True)
    os.utime(old, (1e9, 1e9))
    own = Path(printed(run(SCRIPT, PACKAGE.parent, tmp_path))["folder"])
    assert not old.exists()
    os.utime(own, (1e9, 1e9))
    run(SCRIPT, PACKAGE.parent, tmp_path)
    assert time.time() - own.stat().st_mtime < WEEK


REMOVED = """
import shutil
from dlprobe.nn import folders
shutil.rmtree(folders.cache_folder())
"""


def test_a_folder_removed_while_a_process_runs_is_made_again(tmp_path: Path) -> None:
    """As if that process had needed no kernel for a week."""
    result = printed(
        run(SCRIPT + REMOVED + SCRIPT.replace("softsign", "tanh"), PACKAGE.parent, tmp_path)
    )
    assert float(result["value"]) == pytest.approx(math.tanh(2))
    assert kernels_in(Path(result["folder"]))


def test_kernels_are_found_again_by_the_next_process(tmp_path: Path) -> None:
    """The second process reads them: it adds no file."""
    run(SCRIPT, PACKAGE.parent, tmp_path)
    files = sorted(path.name for path in tmp_path.rglob("*.nb?"))
    assert files
    run(SCRIPT, PACKAGE.parent, tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*.nb?")) == files


def test_where_nothing_can_be_written_it_warns_and_works(tmp_path: Path) -> None:
    """A cache folder below a file cannot be made, whoever asks."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    result = run(SCRIPT, PACKAGE.parent, tmp_path / "file" / "cache")
    assert float(printed(result)["value"]) == pytest.approx(2 / 3)
    assert re.search(
        (
            r"DlprobeWarning: the cache folder .*file/cache/kernels/\w+ cannot be written; "
            r".*DLPROBE_CACHE_DIR"
        ),
        result.stderr,
    )
    assert "Traceback" not in result.stderr


def test_the_fallback_folder_is_gone_when_the_process_ends(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert not Path(printed(run(SCRIPT, PACKAGE.parent, tmp_path / "file"))["folder"]).exists()


OTHERS = """
import numba
from numba.core import config
before = config.CACHE_DIR
import dlprobe.nn.network
print("untouched", before == config.CACHE_DIR)
print("value", dlprobe.nn.network.Network.__name__)
"""


@pytest.mark.parametrize("own", ["", "own_cache"])
def test_numbas_own_cache_setting_is_left_alone(
    own: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / own) if own else "")
    assert printed(run(OTHERS, PACKAGE.parent, tmp_path / "ours"))["untouched"] == "True"


def test_the_setting_comes_back_after_an_error() -> None:
    from numba.core import caching

    before = caching.CacheImpl._locator_classes
    with contextlib.suppress(ZeroDivisionError), cache.our_folder():
        assert caching.CacheImpl._locator_classes == [cache.Locator]
        raise ZeroDivisionError
    assert before is caching.CacheImpl._locator_classes


def test_a_fresh_cache_is_cold_and_a_used_one_warm(tmp_path: Path) -> None:
    code = "from dlprobe.nn import cache\nprint('warm', cache.is_warm())\n"
    assert printed(run(code, PACKAGE.parent, tmp_path))["warm"] == "False"
    assert printed(run(SCRIPT + code.splitlines()[-1], PACKAGE.parent, tmp_path))["warm"] == "True"


LATE_EDIT = """
import pathlib
import dlprobe
from dlprobe.nn import cache, folders, sources
file = pathlib.Path(dlprobe.__file__).parent / "parts" / "losses" / "margins.py"
file.write_text(file.read_text() + "EDIT = 1;")
print("old", cache.cache_folder().name)
print("new", folders.source_hash(sources.sources(pathlib.Path(dlprobe.__file__).parent)))
"""


def test_an_edit_while_a_process_runs_does_not_file_its_old_code_under_the_new_hash(
    copy: Path, tmp_path: Path
) -> None:
    names = printed(run(LATE_EDIT, copy, tmp_path / "cache"))
    assert names["old"] != names["new"] == printed(run(LATE_EDIT, copy, tmp_path / "cache"))["old"]


def test_threads_that_compile_do_not_move_each_others_cache_folder(tmp_path: Path) -> None:
    """Two threads that swapped numba's one setting left kernels in the working directory."""
    script = (
        "import threading, numba\n"
        "from dlprobe.nn import cache\n"
        "from numba.core.caching import CacheImpl\n"
        "before = CacheImpl._locator_classes\n"
        "def plus(n): return lambda x: x + n\n"
        "def work(n): cache.compiled(numba.float64(numba.float64))(plus(n))\n"
        "threads = [threading.Thread(target=work, args=(float(n),)) for n in range(8)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "assert CacheImpl._locator_classes is before\n"
    )
    work = tmp_path / "work"
    work.mkdir()
    environment = {
        **os.environ,
        "DLPROBE_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not list(work.iterdir())
