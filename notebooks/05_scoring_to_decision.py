# %% [markdown]
# # 5 From a scoring to a decision
#
# **Question.** A manager has some hours a month. Whom to see, what to do there, and what is it expected to earn? The
# riskiest accounts are not the answer: some are worth little, and some go whatever one does.
#
# Needs a source scored and decided on (`make run`). The formulas: `docs/money.md`, `docs/worklist.md`.

# %%
import json

import matplotlib.pyplot as plt
import pandas as pd

from pipeline.layout import Layout
from pipeline.params import load

SOURCE = "simulated"
layout = Layout.here(SOURCE)
params = load(layout.root, SOURCE)
pictures = layout.artifacts / "notebooks"
pictures.mkdir(parents=True, exist_ok=True)
scores = pd.read_parquet(layout.scores)
worklist = pd.read_parquet(layout.decisions / "worklist.parquet")
decisions = json.loads((layout.decisions / "decisions.json").read_text(encoding="utf-8"))
active = scores[~scores["lapsed"]]

# %% [markdown]
# ## What a contact is expected to earn
#
# `contact_profit`: the risk, times the chance of keeping the account, times what it earns in a year, less the cost. It is
# above 0 for few.

# %%
rankings = {
    "expected profit": active.sort_values("contact_profit", ascending=False),
    "risk": active.sort_values("risk", ascending=False),
    "purchases": active.sort_values("amount_12", ascending=False),
}
figure, axes = plt.subplots(figsize=(7, 3.8), layout="constrained")
best = {}
for name, ranked in rankings.items():
    earned = ranked["contact_profit"].cumsum().reset_index(drop=True)
    best[name] = (int(earned.idxmax()) + 1, float(earned.max()))
    axes.plot(earned.index + 1, earned, label=f"by {name}")
axes.axhline(0, color="black", linewidth=0.8)
axes.set(title="Expected profit of contacting so many active accounts", xlabel="accounts contacted")
axes.legend()
figure.savefig(pictures / "05_profit.png")
print(pd.DataFrame(best, index=["accounts at best", "expected profit"]).T.round(0).to_string())

# %% [markdown]
# ## The worklist
#
# Within each manager's hours, by what an action for the account's reason and class takes. It counts only the part of the
# risk that an action can still lower, where the data show it: who falls silent has mostly decided before. So it promises
# less than the curve above. Of every account it says what was decided and why.

# %%
print(worklist.groupby(["decision", "why"]).size().rename("accounts").to_string())
do = worklist[worklist["decision"] == "do"]
columns = ["account_id", "manager_id", "reason", "action", "until", "hours", "profit"]
print(do.sort_values("profit", ascending=False)[columns].head(5).round(1).to_string(index=False))

# %% [markdown]
# ## Where hours are short
#
# The hours taken of those there are, by manager: where they are full, one more hour would earn its shadow value.

# %%
managers = pd.DataFrame(decisions["worklist"]["managers"])
columns = ["manager_id", "region", "accounts", "listed", "capacity", "used", "profit", "shadow_value"]
print(managers[columns].round(1).to_string(index=False))

figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
by_reason = do["profit"].groupby(do["reason"].fillna("none named")).sum().sort_values()
axes.barh(by_reason.index, by_reason)
axes.set(title="Expected net profit of the worklist, by reason")
figure.savefig(pictures / "05_reasons.png")

# %% [markdown]
# ## Finding

# %%
contacts, profit = best["expected profit"]
riskiest = rankings["risk"].head(contacts)["contact_profit"].sum()
print(
    f"As of {scores['as_of'].iloc[0]}: of {len(active):,} active accounts {contacts:,} are worth a contact, expected to earn "
    f"{profit:,.0f}; as many of the riskiest ones {riskiest:,.0f}. The worklist, within the hours there are, takes "
    f"{len(do):,} accounts and {do['hours'].sum():,.1f} hours and is expected to earn {do['profit'].sum():,.0f} more than "
    f"it costs. All of it rests on `money.kept` ({params.money.kept:.0%} of those contacted can be kept), which nobody has "
    "measured on your accounts: contact a random half of the list, and set it to what you see."
)
