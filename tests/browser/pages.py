"""Reports of a run, a study and a hostile run: nothing is complained of, the chooser and the
cursor work by mouse and keyboard, every figure has a name.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from command_line import ROOT, dlprobe
from foreign_runs import hostile
from headless import Browser

from dlprobe.api import open_run

GRID = (
    *("gradients", "--depth", "2,3", "--activation", "relu,tanh", "--init", "he_normal"),
    *("--norm", "none", "--data", "wine", "--seeds", "2", "--epochs", "1"),
)
COUNT = 3  # window widths, the narrowest first
WIDTHS = (380, 900, 1600)
NASTY = (
    "</script></svg><img src=x "
    "onerror=\"document.title='hit'\"><script>document.title='hit'</script>\"' "
    "onmouseover='document.title=1'"
)
Check = Callable[[Browser, Path], Iterator[str]]


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """Make the pages, look at each; what is wrong in `failed`, one line each. Pictures stay in
    the folder DLPROBE_SCREENSHOTS names.
    """
    shutil.copy(ROOT / "sample_runs" / "vanishing.h5", folder / "run.h5")
    shutil.copy(ROOT / "sample_runs" / "initializers.h5", folder / "study.h5")
    hostile(folder / "hostile.h5", NASTY)
    failed, sizes = dlprobe(*GRID, "-o", str(folder / "grid.h5")).errors, {}
    seen = Path(os.environ.get("DLPROBE_SCREENSHOTS", folder))
    seen.mkdir(parents=True, exist_ok=True)
    with Browser(folder) as browser:
        for name in ("run", "study", "grid", "hostile"):
            page = folder / f"{name}.html"
            outcome = dlprobe("report", str(folder / f"{name}.h5"), "-o", str(page))
            failed += [f"{name}: {line}" for line in outcome.errors]
            sizes[name] = page.stat().st_size
            own = {"run": [chosen, pointed], "grid": [followed]}
            checks: list[Check] = [plain, named, *own.get(name, [])]
            failed += [f"{name}: {line}" for check in checks for line in check(browser, page)]
            for width in WIDTHS[:count]:
                failed += [
                    f"{name} at {width} px: {line}" for line in sized(browser, page, width, seen)
                ]
            browser.open(page, scripts=False)
            browser.printed(seen / f"{name}.pdf")
            failed += [f"{name}: {line}" for line in browser.complaints]
            browser.complaints.clear()
    return {"failed": failed, "bytes": sizes}


def plain(browser: Browser, page: Path) -> Iterator[str]:
    """Without scripts every picture is there, and no text of the file acts, with them and
    without.
    """
    for scripts in (False, True):
        browser.open(page, scripts=scripts)
        if browser.run("document.title") in ("hit", "1"):
            yield "a text of the file ran as a script"
        if browser.run(
            "document.querySelectorAll('img, iframe, main script, [onerror], [onmouseover]').length"
        ):
            yield "a text of the file became an element"
        shown = browser.run(
            "[...document.querySelectorAll('main svg')].filter(each => "
            "each.getBoundingClientRect().width > 100).length"
        )
        live = browser.run("document.querySelectorAll('.live canvas[role=img]').length")
        if shown + live != browser.run("document.querySelectorAll('figure').length"):
            yield (
                f"{shown} pictures and {live} maps are seen with scripts "
                f"{'on' if scripts else 'off'}"
            )


def named(browser: Browser, page: Path) -> Iterator[str]:
    """A screen reader finds each figure by its name, and every control by its label."""
    browser.open(page)
    found = browser.accessible()
    images = [name for role, name in found if role in ("image", "img")]
    if len(images) != browser.run("document.querySelectorAll('figure').length") or not all(images):
        yield f"a screen reader finds the images {images}"
    unnamed = [
        role
        for role, name in found
        if role in ("slider", "combobox", "link", "button") and not name
    ]
    if unnamed:
        yield f"controls without a name: {unnamed}"


def chosen(browser: Browser, page: Path) -> Iterator[str]:
    """Another statistic is drawn, and its values at a step are those of the run."""
    browser.open(page)
    before = browser.run("document.querySelector('.field canvas').toDataURL()")
    browser.run(_CHOOSE)
    if browser.run("document.querySelector('.field canvas').toDataURL()") == before:
        yield "another statistic draws the same map"
    if "weight_rms" not in str(
        browser.run("document.querySelector('.field canvas').getAttribute('aria-label')")
    ):
        yield "the map keeps the name of the statistic before"
    browser.run("document.querySelector('.live input').focus()")
    for _ in range(5):
        browser.key("ArrowRight", 39)
    told = browser.run(
        "[...document.querySelectorAll('.values li')].map(each => [...each.children].map(part "
        "=> part.textContent))"
    )
    with open_run(page.with_suffix(".h5")) as found:
        names, expected = (
            found.layers.names,
            found.statistic("weight_rms")[5],
        )  # 160 steps: a column each
    if [name for name, _ in told] != list(names) or not np.allclose(
        [float(value) for _, value in told], expected, rtol=0.01
    ):
        yield (
            f"at step 5 the page tells {told}, the run has "
            f"{dict(zip(names, expected.tolist(), strict=True))}"
        )


def pointed(browser: Browser, page: Path) -> Iterator[str]:
    """The cursor stands at its step in every picture over steps, and the profiles show that
    step.
    """
    browser.open(page)
    box = browser.run(_BOX)
    browser.run(f"scrollTo(0, {box[1] - 100})")
    box = browser.run(_BOX)
    left, top = box[0] + box[2] * 0.77, box[1] + box[3] * 0.5
    for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
        browser.send(
            "Input.dispatchMouseEvent",
            type=kind,
            x=left,
            y=top,
            button="left" if kind != "mouseMoved" else "none",
            clickCount=1,
        )
    with open_run(page.with_suffix(".h5")) as found:
        step = int(
            found.steps[len(found.steps) * 3 // 4]
        )  # each of the 20 recorded steps is a column, of which 0.77 is the sixteenth
    told = browser.run("document.querySelector('.controls output').textContent")
    if told != str(step):
        yield f"a click on 77 % of the map chose step {told}, not {step}"
    if f"step {step}," not in str(
        browser.run("document.querySelector('.scale output').textContent")
    ):
        yield "the value under the pointer is not told"
    places = browser.run(_PLACES)
    if (
        len(places) != browser.run("document.querySelectorAll('figure[data-steps]').length")
        or not places
    ):
        yield f"{len(places)} pictures have a cursor"
    for place, ticks in places:  # where the axis says that the step is, by its own numbers
        (first, at), (last, end) = ticks[0], ticks[-1]
        expected = at + (step - first) / (last - first) * (end - at)
        if abs(place - expected) > 1.5:
            yield f"the cursor stands at {place}, the axis has step {step} at {expected}"
    if not all(
        browser.run(
            "[...document.querySelectorAll('svg polyline.cursor')].map(each => "
            "each.points.length > 1)"
        )
    ):
        yield "a profile does not show the chosen step"


def followed(browser: Browser, page: Path) -> Iterator[str]:
    """A click on a cell of the map comes to the run behind it that has come to least."""
    browser.open(page)
    with open_run(page.with_suffix(".h5")) as study:
        ids = list(study.runs)
    cells = browser.run("document.querySelectorAll('table.heat td').length")
    for cell in range(cells):
        place = browser.run(
            f"{_CELL.format(cell)}.click(), document.querySelector(':target').textContent"
        )
        row = browser.run(f"{_CELL.format(cell)}.closest('tr').cells[0].textContent").split(" · ")
        depth = browser.run(_DEPTH.format(cell))
        if place not in ids or not all(word in place for word in (*row, f"x{depth}-")):
            yield f"cell {row}, depth {depth} leads to {place}"
    if cells != 4:
        yield f"the map has {cells} cells that lead to runs"


def sized(browser: Browser, page: Path, width: int, seen: Path) -> Iterator[str]:
    """The page is no wider than its window, in both themes; nothing that is read is as pale as
    its ground.
    """
    for dark in (False, True):
        browser.open(page, width=width, dark=dark)
        browser.picture(seen / f"{page.stem}_{width}_{'dark' if dark else 'light'}.png")
        if browser.run("document.documentElement.scrollWidth") > width:
            yield f"the page is {browser.run('document.documentElement.scrollWidth')} px wide"
        low = browser.run(_CONTRAST)
        if low:
            yield f"{'dark' if dark else 'light'}: too pale: {low[:3]}"


_CELL = "document.querySelectorAll('table.heat td a')[{}]"
_DEPTH = (
    "(td => td.closest('table').tHead.rows[0].cells[td.cellIndex].textContent)"
    "(document.querySelectorAll('table.heat td')[{}])"
)
_CHOOSE = """(() => {
  const select = document.querySelector('.live select');
  select.value = [...select.options].findIndex(each => each.text === 'weight_rms');
  select.dispatchEvent(new Event('change'));
})()"""
_BOX = (
    "(box => [box.left, box.top, box.width, box.height])(document.querySelector('.field "
    "canvas').getBoundingClientRect())"
)
# Of every cursor its place on the screen, and (number, place) of the ticks of its axis.
_PLACES = """[...document.querySelectorAll('figure[data-steps] svg')].map(svg => [
  svg.querySelector('line.cursor').getBoundingClientRect().x,
  [...svg.querySelectorAll('.role-axis-label')[0].querySelectorAll('text')].map((text, index) => [
    Number(text.textContent.replace(',', '')),
    svg.querySelectorAll('.role-axis-tick')[0].querySelectorAll('line')[index].getBoundingClientRect().x,
  ]),
])"""
# Texts whose contrast with their ground is below 4.5 (WCAG 2.2, 1.4.3), those of pictures on a
# colour of their own left out.
_CONTRAST = """(() => {
  const light = text => {
    const parts = text.match(/[\\d.]+/g).slice(0, 3).map(part => { const x = part / 255; return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const paper = document.body, found = new Set();
  const ground = each => each === paper || !/, 0\\)$/.test(getComputedStyle(each).backgroundColor) ? light(getComputedStyle(each).backgroundColor) : ground(each.parentElement);
  for (const each of document.querySelectorAll('p, li, th, td, dt, dd, a, h1, h2, h3, code, small, svg text')) {
    const style = getComputedStyle(each), ink = each.tagName === 'text' ? style.fill : style.color;
    if (!each.textContent.trim() || !/^rgb/.test(ink) || each.closest('.mark-text.role-mark')) continue;
    const back = ground(each), other = light(ink), ratio = (Math.max(back, other) + 0.05) / (Math.min(back, other) + 0.05);
    if (ratio < 4.5) found.add(`${each.tagName} ${ink} ${ratio.toFixed(2)}`);
  }
  return [...found];
})()"""  # noqa: E501
