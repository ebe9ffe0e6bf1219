"""The model card: all of its figures come from the run, none from the template."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import reports.card
from models import label_free, slices
from models.metrics import evaluate
from models.taxonomy import taxonomy
from reports.card import facts_of, render
from reports.words import DASH

MODELS = ["risk", "recency", "bg_nbd"]
META = {
    "features": ["recency", "rebates_overdue", "manager_absent"],
    "period": "1 month",
    "horizon": "4 months",
    "eligible": "13 months",
    "min_orders": 2,
    "booking_lag": "5 days",
    "train_cutoffs": ["2023-01-01", "2023-02-01"],
}
RUN = {
    "params": {"rounds": "61", "reasons.lead": "2", "features": "3", "horizon": "4 months"},
    "tags": {"model_hash": "abc", "cause_hash": "def", "data_hash": "cafe", "code_version": "1234567"},
    "metrics": {"train_rows": 4321.0, "train_losses": 321.0},
}
REASONS = {
    "top_changes_between_bags": {"all": 0.1234, "large": float("nan")},
    "exits": {"why": "Nothing was learned: 3 audited exits are there, 50 are needed."},
}


def predictions(names) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    frames = []
    for day in ("2023-06-01", "2023-07-01"):
        risk = rng.random(120)
        frame = pd.DataFrame({"account_id": range(120), "as_of": day, "lapsed": risk > 0.8})
        frame["label"] = (rng.random(120) < risk).astype(float)
        frames.append(frame.assign(**{name: np.clip(risk + 0.1 * place, 0, 1) for place, name in enumerate(names)}))
    return pd.concat(frames, ignore_index=True)


def metrics(**further) -> dict:
    words = "gain in AUC over recency +0.0100, from -0.0020, not above +0.0000"
    criterion = {"name": "AUC over recency", "passed": False, "figure": -0.002, "limit": 0.0, "words": words}
    return {
        **evaluate(predictions(MODELS), MODELS, 20, 0.9, 1),
        "interval": {"level": 0.9, "resamples": 20},
        "gate": {"passed": False, "why": words, "criteria": [criterion]},
        "decision": {"champion": False, "by": "holdfast evaluate", "why": words},
        **further,
    }


def card(reasons=REASONS, **further) -> str:
    return render(facts_of("mine", META, RUN, metrics(**further), reasons, {"precision": 0.71, "least_share": 0.58}))


def champion() -> dict:
    both = ["risk", "champion"]
    return {
        "version": "7",
        "model_hash": "fade",
        "compared": "models",
        "why": "of these test cut-offs the champion had seen no label",
        "cutoffs": ["2023-07-01"],
        **evaluate(predictions(both), both, 20, 0.9, 1),
        "reasons": {"accounts": 111, "all": 0.1777, "large": None},
    }


def test_the_card_has_its_parts_and_their_figures():
    text = card()
    headings = re.findall(r"^##? (.*)$", text, re.MULTILINE)
    assert headings == [
        "Model card: mine, model abc",
        *("Intended use", "Data", "Label", "Recipe", "Evaluation", "Calibration", "Reasons", "Limits", "Decision"),
        "Lineage",
    ]
    for words in (
        "no order comes within 4 months",
        "an order in the 13 months before",
        "at\nleast 2 days with an order",
        "| mine, cafe |",
        "| 4,321 accounts at cut-offs, 321 of them lost |",
        "| 2, from 2023-01-01 to 2023-02-01 |",
        "| 2, from 2023-06-01 to 2023-07-01: 240 rows, ",
        "| rounds | 61 |",
        "with 90%\nintervals by 20 resamples",
        "share changes in 12% of active accounts",
        "share is 0.58 or more: so that 71% of the names are right",
        "Nothing was learned: 3 audited exits",
        "| AUC over recency | no | gain in AUC over recency +0.0100, from -0.0020, not above +0.0000 |",
        "Not champion, decided by holdfast evaluate: gain in AUC",
        "| code | 1234567 |",
        "| model of causes | def |",
        "| taxonomy of reasons | unknown |",
    ):
        assert words in text, words
    assert "| features |" not in text  # of the recipe: that is told with the data
    assert "Against the champion" not in text


def test_the_measures_are_those_of_the_evaluation():
    auc = metrics()["population"]["active"]["risk"]["mean"]["auc"]
    assert f"| Holdfast | {auc['value']:.3f} ({auc['low']:.3f} to {auc['high']:.3f}) |" in card()
    gain = metrics()["paired"]["all"]["bg_nbd"]["mean"]["brier"]
    assert f" {gain['value']:+.5f} (".replace("-", "\N{MINUS SIGN}") in card()
    assert f"Calibration error {metrics()['population']['all']['risk']['mean']['ece']['value']:.4f}" in card()


def test_how_often_the_interval_of_a_risk_held_is_told_where_it_was_measured():
    text = card(risk_interval={"level": 0.8, "tenths": 30, "within": 0.7333})
    assert "of certainty 80%, held the share lost in 73% of 30 tenths" in text.replace("\N{NO-BREAK SPACE}", " ")
    assert "tenths" not in card(risk_interval={"level": 0.8, "tenths": 0, "within": None})


def test_a_champion_is_shown_with_what_was_compared():
    text = card(champion=champion())
    assert "### Against the champion" in text
    assert "Version 7, model fade. Compared were the models" in text
    assert "at 2023-07-01. All eligible" in text
    difference = champion()["paired"]["all"]["champion"]["mean"]["brier"]
    assert f"{difference['value']:+.5f}".replace("-", "\N{MINUS SIGN}") in text
    assert f"Of 111 active accounts 18% have another largest share, the unexplained among them; {DASH} of those" in text
    text = card(champion={"version": "7", "compared": "nothing", "why": "its horizon is 6 months"})
    assert "Version 7 could not be compared: its horizon is 6 months." in text


def test_what_exits_taught_is_told_with_the_gain():
    gain = {"before": 0.5, "after": 0.61, "gain": 0.11, "low": 0.02, "high": 0.19, "level": 0.95}
    text = card(reasons={**REASONS, "exits": {"why": "Learned.", "accuracy": gain}})
    assert "50% before, 61% after (difference 0.02 to 0.19)" in text


def test_reasons_are_told_by_what_shows_them():
    names = taxonomy().names
    text = card()
    assert f"Shown by tables of their own: {names['broken_promises']['en']}, {names['staff_turnover']['en']}." in text
    assert f"{names['competitor']['en']}" in text.split("Cannot be seen on this data: ")[1]


def test_kinds_of_accounts_and_the_check_without_labels_are_told():
    rng = np.random.default_rng(3)
    rows = predictions(MODELS).assign(tier=0, region="North | West", tenure=rng.uniform(1, 700, 240))
    cut = slices.by_slice(rows, MODELS[:2], 20, 0.9, 1)
    checked = label_free.checked(rows, 20, 0.9, 1)
    text = card(slices=cut, label_free=checked)
    region = cut["active"]["region"][0]
    auc = region["models"]["risk"]["auc"]
    assert (
        f"| region: North \\| West | {region['n']} | {region['losses']} | {region['expected']:.0f} | {auc['value']:.3f} ("
        in text
    )
    assert (
        f"{checked['all']['error']['auc']:.3f} in AUC and {checked['all']['error']['share_lost']:.3f} in the share"
        in text
    )
    assert "\n\n\n" not in text
    assert "By kind" not in card()


def test_constant_features_are_named():
    facts = facts_of(
        "mine",
        META | {"constant_features": ["recency"]},
        RUN,
        metrics(),
        REASONS,
        {"precision": 0.71, "least_share": 0.58},
    )
    assert "| 1, which teach nothing: recency |" in render(facts)
    assert "one value" not in card()


def test_words_of_users_do_not_break_the_table():
    gate = metrics()["gate"]
    gate["criteria"][0]["words"] = "a | b\nc"
    assert "| no | a \\| b c |" in card(gate=gate)


def test_no_figure_stands_in_the_template():
    folder = Path(reports.card.__file__).parent / "templates"
    text = (folder / "model_card.md.j2").read_text(encoding="utf-8")
    assert not re.search(r"\d", re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", text, flags=re.DOTALL))


@pytest.mark.parametrize("further", [{}, {"champion": champion()}])
def test_the_same_facts_give_the_same_bytes_also_after_a_way_through_json(further):
    facts = facts_of("mine", META, RUN, metrics(**further), REASONS, {"precision": 0.71, "least_share": 0.58})
    assert render(facts) == render(json.loads(json.dumps(facts)))
    assert "\n\n\n" not in render(facts)
    assert render(facts).endswith(" |\n")
