# %% [markdown]
# # 1 The data and the label
#
# **Question.** An account that has not ordered for three months counts as lost (`featurize.horizon`). Is it, or does it
# only pause? A loss that comes back by itself costs visits for nothing; one that is seen a season late costs the account.
#
# Needs a source that has been run: `make run`, or the stages up to `holdfast featurize`. Start it in the project's
# folder or in `notebooks/`: `python notebooks/01_data_and_label.py`, or as a notebook with jupytext, VS Code or PyCharm.
# Pictures go to `artifacts/simulated/notebooks/`.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from features.tables import TABLES
from pipeline.frames import read_matrix
from pipeline.layout import Layout
from pipeline.params import load

SOURCE = "simulated"
layout = Layout.here(SOURCE)
params = load(layout.root, SOURCE)
pictures = layout.artifacts / "notebooks"
pictures.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## What there is
#
# Every source is brought to the same contract tables (`docs/tables.md`); only `orders` must be there.

# %%
tables = {path.stem: pd.read_parquet(path) for path in sorted(layout.tables.glob("*.parquet"))}
rows = pd.DataFrame(
    {"a row is": {name: TABLES[name].row for name in tables}, "rows": {n: len(t) for n, t in tables.items()}}
)
print(rows.to_string())

# %% [markdown]
# ## How accounts order
#
# Orders of one day are one order day. What counts as long without an order depends on how often an account orders.

# %%
orders = tables["orders"][~tables["orders"]["is_return"].fillna(False).astype(bool)]
days = orders.assign(day=pd.to_datetime(orders["ordered_at"]).dt.normalize()).drop_duplicates(["account_id", "day"])
days = days.sort_values(["account_id", "day"])
gaps = days.groupby("account_id")["day"].diff().dt.days.dropna()
horizon = params.featurize.horizon.days
longer = float((gaps > horizon).mean())

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.5), layout="constrained")
per_month = days.groupby(days["day"].dt.to_period("M"))["account_id"].nunique()
left.plot(per_month.index.to_timestamp(), per_month)
left.set(title="Accounts that ordered, by month", ylim=(0, None))
left.tick_params(axis="x", rotation=45)
right.hist(gaps.clip(upper=180), bins=60)
right.axvline(horizon, color="black", linestyle="--")
right.set(title="Days between orders (dashed: the horizon)", yscale="log")
figure.savefig(pictures / "01_orders.png")
print(f"{len(gaps):,} gaps between order days; {longer:.2%} are longer than {params.featurize.horizon}.")

# %% [markdown]
# ## The label
#
# At each cut-off the matrix holds what was known then, and what happened afterwards: `label` (lost), and `silent_k`, no
# order within k periods. A label that has not matured is empty, never 0. *Lapsed* accounts were silent for the horizon
# already when they were scored: a case for win-back, so that the rest is told of *active* ones.

# %%
matrix = read_matrix(layout.matrix)
active = matrix[~matrix["lapsed"]]
by_cutoff = active.groupby("as_of").agg(accounts=("account_id", "size"), lost=("label", "mean"))
known = by_cutoff.dropna()
print(f"{len(active):,} active rows at {len(by_cutoff)} cut-offs, the labels of {len(known)} have matured.")

figure, axes = plt.subplots(figsize=(10, 3.5), layout="constrained")
axes.plot(known.index, known["lost"])
axes.set(title="Share of active accounts lost within the horizon, by cut-off", ylim=(0, None))
figure.savefig(pictures / "01_lost.png")

# %% [markdown]
# ## Lost, or pausing?
#
# Of the active accounts that stayed silent for the horizon, how many were still silent later on?

# %%
steps = range(1, params.featurize.steps + 1)
told = active.dropna(subset=[f"silent_{k}" for k in steps])
silent = pd.Series({k: told[f"silent_{k}"].mean() for k in steps})
main = int(np.argmin([abs(k * params.featurize.period.days - horizon) for k in steps])) + 1
lost = told[told[f"silent_{main}"] == 1]
stayed = float(lost[f"silent_{steps[-1]}"].mean())

figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
axes.bar(silent.index, silent)
axes.set(title="Share of active accounts silent for so many periods", xlabel="periods")
figure.savefig(pictures / "01_silent.png")

# %% [markdown]
# ## Finding

# %%
print(
    f"Of {len(lost):,} active accounts that stayed silent for {params.featurize.horizon}, {stayed:.0%} were silent for "
    f"{steps[-1]} periods too; {1 - stayed:.0%} came back by themselves. Only {longer:.2%} of all gaps between orders are "
    f"longer than the horizon, and {known['lost'].mean():.1%} of the active accounts are lost in one. What other "
    "definitions would say: `holdfast labels`, `docs/labels.md`."
)
