"""No kernel is ever another's: names, files, symbols and addresses, over processes that fill one
cache.

The long form is `python -m tests.nn.kernel_identity`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from numba import types

from dlprobe.nn import calling
from dlprobe.nn.cache import compiled
from dlprobe.nn.identity import named

ROOT = Path(__file__).parents[2]
FILL = "import sys\nfrom dlprobe.nn import kernels\nkernels.optimizer(sys.argv[1], 'float64')"
# One net after the other takes its kernels from the cache, and then each asks for its addresses, as
# two threads may.
USE = """
import json, sys
import numpy as np
from dlprobe import registry
from dlprobe.nn import kernels
from dlprobe.nn.calling import address
loaded = {name: kernels.optimizer(name, "float64") for name in sys.argv[1:]}
places = {name: [address(kernel) for kernel in pair] for name, pair in loaded.items()}
after = {}
for name, (update, prepare) in loaded.items():
    record = registry.get("optimizer", name)
    numbers, w, state = np.zeros(16), np.array([1.0]), np.zeros(record.states)
    prepare(1.0, 0.5, np.array([*(float(each.default) for each in record.parameters), *record.running]), numbers)
    update(w, np.array([2.0]), state, 0, 1, numbers, np.zeros(7))
    after[name] = float(w[0])
print(json.dumps([places, after]))
"""  # noqa: E501


def run(code: str, *arguments: str, cache: Path, path: Path = ROOT) -> str:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(path)]),
        "DLPROBE_CACHE_DIR": str(cache),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that three processes filled, one optimizer each."""
    cache = tmp_path_factory.mktemp("cache")
    for name in ("sgd", "momentum", "adagrad"):
        run(FILL, name, cache=cache)
    return cache


@pytest.mark.parametrize("order", [("sgd", "momentum", "adagrad"), ("adagrad", "momentum", "sgd")])
def test_kernels_of_several_processes_have_addresses_of_their_own_and_do_their_own_step(
    order: tuple[str, ...], filled: Path
) -> None:
    """From 1 with g = 2 and rate .5: sgd and momentum's first step go to 0, Adagrad's by
    rate·g/|g| to .5.
    """
    places, after = json.loads(run(USE, *order, cache=filled))
    every = [place for pair in places.values() for place in pair]
    assert len(set(every)) == len(every) == 6
    assert after == {"sgd": 0.0, "momentum": 0.0, "adagrad": pytest.approx(0.5, abs=1e-6)}


def test_every_kernel_has_an_index_of_its_own(filled: Path) -> None:
    """Two processes that write one index at a time could each leave its name before the other's
    code.
    """
    assert len(list(filled.rglob("*.nbi"))) == len(list(filled.rglob("*.nbc"))) >= 6


MINE = """
from dlprobe.parts.activations import Activation
FACTOR = {}
def twice(z): return FACTOR * z
def value(z): return twice(z)
def slope(z, a): return 2.0
record = Activation(name="mine", summary="", formula="", slope_formula="", source="", value=value, slope=slope, largest_slope=lambda: 2.0)
"""  # noqa: E501
OWN = """
import numpy as np
from dlprobe.nn import kernels
from dlprobe.registry import Spec, register
import mine
register("activation", mine.record)
x, y, none = np.ones((1, 1)), np.zeros((1, 1)), np.zeros(0)
kernels.activation(Spec("activation", "mine", {}), "float64").forward(x, y, none, none, np.zeros(1), np.zeros(4, np.uint64), True)
print(y[0, 0])
"""  # noqa: E501


def test_an_edited_record_of_somebody_elses_module_is_compiled_anew(tmp_path: Path) -> None:
    """Their files are not part of the cache folder's name, and numba keeps their functions by
    name: the old kernel was served.
    """
    found = []
    for factor in ("2.0", "3.0", "2.0"):
        (tmp_path / "mine.py").write_text(MINE.format(factor), encoding="utf-8")
        found.append(float(run(OWN, cache=tmp_path / "cache", path=tmp_path)))
    assert found == [2.0, 3.0, 2.0]


def plus(number: Any) -> Any:
    return lambda x: x + number


def test_a_name_is_a_functions_own() -> None:
    """What a closure holds, the signature, flags and options are in it; nothing else, so it is
    the same in every process.
    """
    assert named(plus(1)).__qualname__ == named(plus(1)).__qualname__
    others = [
        plus(2),
        plus(1.0),
        plus(True),
        plus("1"),
        plus((1,)),
        plus(plus(1)),
        plus(plus(2)),
        plus(len),
        plus(abs),
    ]
    names = {named(each).__qualname__ for each in (plus(1), *others)}
    assert len(names) == 1 + len(others)
    assert named(plus(1), "float32").__qualname__ != named(plus(1), "float64").__qualname__
    assert named(plus(1), of="adam").__qualname__.startswith("plus.<locals>.<lambda>_adam_")


def test_one_function_is_compiled_once_and_another_apart() -> None:
    number = types.float64
    first, again, other = (compiled(number(number))(plus(value)) for value in (1.5, 1.5, 2.5))
    assert first is again is not other
    assert (first(1.0), other(1.0)) == (2.5, 3.5)


def test_a_symbol_that_two_libraries_have_is_an_error() -> None:
    """As if two processes had given it to two kernels."""

    def stand_in(symbol: str, place: int) -> Any:
        library = SimpleNamespace(get_pointer_to_function=lambda name: place)
        return SimpleNamespace(
            overloads={
                (): SimpleNamespace(
                    library=library, fndesc=SimpleNamespace(llvm_cfunc_wrapper_name=symbol)
                )
            }
        )

    class Loaded:
        def __init__(self, symbol: str, place: int) -> None:
            self.overloads = stand_in(symbol, place).overloads

    assert calling.address(Loaded("one", 1)) == 1
    for other in (Loaded("one", 2), Loaded("two", 1), Loaded("nothing", 0)):
        with pytest.raises(RuntimeError, match="another kernel's code"):
            calling.address(other)
