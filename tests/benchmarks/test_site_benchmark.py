from dataclasses import fields, make_dataclass

import pandas as pd
import pytest

from benchmarks import site as benchmark
from reports.site import Site

Made = make_dataclass("Made", [*benchmark.BY_ACCOUNT, "asked"], frozen=True)


def made(accounts):
    """A site of so many accounts, of which each table has one row but the one of similar accounts, which has two."""
    ids = [f"A{place}" for place in range(accounts)]
    frames = {name: pd.DataFrame({"account_id": ids}) for name in benchmark.BY_ACCOUNT}
    frames["scores"] = frames["scores"].assign(rank=range(1, accounts + 1), risk=0.5)
    frames["similar"] = pd.DataFrame({"account_id": ids * 2, "similar_account": [*ids, *ids]})
    return Made(**frames, asked=())


def test_accounts_are_repeated_under_ids_of_their_own():
    site = benchmark.repeated(made(3), 7)
    assert len(site.scores) == 9
    assert site.scores["account_id"].is_unique
    assert site.scores["rank"].tolist() == list(range(1, 10))
    assert site.scores["account_id"].head(4).tolist() == ["A0", "A0-1", "A0-2", "A1"]
    assert len(site.similar) == 18
    assert set(site.similar["similar_account"]) == set(site.scores["account_id"])
    assert site.asked is None  # all have a page


def test_the_site_given_stays_as_it_was():
    site = made(2)
    benchmark.repeated(site, 10)
    assert site.scores["account_id"].tolist() == ["A0", "A1"]


def test_no_account_cannot_be_repeated():
    with pytest.raises(SystemExit, match="has scored no account"):
        benchmark.repeated(made(0), 10)


def test_the_tables_repeated_are_tables_of_a_site():
    assert set(benchmark.BY_ACCOUNT) < {field.name for field in fields(Site)}
