# %% [markdown]
# # 3 Retrain and compare
#
# **Question.** Does it pay to train again, and is another recipe better than the present one? "Better" means: on labels
# that no model compared has seen, by more than chance.
#
# Needs the matrix and an evaluation of the source (`make run`). Nothing is registered here: `holdfast train` does that.

# %%
import json

import matplotlib.pyplot as plt
import pandas as pd

from models.horizons import matured
from models.metrics import evaluate
from pipeline.frames import label_of, read_matrix
from pipeline.layout import Layout
from pipeline.params import changed, load
from pipeline.train import fit_at

SOURCE = "simulated"
layout = Layout.here(SOURCE)
params = load(layout.root, SOURCE)
pictures = layout.artifacts / "notebooks"
pictures.mkdir(parents=True, exist_ok=True)
matrix = read_matrix(layout.matrix)

# %% [markdown]
# ## One cut-off that nobody has seen
#
# The last one whose label has matured is the test. `fit_at(matrix, day, ...)` learns only from labels that had matured by
# `day`, so that the gap between training and test is the horizon, as it will be in use (`docs/time.md`).

# %%
label = label_of(params.featurize)
cutoffs = sorted(set(matrix["as_of"]))
test = max(matrix.loc[matrix["label"].notna(), "as_of"])
half_a_year_before = params.featurize.period.before(test, 6)
rows = matrix[(matrix["as_of"] == test) & matrix["label"].notna()].reset_index(drop=True)
print(f"Test: {len(rows):,} accounts at {test}, {int(rows['label'].sum())} lost by {label.end(test)}.")

# %% [markdown]
# ## Three models
#
# - `present`: the recipe of `params.yaml`, trained at the test's cut-off;
# - `stale`: the same recipe, trained half a year earlier and left alone since;
# - `smaller`: trees of 4 leaves, a recipe that might do as well.

# %%
smaller = changed(params.train, {"leaves": 4})
fitted = {
    "present": fit_at(matrix, test, params.featurize, params.train),
    "stale": fit_at(matrix, half_a_year_before, params.featurize, params.train),
    "smaller": fit_at(matrix, test, params.featurize, smaller),
}
for name, model in fitted.items():
    seen = [day for day in cutoffs if str(day) in model.meta["train_cutoffs"]]
    print(f"{name}: {len(seen)} cut-offs, {seen[0]} to {seen[-1]}")
last = matured(cutoffs, test, label, 1)[-1]
print(f"The last label that had matured at the test is that of {last}.")

# %% [markdown]
# ## Compared on the same accounts
#
# Intervals resample the accounts, the same ones for all models, so that differences are paired.

# %%
predictions = rows[["account_id", "as_of", "label", "lapsed"]].assign(**{n: m.predict(rows) for n, m in fitted.items()})
found = evaluate(predictions, list(fitted), params.evaluate.bootstrap, params.evaluate.level, params.evaluate.seed)
table = pd.DataFrame(
    {
        name: {
            metric: cell["mean"][metric]["value"] for metric in ("auc", "average_precision", "lift_10", "brier", "ece")
        }
        for name, cell in found["population"]["all"].items()
    }
)
print(table.round(4).to_string())
less = {name: cell["mean"]["auc"] for name, cell in found["paired"]["all"].items()}

figure, axes = plt.subplots(figsize=(7, 2.5), layout="constrained")
for place, gain in enumerate(less.values()):
    axes.plot([gain["low"], gain["high"]], [place, place], color="tab:blue")
    axes.plot(gain["value"], place, "o", color="tab:blue")
axes.axvline(0, color="black", linestyle="--")
axes.set(yticks=range(len(less)), yticklabels=[f"present less {name}" for name in less], ylim=(-0.5, len(less) - 0.5))
axes.set(title=f"Difference in AUC, with the {params.evaluate.level:.0%} interval")
figure.savefig(pictures / "03_difference.png")

# %% [markdown]
# ## What the gate said of the model in use
#
# `holdfast evaluate` does the same at several cut-offs, beside baselines and the champion, and decides by the limits of
# section `evaluate`. A person may decide otherwise: `holdfast promote`, `holdfast rollback`.

# %%
metrics = json.loads(layout.metrics.read_text(encoding="utf-8"))
print(f"{'Champion' if metrics['decision']['champion'] else 'Not champion'}: {metrics['decision']['why']}.")

# %% [markdown]
# ## Finding

# %%
verdict = {
    name: "better for sure"
    if gain["low"] > 0
    else "worse for sure"
    if gain["high"] < 0
    else "not to be told from chance"
    for name, gain in less.items()
}
print(
    f"At {test} the present recipe has an AUC of {table.loc['auc', 'present']:.3f}. Against the model of half a year before "
    f"it is {less['stale']['value']:+.4f} ({less['stale']['low']:+.4f} to {less['stale']['high']:+.4f}): "
    f"{verdict['stale']}. Against smaller trees {less['smaller']['value']:+.4f} ({less['smaller']['low']:+.4f} to "
    f"{less['smaller']['high']:+.4f}): {verdict['smaller']}. One cut-off is little: change `train` in params.yaml, then "
    "`holdfast train` and `holdfast evaluate`; or let `holdfast tune` search, which tells luck from gain."
)
