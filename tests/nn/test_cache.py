"""Where compiled kernels are kept: a new folder after every edit, a way out where nothing can be written, and other people's caches left alone."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dlprobe
from dlprobe.nn import cache

PACKAGE = Path(dlprobe.__file__).parent
# Prints the folder and what compiled kernels make of 2: one forward kernel, and a scalar function that the kernel inlines from another file.
SCRIPT = """
import numpy as np
from dlprobe.nn import cache, kernels
from dlprobe.registry import Spec
operation = kernels.activation(Spec("activation", "softsign", {}), "float64")
none, y = np.zeros(0), np.zeros((1, 1))
operation.forward(np.full((1, 1), 2.0), y, none, none, np.array(operation.constants), np.zeros(3, np.uint64), True)
print("folder", cache.cache_folder())
print("value", y[0, 0])
"""


def run(code: str, folder: Path, cache_base: Path | str) -> subprocess.CompletedProcess[str]:
    """Python code with dlprobe imported from `folder`, its kernels below `cache_base`. No bytecode: it would hide an edit that keeps the time stamp."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "DLPROBE_CACHE_DIR": str(cache_base), "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=False, cwd=folder)
    assert result.returncode == 0, result.stderr
    return result


def printed(result: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in result.stdout.splitlines())


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with a copy of the package that may be edited."""
    shutil.copytree(PACKAGE, tmp_path / "copy" / "dlprobe", ignore=shutil.ignore_patterns("__pycache__", "embedded"))
    return tmp_path / "copy"


def edit(file: Path, old: str, new: str) -> None:
    """Replace a text by one of the same length and set the time stamp back: numba and Python see the same file as before."""
    before, text = file.stat(), file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    assert len(old) == len(new)
    file.write_text(text.replace(old, new), encoding="utf-8")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_an_edited_record_gives_its_new_value_never_a_stale_kernel(copy: Path, tmp_path: Path) -> None:
    """softsign(2) = 2/3; with 1 + |z| edited to 2 + |z| it is 1/2, in a folder of its own; edited back, the first folder serves again."""
    record, definition = copy / "dlprobe" / "parts" / "activations" / "saturating.py", "return z / (like(z, {}) + abs(z))"
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
config = from_options(None, {"data": "digits", "layers": "40,33,7", "steps": "4", "data_seed": "0"})
print("content", Run(JournalContents(MemorySource(train_to_bytes(config, PreparedSets().of(config))))).computed_content_sha256())
"""


def test_the_process_that_compiles_records_what_the_next_one_does(tmp_path: Path) -> None:
    """It failed once for 40 units: a helper that may reorder its sums had been compiled twice, and each process called another one."""
    assert printed(run(TRAINING, PACKAGE.parent, tmp_path)) == printed(run(TRAINING, PACKAGE.parent, tmp_path))


@pytest.mark.parametrize("changed", ["nn/observe.py", "nn/cache.py", "parts/scalar.py", "parts/losses/margins.py", "record/statistics.py", "record/scalars.py"])
def test_any_edit_that_can_reach_a_kernel_changes_the_hash(changed: str, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dlprobe, "__file__", str(copy / "dlprobe" / "__init__.py"))
    before = cache.source_hash()
    assert before == cache.source_hash()
    with (copy / "dlprobe" / changed).open("a", encoding="utf-8") as file:
        file.write("# a comment\n")
    assert cache.source_hash() != before


def test_a_new_file_changes_the_hash_and_other_folders_do_not(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dlprobe, "__file__", str(copy / "dlprobe" / "__init__.py"))
    before = cache.source_hash()
    (copy / "dlprobe" / "errors.py").write_text("", encoding="utf-8")
    assert cache.source_hash() == before
    (copy / "dlprobe" / "parts" / "metrics_of_tomorrow.py").write_text("", encoding="utf-8")
    assert cache.source_hash() != before


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
    assert re.search(r"DlprobeWarning: the cache folder .*file/cache/kernels/\w+ cannot be written; .*DLPROBE_CACHE_DIR", result.stderr)
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
def test_numbas_own_cache_setting_is_left_alone(own: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / own) if own else "")
    assert printed(run(OTHERS, PACKAGE.parent, tmp_path / "ours"))["untouched"] == "True"


def test_the_setting_comes_back_after_an_error() -> None:
    from numba.core import config

    before = config.CACHE_DIR
    with contextlib.suppress(ZeroDivisionError), cache.our_folder():
        assert str(cache.cache_folder()) == config.CACHE_DIR
        raise ZeroDivisionError
    assert before == config.CACHE_DIR


def test_a_fresh_cache_is_cold_and_a_used_one_warm(tmp_path: Path) -> None:
    code = "from dlprobe.nn import cache\nprint('warm', cache.is_warm())\n"
    assert printed(run(code, PACKAGE.parent, tmp_path))["warm"] == "False"
    assert printed(run(SCRIPT + code.splitlines()[-1], PACKAGE.parent, tmp_path))["warm"] == "True"


LATE_EDIT = """
import pathlib
import dlprobe
from dlprobe.nn import cache
file = pathlib.Path(dlprobe.__file__).parent / "parts" / "losses" / "margins.py"
file.write_text(file.read_text() + "# an edit")
print("old", cache.cache_folder().name)
print("new", cache.source_hash())
"""


def test_an_edit_while_a_process_runs_does_not_file_its_old_code_under_the_new_hash(copy: Path, tmp_path: Path) -> None:
    names = printed(run(LATE_EDIT, copy, tmp_path / "cache"))
    assert names["old"] != names["new"] == printed(run(LATE_EDIT, copy, tmp_path / "cache"))["old"]


def test_threads_that_compile_do_not_move_each_others_cache_folder(tmp_path: Path) -> None:
    """Two threads that swapped numba's one setting left kernels in the working directory."""
    script = (
        "import threading, numba\n"
        "from dlprobe.nn import cache\n"
        "before = numba.config.CACHE_DIR\n"
        "def plus(n): return lambda x: x + n\n"
        "def work(n): cache.compiled(numba.float64(numba.float64))(plus(n))\n"
        "threads = [threading.Thread(target=work, args=(float(n),)) for n in range(8)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "assert numba.config.CACHE_DIR == before\n"
    )
    work = tmp_path / "work"
    work.mkdir()
    environment = {**os.environ, "DLPROBE_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", script], cwd=work, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not list(work.iterdir())
