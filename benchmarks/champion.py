"""What the gate to champion has to tell apart: `python -m benchmarks.champion`, on the simulated market of `make run`.

Recipes refitted at the test cut-offs beside the one of `params.yaml`; champions trained earlier, and one that has seen the
labels it is tested on; and how many accounts have another largest share by a model of causes trained otherwise.
"""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from features.matrix import KEYS
from models import competing
from models.causes import CauseModel, CauseRecipe
from models.metrics import evaluate
from pipeline.champion import changes
from pipeline.evaluate import test_cutoffs
from pipeline.frames import label_of, read_matrix
from pipeline.layout import Layout
from pipeline.params import Params, changed, load
from pipeline.past import Past
from pipeline.reasons import learn_exits
from pipeline.train import fit_at

RECIPES = {"seed 8": {"seed": 8}, "seed 9": {"seed": 9}, "100 trees": {"rounds": 100}, "9 cut-offs": {"cutoffs": 9}}
EARLIER = (0, 6, 12)  # periods before the first test cut-off
CAUSES = {"seed 8": {"seed": 8}, "of one cut-off": {"lags": 0}, "power .5": {"power": 0.5}}
BACK = (1, 3, 6)  # the last periods left out


def risks(matrix: pd.DataFrame, params: Params) -> list[str]:
    """AUC of the recipe less that of each other, with the paired interval, and the difference in calibration error."""
    cutoffs, featurize = test_cutoffs(matrix, params.evaluate), params.featurize
    fixed = {
        f"trained {back} periods before": fit_at(
            matrix, featurize.period.before(cutoffs[0], back), featurize, params.train
        )
        for back in EARLIER
    }
    fixed["has seen the labels"] = fit_at(matrix, label_of(featurize).matures(cutoffs[-1]), featurize, params.train)
    parts = []
    for cutoff in cutoffs:
        test = matrix[(matrix["as_of"] == cutoff) & matrix["label"].notna()].reset_index(drop=True)
        frame = test[["account_id", "as_of", "label", "lapsed"]].copy()
        frame["risk"] = fit_at(matrix, cutoff, featurize, params.train).predict(test)
        for name, values in RECIPES.items():
            frame[name] = fit_at(matrix, cutoff, featurize, changed(params.train, values)).predict(test)
        parts.append(frame.assign(**{name: model.predict(test) for name, model in fixed.items()}))
    names = ["risk", *RECIPES, *fixed]
    given = params.evaluate
    found = evaluate(pd.concat(parts, ignore_index=True), names, given.bootstrap, given.level, given.seed)
    lines = [f"{'the recipe less':28} {'AUC':>8} {'from':>8} {'to':>8} {'ECE':>8}"]
    own = found["population"]["all"]["risk"]["mean"]["ece"]["value"]
    for name in names[1:]:
        auc = found["paired"]["all"][name]["mean"]["auc"]
        ece = own - found["population"]["all"][name]["mean"]["ece"]["value"]
        lines.append(f"{name:28} {auc['value']:+8.4f} {auc['low']:+8.4f} {auc['high']:+8.4f} {ece:+8.4f}")
    return lines


def reasons(layout: Layout, matrix: pd.DataFrame, params: Params) -> list[str]:
    """Share of the active accounts with another largest share, of all and where it is above one half."""
    features = [name for name in matrix.columns if name not in KEYS]
    days = sorted(set(matrix["as_of"]))
    recipe = CauseRecipe(**params.reasons.model_dump())

    def trained(rows: pd.DataFrame, recipe: CauseRecipe = recipe) -> CauseModel:
        ahead = competing.ahead(rows, params.featurize.period, recipe.lead)
        return competing.fit(ahead, features, recipe, progress=False)

    now = trained(matrix)
    others = {f"{back} periods earlier": trained(matrix[matrix["as_of"].isin(days[:-back])]) for back in BACK}
    others |= {name: trained(matrix, replace(recipe, **values)) for name, values in CAUSES.items()}
    others["taught by exits"] = learn_exits(layout, now, Past(matrix), params.featurize)
    lines = [f"{'another largest share':28} {'all':>8} {'large':>8}"]
    for name, other in others.items():
        told = changes(now, other, Past(matrix), params.featurize)
        large = "-" if told["large"] is None else f"{told['large']:.1%}"
        lines.append(f"{name:28} {told['all']:>8.1%} {large:>8}")
    return lines


def main() -> None:
    layout = Layout.here("simulated")
    params = load(layout.root, layout.source)
    matrix = read_matrix(layout.matrix)
    print("\n".join([*risks(matrix, params), "", *reasons(layout, matrix, params)]))


if __name__ == "__main__":
    main()
