"""`docs/reason_codes.md`, written from `reasons.yaml`: `make docs`."""

from __future__ import annotations

from collections import Counter

import yaml

from features.catalog import FEATURES
from features.documentation import WRITTEN, row
from models.playbook import CLASSES, playbook
from models.shares import UNEXPLAINED
from models.taxonomy import TAXONOMY_FILE


def reasons_page() -> str:
    """The page of reasons: codes, names, who acts, what shows them, and the step of the playbook for each class."""
    content = yaml.safe_load(TAXONOMY_FILE.read_text(encoding="utf-8"))
    languages = list(content["reasons"][0]["names"])
    evidence = Counter(feature.reason for feature in FEATURES)
    lines = [
        "# Reason codes",
        "",
        WRITTEN.format(source="`reasons.yaml`"),
        "",
        "How far they can be trusted: `docs/reasons.md`. Which features are evidence for which: `docs/features.md`.",
        "",
        "*ours*: the company itself can remove the cause. *fault*: `nobody's` closes the case once the account is lost. *own "
        "table*: without it the reason is no more than a hypothesis. *documented share*: part of all losses by document 004.",
        "",
        "| code | English | documents | owner | ours | fault | own table | documented share | features |",
        "|---|---|---|---|---|---|---|---|---|",
        *(
            row(
                [
                    f"`{reason['code']}`",
                    reason["names"]["en"],
                    ", ".join(reason["documents"]),
                    reason["owner"],
                    "yes" if reason["controllable"] else "no",
                    "nobody's" if reason["objective"] else "",
                    f"`{reason['own_table']}`" if "own_table" in reason else "",
                    f"{reason['documented_share']:.0%}" if "documented_share" in reason else "",
                    str(evidence[reason["code"]]),
                ]
            )
            for reason in content["reasons"]
        ),
        "",
        "## Names",
        "",
        row(["code", *(f"`{language}`" for language in languages)]),
        "|---" * (1 + len(languages)) + "|",
        *(
            row([f"`{code}`", *(names[language] for language in languages)])
            for code, names in [
                *((reason["code"], reason["names"]) for reason in content["reasons"]),
                *content["others"].items(),
            ]
        ),
        "",
        "## What to do",
        "",
        "Within so many days of the scoring and in so many hours of a manager's time, both assumed where the documents give "
        "none; edit them under `playbook` of `reasons.yaml`.",
    ]
    for code in (*(reason["code"] for reason in content["reasons"]), UNEXPLAINED):
        lines += [
            "",
            f"### {code}",
            "",
            "| class | do | who | action | days | hours | documents |",
            "|---|---|---|---|---|---|---|",
            *_steps(code),
        ]
    return "\n".join(lines) + "\n"


def _steps(code: str) -> list[str]:
    rows = []
    for account_class in (None, *CLASSES):
        step = playbook().step(code, account_class)
        cells = [step.do, step.owner, step.action, str(step.within), f"{step.hours:g}", ", ".join(step.documents)]
        rows.append(row([account_class or "not known", *cells]))
    return rows
