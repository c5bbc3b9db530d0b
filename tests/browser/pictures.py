"""Pictures opened by other programs: SVG by librsvg, PDF by poppler. Needs `rsvg-convert`,
`pdftotext`, `pdfinfo`, `pdffonts` (librsvg2-bin, poppler-utils).
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from command_line import ROOT, dlprobe

from dlprobe.api import open_run
from dlprobe.render.vega.files import content

COUNT = 2  # themes
CALLS = {
    "map": [
        "gradients",
        "--depth",
        "2,3",
        "--activation",
        "relu",
        "--init",
        "he_normal",
        "--norm",
        "none",
        "--data",
        "wine",
        "--seeds",
        "1",
        "--epochs",
        "1",
    ],
    "rows_of_each_class": ["data", "wine"],
}


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """Each picture as PNG of librsvg and as text of poppler."""
    failed = []
    for theme in ("light", "dark", "print")[:count]:
        for name, call in CALLS.items():
            outcome = dlprobe(
                *call, "--figure", str(folder / f"{name}.pdf"), "--theme", theme, "--force"
            )
            failed += [f"{name}: {line}" for line in outcome.errors]
            failed += pdf(folder / f"{name}.pdf", "depth" if name == "map" else "class")
        with open_run(ROOT / "sample_runs" / "healthy.h5") as found:
            for name, text in (
                ("loss", "step"),
                ("error_signal_rms", "layer"),
                ("map", "hidden_1"),
                ("update_ratio", "update"),
            ):
                spec = found.figure(name, theme)
                for suffix in ("svg", "pdf"):
                    (folder / f"{name}.{suffix}").write_bytes(content(spec, suffix))
                failed += [*pdf(folder / f"{name}.pdf", text), *svg(folder / f"{name}.svg")]
    return {"failed": failed}


def pdf(path: Path, text: str) -> list[str]:
    """One page, with its letters as text, in the font that comes with the renderer."""
    info, words, fonts = (
        subprocess.run([*call], capture_output=True, text=True, check=False)
        for call in (["pdfinfo", path], ["pdftotext", path, "-"], ["pdffonts", path])
    )
    if complaint := info.stderr or words.stderr or fonts.stderr:
        return [f"{path.name}: poppler says {complaint}"]
    others = [line for line in fonts.stdout.split("\n")[2:-1] if "+LiberationSans" not in line]
    if others:
        return [f"{path.name}: letters of another font: {others}"]
    return (
        []
        if "Pages:           1\n" in info.stdout and text in words.stdout
        else [f"{path.name}: {text!r} is not in its text {words.stdout!r}"]
    )


def svg(path: Path) -> list[str]:
    """A picture as large as its SVG says."""
    drawn = subprocess.run(
        ["rsvg-convert", path, "-o", path.with_suffix(".png")],
        capture_output=True,
        text=True,
        check=False,
    )
    return [f"{path.name}: librsvg says {drawn.stderr}"] if drawn.returncode or drawn.stderr else []
