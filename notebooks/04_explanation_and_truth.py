# %% [markdown]
# # 4 Read an explanation, and check it against the truth
#
# **Question.** The report says why an account is at risk and why it would be lost. May one believe it? On the simulated
# market the true hazard of every reason is known (`data/simulated/truth.parquet`, `market/truth.py`), so that it can be
# checked. No model has seen it.
#
# Needs the simulated source, scored and explained (`make run`).

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from models.shares import UNEXPLAINED
from models.taxonomy import taxonomy
from pipeline.layout import Layout

layout = Layout.here("simulated")
pictures = layout.artifacts / "notebooks"
pictures.mkdir(parents=True, exist_ok=True)
scores = pd.read_parquet(layout.scores)
explanations = pd.read_parquet(layout.explanations).set_index("account_id")
evidence = pd.read_parquet(layout.evidence)
truth = pd.read_parquet(layout.data / "truth.parquet")

# %% [markdown]
# ## One account
#
# The riskiest active account of which a reason is named, or the riskiest of all where none is. Two things are told, and never
# mixed: *why the model says so*, points of probability by reason, which with the base add up to the risk, signs of the loss
# among them; and *why it would be lost*, the shares, in which the signs of the loss take no part.

# %%
named = scores[~scores["lapsed"] & (scores["naming"] == "named")]
one = (named if len(named) else scores[~scores["lapsed"]]).iloc[0]
mine = explanations.loc[one["account_id"]]
points = mine.filter(like="points_").astype(float).sort_values()
shares = one.filter(like="share_").astype(float).sort_values()
print(f"{one['account_id']}: risk {one['risk']:.1%} ({one['risk_low']:.1%} to {one['risk_high']:.1%}).")
print(f"The points add up to {points.sum():.1%}.")

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained")
left.barh([name.removeprefix("points_") for name in points.index], points * 100)
left.set(title="Why the model says so: points of probability")
right.barh([name.removeprefix("share_") for name in shares.index], shares)
right.set(title="Why it would be lost: shares")
figure.savefig(pictures / "04_account.png")
sentences = evidence[(evidence["account_id"] == one["account_id"])].sort_values("place")
print(sentences[["code", "sentence"]].to_string(index=False))

# %% [markdown]
# ## The truth beside it
#
# A simulated account decides to leave by the hazards of its reasons, and orders on for a while. Of accounts that have
# decided already the month of the decision counts, of the others the last month.

# %%
codes = [*taxonomy().codes, UNEXPLAINED]
hazards = [f"hazard_{code}" for code in codes]
when = truth["decided"].fillna(truth["period"].max())
then = truth[truth["period"] == np.minimum(when, truth["period"].max())].set_index("account_id")[hazards]
then.columns = codes
true_share = then.div(then.sum(axis=1), axis=0).dropna()
print(
    (true_share.loc[one["account_id"]] if one["account_id"] in true_share.index else then.iloc[:0]).round(2).to_string()
)

# %% [markdown]
# ## All active accounts at risk
#
# The reason with the largest share against the one with the largest true hazard, among the riskiest fifth: of accounts that
# nothing threatens, the largest of several hazards next to nothing means nothing. Nobody can be right always: even who knows
# every hazard knows but the odds.

# %%
active = scores[~scores["lapsed"]]
risky = active.head(len(active) // 5).set_index("account_id")
told = risky[[f"share_{code}" for code in taxonomy().codes]].dropna().set_axis(list(taxonomy().codes), axis=1)
both = told.index.intersection(true_share.index)
said, true = told.loc[both].idxmax(axis=1), true_share.loc[both, list(taxonomy().codes)].idxmax(axis=1)
common = true.mode().iloc[0]
right_name, most_common = float((said == true).mean()), float((true == common).mean())
sure = both.intersection(named["account_id"])
of_the_named = (
    f"of the {len(sure):,} of them with a reason named, in {(said.loc[sure] == true.loc[sure]).mean():.0%}"
    if len(sure)
    else "a reason is named of none of them"
)

counts = pd.crosstab(said, true).reindex(index=taxonomy().codes, columns=taxonomy().codes, fill_value=0)
figure, axes = plt.subplots(figsize=(6.5, 5.5), layout="constrained")
axes.imshow(counts, cmap="Blues")
axes.set(
    xticks=range(len(counts)), yticks=range(len(counts)), xlabel="largest true hazard", ylabel="largest share told"
)
axes.set_xticklabels(counts.columns, rotation=45, ha="right")
axes.set_yticklabels(counts.index)
for (row, column), number in np.ndenumerate(counts.to_numpy()):
    axes.text(column, row, number, ha="center", va="center")
figure.savefig(pictures / "04_truth.png")

# %% [markdown]
# ## Finding

# %%
print(
    f"Of {len(both):,} risky active accounts the largest share is that of the largest true hazard in {right_name:.0%} "
    f"(always saying {common}: {most_common:.0%}); {of_the_named}. "
    "So read a name as likely, two candidates as candidates, and ask before acting on either. `docs/reasons.md` measures "
    "it on large markets, with intervals."
)
