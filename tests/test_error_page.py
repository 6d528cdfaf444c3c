"""The page of errors is made from the diagnostics' own classes."""

from __future__ import annotations

import runpy
from pathlib import Path

from archdsl.explain import kinds

ROOT = Path(__file__).parents[1]


def test_the_page_is_up_to_date() -> None:
    page = runpy.run_path(str(ROOT / "scripts" / "make_error_page.py"))["page"]()
    assert (ROOT / "docs" / "errors.md").read_text() == page, "run scripts/make_error_page.py"


def test_every_code_is_on_it_as_users_see_it() -> None:
    sections = (ROOT / "docs" / "errors.md").read_text().split("\n### ")[1:]
    told = {section.split("\n")[0].strip("`"): section for section in sections}
    assert told.keys() == kinds().keys()
    # Each is shown as users see it; a file of more than a megabyte has no golden.
    assert [code for code, text in told.items() if "```" not in text] == ["file-too-large"]
