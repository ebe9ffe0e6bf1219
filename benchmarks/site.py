"""How long the report of many accounts takes: a site in which every account has a page.

Run `make run` first, then `python -m benchmarks.site --accounts 20000`: what the stages said of the accounts of that run is
repeated, under ids of their own, until there are so many. Processor seconds are told beside those of the clock, for other
work on the machine lengthens only these.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from pathlib import Path

import pandas as pd

from pipeline.layout import Layout
from pipeline.params import load
from pipeline.report import site_of
from reports.language import LANGUAGES
from reports.site import Site, write

BY_ACCOUNT = (
    *("scores", "evidence", "explanations", "previous", "similar"),
    *("accounts", "history", "worklist", "leavers", "win_back"),
)
IDS = ("account_id", "similar_account")


def main() -> None:
    """Print the figures of one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=20_000)
    parser.add_argument("--source", default="simulated")
    parser.add_argument("--lang", default="en", choices=LANGUAGES)
    parser.add_argument("--out", type=Path, help="folder that keeps the site; default: none")
    given = parser.parse_args()
    layout = Layout.here(given.source)
    site = repeated(site_of(layout, load(layout.root, given.source), asked=None), given.accounts)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.out or Path(temporary)) / "report"
        clock, processor = time.perf_counter(), time.process_time()
        pages = write(site, folder, (given.lang,))
        clock, processor = time.perf_counter() - clock, time.process_time() - processor
        sizes = {page: page.stat().st_size for page in folder.rglob("*.html")}
        largest = max(sizes, key=lambda page: sizes[page])
        account = max(size for page, size in sizes.items() if page.parent.name == "accounts")
        print(f"{pages:,} pages of {len(site.scores):,} accounts")
        print(f"{clock:.0f} s, {processor:.0f} s of the processor; {pages / processor:.0f} pages a processor second")
        print(f"largest page: {largest.relative_to(folder)}, {sizes[largest] / 1e3:.0f} kB")
        print(f"largest page of an account: {account / 1e3:.0f} kB; all pages: {sum(sizes.values()) / 1e6:.0f} MB")


def repeated(site: Site, accounts: int) -> Site:
    """The site with its accounts repeated, the n-th time as `<id>-n`, until there are at least so many as `accounts`."""
    if site.scores.empty:
        raise SystemExit("The run has scored no account.")
    times = -(-accounts // len(site.scores))
    frames = {name: _repeated(getattr(site, name), times) for name in BY_ACCOUNT}
    frames["scores"] = frames["scores"].sort_values(["rank", "account_id"], ignore_index=True)
    frames["scores"]["rank"] = range(1, len(frames["scores"]) + 1)
    return dataclasses.replace(site, **frames, asked=None)


def _repeated(frame: pd.DataFrame, times: int) -> pd.DataFrame:
    ids = [name for name in IDS if name in frame]
    return pd.concat(
        [frame.assign(**{name: frame[name] + (f"-{time}" if time else "") for name in ids}) for time in range(times)],
        ignore_index=True,
    )


if __name__ == "__main__":
    main()
