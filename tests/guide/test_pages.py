"""The manual: every page is found, shown in every format, and says in its first paragraph what
it is about.
"""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path

import pytest
from command_line import ROOT, dlprobe, process
from documents import PAGES

from dlprobe import registry
from dlprobe.guide.pages import LIST_MARK, Page
from dlprobe.render import document as doc
from dlprobe.render import terminal

NAMES = [path.stem for path in PAGES]


def test_every_markdown_file_is_a_page_and_nothing_else_is() -> None:
    assert sorted(registry.records("page")) == sorted(registry.tidied(name) for name in NAMES)
    assert [
        topic["name"] for topic in dlprobe("explain", "--format", "json").data["pages"]
    ] == list(registry.records("page"))


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_a_page_has_a_title_a_paragraph_that_says_what_it_is_about_and_lines_that_can_be_read(
    path: Path,
) -> None:
    title, paragraph = path.read_text(encoding="utf-8").split("\n\n")[:2]
    assert re.fullmatch(r"# \S.*", title)
    assert len(paragraph.split()) >= 5
    assert paragraph[0] not in "#*`<|-" or paragraph.startswith("`")
    assert [line for line in path.read_text(encoding="utf-8").splitlines() if len(line) > 100] == []


@pytest.mark.parametrize("name", NAMES)
def test_piped_a_page_is_its_markdown_and_so_are_json_and_markdown(name: str) -> None:
    page = registry.get("page", name)
    assert dlprobe("explain", name).out == page.full_text
    assert dlprobe("explain", name, "--format", "markdown").out == page.full_text
    data = dlprobe("explain", f"page:{name}", "--format", "json").data
    assert (data["kind"], data["text"], data["summary"]) == ("page", page.full_text, page.summary)


def test_on_a_terminal_markdown_is_drawn_and_never_wider_than_100_columns() -> None:
    stream = io.StringIO()
    text = "# Title\n\n" + "word " * 60 + "\n\n* an *item*\n\n```sh\ndlprobe explain\n```\n"
    terminal.render(doc.Document("", [doc.Markdown(text)]), stream, width=140, color=True)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert "\x1b[" in stream.getvalue()
    assert max(map(len, plain.splitlines())) <= 100
    assert not re.search(r"[#*`]", plain)
    assert "dlprobe explain" in plain


def test_a_list_in_a_page_holds_every_record_of_its_kind() -> None:
    """Of things that are files, with the file."""
    page = Page("made", "# Made\n\nWhat it is about.\n\n<!-- list loss -->\n<!-- list schema -->\n")
    for kind in ("loss", "schema"):
        for name, record in registry.records(kind).items():
            assert f"* `{name}`: {' '.join(record.summary.split()[:3])}" in page.full_text
    assert "`dlprobe/guide/schemas/dlprobe-train-1.json`" in page.full_text
    assert not LIST_MARK.search(page.full_text)
    assert max(map(len, page.full_text.splitlines())) <= 100


def test_a_page_goes_before_what_else_has_its_name() -> None:
    assert dlprobe("explain", "json", "--format", "json").data["kind"] == "page"
    assert (
        dlprobe("explain", "output-format:json", "--format", "json").data["kind"] == "output_format"
    )


def test_an_unknown_name_suggests_the_page_that_may_be_meant() -> None:
    outcome = dlprobe("explain", "configuraton")
    assert outcome.code == 2
    assert "did you mean 'configuration'?" in outcome.err


def test_the_topics_name_every_page_and_kind() -> None:
    out = dlprobe("explain").out
    assert [name for name in (*registry.records("page"), *registry.kinds()) if name not in out] == [
        "concept",
        "page",
    ]
    assert [
        name
        for name in registry.records("concept")
        if name.replace("_", " ") not in " ".join(out.split())
    ] == []


def test_a_new_page_is_one_file(tmp_path: Path) -> None:
    """A copy of the package with one more file: it is listed, shown and completed, and nothing
    else was touched.
    """
    shutil.copytree(ROOT / "dlprobe", tmp_path / "dlprobe")
    (tmp_path / "dlprobe" / "guide" / "tides.md").write_text(
        "# Tides\n\nHow the moon moves the sea.\n", encoding="utf-8"
    )
    here = {"PYTHONPATH": str(tmp_path)}
    assert "How the moon moves the sea." in process("explain", folder=tmp_path, **here).out
    assert process("explain", "tides", folder=tmp_path, **here).out.startswith("# Tides\n")
    assert (
        process("explain", "tide", folder=tmp_path, **here).err.count("did you mean 'tides'?") == 1
    )
    words = {
        "_DLPROBE_COMPLETE": "complete_bash",
        "COMP_WORDS": "dlprobe explain ti",
        "COMP_CWORD": "2",
    }
    assert "tides" in process(folder=tmp_path, **here, **words).out.split()
