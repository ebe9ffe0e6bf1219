"""`params.yaml` and a source's overlay of it, checked before a stage starts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from features.errors import ConfigurationError
from features.labels import DEFINITIONS
from features.matrix import MOST_STEPS
from market.scenarios import SCENARIOS
from pipeline.param_types import DurationField, Seconds, Size, SomeTime
from reports.language import LANGUAGES


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


SectionType = TypeVar("SectionType", bound=Section)


class Simulate(Section):
    accounts: int = Field(ge=10)
    periods: int = Field(ge=18)
    seed: int = Field(ge=0)
    start: date
    scenario: str

    @field_validator("start")
    @classmethod
    def _first_of_a_month(cls, start: date) -> date:
        if start.day != 1:
            raise ValueError(f"must be the first of a month, for example {start.replace(day=1)}")
        return start

    @field_validator("scenario")
    @classmethod
    def _known(cls, scenario: str) -> str:
        if scenario not in SCENARIOS:
            raise ValueError(f"must be one of {', '.join(SCENARIOS)}")
        return scenario


class Ingest(Section):
    earliest: date
    latest: date | None
    quarantine_limit: float = Field(ge=0, le=1)
    memory: Size
    pseudonymise: bool = False


class Spark(Section):
    master: str = Field(min_length=1)
    settings: dict[str, str | int | float | bool]


class Featurize(Section):
    period: SomeTime
    horizon: SomeTime
    eligible: SomeTime
    min_orders: int = Field(ge=1)
    booking_lag: DurationField
    steps: int = Field(ge=1, le=MOST_STEPS)
    label: str
    halved: float = Field(gt=0, le=1)
    rhythm_gaps: float = Field(ge=1)
    rhythm_cap: int = Field(ge=1)
    first_cutoff: date | None
    last_cutoff: date | None
    history: DurationField
    engine: Literal["duckdb", "spark"]
    memory: Size
    block: int = Field(ge=1)
    spark: Spark

    @field_validator("label")
    @classmethod
    def _known(cls, label: str) -> str:
        if label not in DEFINITIONS:
            raise ValueError(f"must be one of {', '.join(DEFINITIONS)}")
        return label


class Audit(Section):
    cutoffs: int = Field(ge=1)
    auc_limit: float = Field(gt=0.5, le=1)


class Train(Section):
    cutoffs: int = Field(ge=1)
    held_out: int = Field(ge=0)
    sample: float = Field(gt=0, le=1)
    min_losses: int = Field(ge=1)
    rounds: int = Field(ge=1)
    learning_rate: float = Field(gt=0, le=1)
    leaves: int = Field(ge=2)
    min_leaf: int = Field(ge=1)
    feature_fraction: float = Field(gt=0, le=1)
    bagging_fraction: float = Field(gt=0, le=1)
    l2: float = Field(ge=0)
    seed: int


class Reasons(Section):
    lead: int = Field(ge=0)
    lags: int = Field(ge=0)
    bags: int = Field(ge=1)
    bag_share: float = Field(gt=0, le=1)
    warm: int = Field(ge=0)
    rounds: int = Field(ge=1)
    learning_rate: float = Field(gt=0, le=1)
    leaves: tuple[Annotated[int, Field(ge=2)], ...] = Field(min_length=1)
    min_leaf: int = Field(ge=1)
    l2: float = Field(ge=0)
    additive: float = Field(ge=0, le=1)
    untried: float = Field(ge=0)
    stated: float = Field(ge=0)
    power: float = Field(gt=0, le=1)
    floor: float = Field(gt=0)
    unexplained: float = Field(gt=0)
    seed: int


class Tune(Section):
    cutoffs: list[date] | None
    tests: int = Field(ge=2)
    before: date | None
    budget: Seconds
    trials: int | None = Field(ge=1)
    warm: int = Field(ge=1)
    space: dict[str, tuple[float, float]] = Field(min_length=1)
    also: list[dict[str, float]]
    bootstrap: int = Field(ge=20)
    level: float = Field(gt=0, lt=1)
    seed: int = Field(ge=0)

    @field_validator("space")
    @classmethod
    def _ranges_of_train(cls, space: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        for name, ends in space.items():
            _of_train(name, *ends)
            if ends[0] >= ends[1]:
                raise ValueError(f"{name} must be searched from a lower to a higher value, not from {ends}")
        return space

    @field_validator("also")
    @classmethod
    def _values_of_train(cls, also: list[dict[str, float]]) -> list[dict[str, float]]:
        for values in also:
            for name, value in values.items():
                _of_train(name, value)
        return also

    @model_validator(mode="after")
    def _also_in_space(self) -> Tune:
        if other := sorted({name for values in self.also for name in values} - set(self.space)):
            raise ValueError(f"also: {other[0]} is not searched; add it to space, or leave it out")
        return self


NOT_SEARCHED = ("seed", "sample")  # more rows are better, as far as memory goes


def _of_train(name: str, *values: float) -> None:
    """Raise ValueError unless it is a number among the parameters of `train` that may take these values."""
    numbers = [known for known, field in Train.model_fields.items() if field.annotation in (int, float)]
    if name in NOT_SEARCHED or name not in numbers:
        known_numbers = ", ".join(number for number in numbers if number not in NOT_SEARCHED)
        raise ValueError(f"{name} cannot be searched; of train can be: {known_numbers}")
    allowed: TypeAdapter[float] = TypeAdapter(Train.model_fields[name].rebuild_annotation())
    for value in values:
        try:
            allowed.validate_python(value)
        except ValidationError as error:
            raise ValueError(f"{name}: {error.errors()[0]['msg']}, it cannot be {value:g}") from None


class Evaluate(Section):
    cutoffs: list[date] | None
    tests: int = Field(ge=1)
    bootstrap: int = Field(ge=20)
    level: float = Field(gt=0, lt=1)
    gate_auc_gain: float
    gate_ece: float = Field(gt=0)
    gate_margin: float = Field(ge=0)
    gate_ece_margin: float = Field(ge=0)
    gate_reasons: float = Field(ge=0, le=1)
    gate_reasons_large: float = Field(ge=0, le=1)
    seed: int


class Score(Section):
    as_of: date | None
    level: float = Field(gt=0, lt=1)
    max_age: DurationField | None
    changed: float = Field(ge=0, le=1)


class Money(Section):
    margin: float = Field(gt=0, le=1)
    contact_cost: float | None = Field(ge=0, allow_inf_nan=False)
    contact_share: float = Field(ge=0, allow_inf_nan=False)
    incentive: float = Field(ge=0, allow_inf_nan=False)
    incentive_share: float = Field(ge=0, lt=1)
    kept: float = Field(gt=0, lt=1)
    kept_accounts: float = Field(gt=0, allow_inf_nan=False)


class Explain(Section):
    precision: float = Field(ge=0, le=1)
    also: float = Field(ge=0, le=1)
    rank: int | None = Field(ge=1)
    plot_accounts: int = Field(ge=10)


class Report(Section):
    accounts: int = Field(ge=1)
    at_risk: float = Field(ge=0, le=1)
    languages: list[str] = Field(min_length=1)
    currency: str

    @field_validator("languages")
    @classmethod
    def _with_a_catalogue(cls, languages: list[str]) -> list[str]:
        for language in languages:
            if language not in LANGUAGES:
                raise ValueError(f"{language} has no catalogue; languages are {', '.join(LANGUAGES)}")
        if len(set(languages)) < len(languages):
            raise ValueError("each language once")
        return languages


class Segments(Section):
    contribution: float | None = Field(gt=0, allow_inf_nan=False)
    stability: float | None = Field(gt=0, le=1)
    large: float = Field(gt=0, lt=1)
    medium: float = Field(gt=0, lt=1)
    history: int = Field(ge=2)
    least_history: int = Field(ge=1)
    least_order_days: int = Field(ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> Segments:
        if self.medium <= self.large:
            raise ValueError(f"medium ({self.medium}) must be above large ({self.large}): it holds both")
        return self


class Kinds(Section):
    habit: int = Field(ge=1)
    vip: float = Field(gt=0, lt=1)
    adept: float = Field(gt=0, le=1)
    overdue_days: int = Field(ge=1)
    overdue_share: float = Field(gt=0, allow_inf_nan=False)


class WinBack(Section):
    former: float = Field(gt=0, lt=1)
    new: float = Field(gt=0, lt=1)
    prior_accounts: float = Field(gt=0, allow_inf_nan=False)
    contacts: int = Field(ge=1)
    talk_by: str = Field(min_length=1)


class Weights(Section):
    size_strength: float = Field(ge=0, allow_inf_nan=False)
    management_level: float = Field(ge=0, allow_inf_nan=False)
    customer_reach: float = Field(ge=0, allow_inf_nan=False)
    purchasing_power: float = Field(ge=0, allow_inf_nan=False)
    marketing_level: float = Field(ge=0, allow_inf_nan=False)
    growth: float = Field(ge=0, allow_inf_nan=False)
    relative_advantage: float = Field(ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _some(self) -> Weights:
        if not any(self.model_dump().values()):
            raise ValueError("at least one criterion must have a weight above zero")
        return self


class Prospects(Section):
    weights: Weights
    least_judged: float = Field(gt=0, le=1)
    high: float | None = Field(gt=1, le=5)
    sample: float = Field(ge=0, le=1)
    seed: int = Field(ge=0)


class Worklist(Section):
    hours_share: float = Field(gt=0, le=1)
    monthly_hours: float = Field(ge=0, le=744)
    unassigned_hours: float = Field(ge=0, allow_inf_nan=False)
    region_hours: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]]
    class_share: dict[Literal["EI", "EII", "EIII", "EIV"], Annotated[float, Field(ge=0, le=1)]]
    hour_cost: float | None = Field(ge=0, allow_inf_nan=False)
    gap: float = Field(ge=0, lt=1)
    nodes: int = Field(ge=1)

    @field_validator("class_share")
    @classmethod
    def _no_more_than_all(cls, share: dict[str, float]) -> dict[str, float]:
        if sum(share.values()) > 1 + 1e-9:
            raise ValueError(f"must sum to 1 at most, not {sum(share.values()):g}")
        return share


class Economics(Section):
    cost_of_winning: float | None = Field(gt=0, allow_inf_nan=False)
    years: int = Field(ge=2, le=50)
    payback_months: int = Field(ge=1)
    least: int = Field(ge=2)


class Similar(Section):
    accounts: int = Field(ge=1)
    cutoffs: int = Field(ge=1)


class Leavers(Section):
    ago: SomeTime


class Feedback(Section):
    level: float = Field(gt=0, lt=1)
    seed: int = Field(ge=0)


def _rising(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] > ends[1]:
        raise ValueError(f"must be [watch, alarm], the alarm no lower than the watch, not {list(ends)}")
    return ends


Ends = Annotated[
    tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], Annotated[float, Field(ge=0, allow_inf_nan=False)]],
    AfterValidator(_rising),
]


class Monitor(Section):
    drift: Ends
    missing: Ends
    unseen: Ends
    bounds: Ends
    accounts: Ends
    lapsed: Ends
    expected_share: Ends
    reason_mix: Ends
    stale_days: Ends
    model_days: Ends
    auc: Ends
    level: Ends
    calibration: Ends
    names: Ends
    chance: float = Field(gt=0, lt=0.5)
    pairs: int = Field(ge=0)


class Params(Section):
    sources: list[str]
    simulate: Simulate
    ingest: Ingest
    featurize: Featurize
    audit: Audit
    train: Train
    reasons: Reasons
    tune: Tune
    evaluate: Evaluate
    score: Score
    money: Money
    explain: Explain
    report: Report
    segments: Segments
    kinds: Kinds
    win_back: WinBack
    prospects: Prospects
    worklist: Worklist
    economics: Economics
    similar: Similar
    leavers: Leavers
    feedback: Feedback
    monitor: Monitor


def load(root: Path, source: str) -> Params:
    """Read `params.yaml` under `root` with the overlay of `source`.

    Raises
    ------
    ConfigurationError
        If a file is missing or not YAML, or a value is unknown, missing or out of range.
    """
    base = _read(root / "params.yaml")
    overlay_path = root / "sources" / source / "params.yaml"
    overlay = _read(overlay_path) if overlay_path.exists() else {}
    unknown = sorted(set(overlay) - set(base))
    if unknown:
        raise ConfigurationError(
            f"{overlay_path}: unknown section {unknown[0]!r}. Sections are {', '.join(sorted(base))}."
        )
    merged = {
        name: _overlaid(name, value, overlay[name], overlay_path) if name in overlay else value
        for name, value in base.items()
    }
    try:
        return Params.model_validate(merged)
    except ValidationError as error:
        where = f"params.yaml with {overlay_path}" if overlay else "params.yaml"
        raise ConfigurationError(
            "\n".join([f"{where} is not valid:", *_told(error), "Correct these values."])
        ) from None


def _overlaid(name: str, base: Any, overlay: Any, path: Path) -> Any:
    if not isinstance(base, dict):
        return overlay
    if overlay is None:  # all its values are comments
        return base
    if not isinstance(overlay, dict):
        raise ConfigurationError(f"{path}: section {name} must hold values by name; it holds {overlay!r}.")
    return {**base, **overlay}


def changed(section: SectionType, given: Mapping[str, Any]) -> SectionType:
    """The section with the options that were given on the command line (not None), checked again.

    Raises ConfigurationError if one is out of range.
    """
    chosen = section.model_dump() | {name: value for name, value in given.items() if value is not None}
    try:
        return type(section).model_validate(chosen)
    except ValidationError as error:
        raise ConfigurationError("\n".join(["The options are not valid:", *_told(error)])) from None


def _told(error: ValidationError) -> list[str]:
    return [
        f"  {'.'.join(str(part) for part in item['loc'])}: {item['msg']} (got {item['input']!r})"
        for item in error.errors()
    ]


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"{path} is missing. Run from the project's folder.") from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not YAML: {error}") from None
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path} must hold sections with values; it holds {type(content).__name__}.")
    return content
