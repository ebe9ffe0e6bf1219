"""Small recipes of the models, a model of no causes, and the days and features of the rows they are trained on."""

from datetime import date

from models.causes import CauseModel, CauseRecipe
from models.risk import Recipe

NAMES = ["recency", "amount_12", "rebates_overdue", "manager_absent", "return_share_12"]
RECIPE = Recipe(40, 0.1, 8, 20, 1.0, 1.0, 1.0, 7)
META = {
    "horizon": "3 months",
    "horizon_periods": 3.0,
    "steps": 6,
    "season": {"03-01": 0.2},
    "spread": 0.2,
    "known_until": "2024-09-01",
}
DAYS = [date(2024, month, 1) for month in range(1, 7)]
CAUSES = CauseRecipe(
    lead=2, lags=1, bags=2, bag_share=0.7, warm=10, rounds=60, learning_rate=0.1, leaves=(4,), min_leaf=50, l2=1.0,
    additive=0.3, untried=0.2, stated=8.0, power=0.65, floor=0.001, unexplained=0.11, seed=3,
)  # fmt: skip
WHY = CauseModel({}, {}, {}, {}, {}, CAUSES, {})  # knows no reason
