# %% [markdown]
# # 2 A feature of your own
#
# **Question.** Somebody in sales says: "They go when they have complained and we let it lie: not once, but as a habit." Is
# there such a feature, from a declaration to a sentence in the report, and does it tell lost accounts from kept ones?
#
# A feature is one function in the file of its theme; nothing else changes. Here it is added to a *copy* of the project, so
# that yours stays as it is. Needs a source that has gone through all stages (`make run`).

# %%
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
import pandas as pd

import features
from models.metrics import METRICS, tally
from models.risk import RiskModel
from pipeline.frames import read_matrix
from pipeline.layout import Layout

SOURCE = "simulated"
layout = Layout.here(SOURCE)
pictures = layout.artifacts / "notebooks"
pictures.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## The declaration
#
# A *fact* says what is folded from a table: here complaints that waited for more than two weeks, by the day on which they
# were settled, for not before that day does anybody know how long it took. The *feature* is a formula over facts.
# Its name is the column; its docstring is the documentation; unit, direction, reason and sentence say how it may count, what
# it is evidence for, and how a report tells it.

# %%
NAME = "complaints_slow_12"
DECLARATION = '''

SLOW = Additive(
    "complaints_slow",
    "complaints",
    "resolved_at",
    where=lambda t: t.resolved_at.cast("date").delta(t.opened_at.cast("date"), unit="day") > 14,
)


@theme.feature(
    unit="complaints",
    reason=_DETAILS,
    direction="rises",
    windows=(12,),
    low=0,
    sentence="{value} complaints settled in the last {w} periods had waited for more than two weeks.",
)
def complaints_slow(v: View, w: int) -> Array:
    """Complaints settled in the last {w} periods that had waited for more than 14 days."""
    return v.total(SLOW, w)
'''

# %% [markdown]
# ## A copy of the project with it
#
# The folders of code, this source's tables and models, and the parameters.

# %%
code = Path(features.__file__).parents[1]
copy = Path(mkdtemp(prefix="holdfast-feature-")) / "project"
for package in ("features", "models", "reports", "pipeline", "market", "benchmarks"):
    shutil.copytree(code / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
for folder in ("sources", f"data/{SOURCE}/tables", f"artifacts/{SOURCE}"):
    shutil.copytree(
        layout.root / folder, copy / folder, ignore=shutil.ignore_patterns("history", "report", "notebooks")
    )
for file in ("params.yaml", "reasons.yaml", "dvc.yaml"):
    shutil.copyfile(layout.root / file, copy / file)
with (copy / "features" / "complaints.py").open("a", encoding="utf-8") as theme:
    theme.write(DECLARATION)

# %% [markdown]
# ## From the declaration to the report
#
# The same stages as ever; `python -m` in the copy runs the copy's code. The decisions are taken over as they are.

# %%
alone = {**os.environ, "PYTHONPATH": str(copy), "MLFLOW_TRACKING_URI": f"sqlite:///{copy / 'mlflow.db'}"}
for stage in ("featurize", "train", "score", "explain"):
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", stage, "--source", SOURCE],
        cwd=copy,
        env=alone,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    print(done.stderr.strip().splitlines()[-1])

# %% [markdown]
# It is a column of the matrix at every cut-off, as it was known then, and one of the model's.

# %%
copied = Layout(copy, SOURCE)
matrix = read_matrix(copied.matrix)
model = RiskModel.load(copied.model)
print(f"in the matrix: {NAME in matrix}; in the model: {NAME in model.features}")

# %% [markdown]
# ## Does it tell lost from kept?
#
# Among active accounts with a matured label, all cut-offs together. A feature that ranks losses too well is suspect:
# `holdfast audit` proves on your tables that none knows the future, this one included.

# %%
active = matrix[~matrix["lapsed"] & matrix["label"].notna()]
groups = active.groupby(active[NAME].clip(upper=3))["label"].agg(["mean", "size"])
ranked = active[NAME].rank(pct=True)  # a tally asks for numbers from 0 to 1; only their order counts here
auc = float(METRICS["auc"](tally(active["label"], ranked))[0])

figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
axes.bar(groups.index, groups["mean"])
axes.set(title="Share lost by slow complaints of 12 periods (3: or more)", xlabel=NAME, xticks=list(groups.index))
figure.savefig(pictures / "02_slow_complaints.png")
print(groups.to_string())

# %% [markdown]
# ## What a report says of it
#
# Sentences are told for the reasons named and against the loss, at most three each, the strongest first.

# %%
evidence = pd.read_parquet(copied.evidence)
told = evidence[evidence["feature"] == NAME]
print("\n".join(told["sentence"].head(3)) or "No account is told it: other evidence of the same reason is stronger.")

# %% [markdown]
# ## Finding

# %%
some = active[NAME] > 0
print(
    f"{NAME} is above 0 in {some.mean():.1%} of the active rows; {active.loc[some, 'label'].mean():.1%} of these were lost, "
    f"{active.loc[~some, 'label'].mean():.1%} of the others. Alone it ranks a lost account above a kept one "
    f"{auc:.1%} of the time (50 % is a coin), and {told['account_id'].nunique():,} accounts are told it. Whether the "
    "model is better with it is for notebook 3 and `holdfast evaluate`; `make test` compares it with the plain oracle."
)
shutil.rmtree(copy.parent)
