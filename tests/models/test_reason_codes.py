"""The page of reasons is what `reasons.yaml` says."""

from __future__ import annotations

import re

from models.playbook import playbook
from models.reason_codes import reasons_page
from models.taxonomy import taxonomy


def test_every_reason_has_its_row_its_names_and_its_steps():
    page = reasons_page()
    about, names, steps = re.split(r"\n## (?:Names|What to do)\n", page)
    assert re.findall(r"^\| `(\w+)` ", about, re.MULTILINE) == list(taxonomy().codes)
    assert re.findall(r"^\| `(\w+)` ", names, re.MULTILINE) == list(taxonomy().names)
    assert re.findall(r"^### (\w+)$", steps, re.MULTILINE) == [*taxonomy().codes, "unexplained"]
    assert "| `broken_promises` | Promises not kept | 诚信问题 | 誠信問題 | Promisiuni nerespectate |" in names


def test_each_class_is_told_its_own_step():
    step, other = playbook().step("broken_promises", "EI"), playbook().step("broken_promises", None)
    assert (step.within, other.within) == (3, 7)
    section = reasons_page().split("### broken_promises\n")[1].split("\n###")[0]
    assert f"| not known | {other.do} | finance | finance | 7 | 2 | 000, 002 |" in section
    assert f"| EI | {step.do} | finance | finance | 3 | 2 | {', '.join(step.documents)} |" in section
