"""Where things lie: the project's folder, and a source's data and artifacts under it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from features.errors import ConfigurationError


@dataclass(frozen=True)
class Layout:
    """Paths of one source below the project's folder `root`."""

    root: Path
    source: str

    @classmethod
    def here(cls, source: str) -> Layout:
        """The project the command runs in: the nearest folder upwards that holds `params.yaml` and `sources/`.

        Raises ConfigurationError if there is none.
        """
        for folder in (Path.cwd(), *Path.cwd().parents):
            if (folder / "params.yaml").exists() and (folder / "sources").is_dir():
                return cls(folder, source)
        raise ConfigurationError(
            f"{Path.cwd()} is not inside a Holdfast project (no params.yaml with sources/). Change to its folder."
        )

    @property
    def data(self) -> Path:
        return self.root / "data" / self.source

    @property
    def raw(self) -> Path:
        return self.data / "raw"

    @property
    def tables(self) -> Path:
        return self.data / "tables"

    @property
    def feedback(self) -> Path:
        return self.data / "feedback"

    @property
    def matrix(self) -> Path:
        return self.data / "matrix"

    @property
    def artifacts(self) -> Path:
        return self.root / "artifacts" / self.source

    @property
    def model(self) -> Path:
        return self.artifacts / "model"

    @property
    def causes(self) -> Path:
        return self.artifacts / "causes"

    @property
    def predictions(self) -> Path:
        return self.artifacts / "predictions.parquet"

    @property
    def metrics(self) -> Path:
        return self.artifacts / "metrics.json"

    @property
    def summary(self) -> Path:
        return self.artifacts / "summary.json"

    @property
    def curves(self) -> Path:
        return self.artifacts / "curves"

    @property
    def reason_mix(self) -> Path:
        return self.artifacts / "reason_mix.csv"

    @property
    def card(self) -> Path:
        return self.artifacts / "model_card.md"

    @property
    def scores(self) -> Path:
        return self.artifacts / "scores.parquet"

    @property
    def live(self) -> Path:
        return self.artifacts / "live.json"

    @property
    def explanations(self) -> Path:
        return self.artifacts / "explanations.parquet"

    @property
    def evidence(self) -> Path:
        return self.artifacts / "evidence.parquet"

    @property
    def previous(self) -> Path:
        return self.artifacts / "previous.parquet"

    @property
    def similar(self) -> Path:
        return self.artifacts / "similar.parquet"

    @property
    def decisions(self) -> Path:
        return self.artifacts / "decisions"

    @property
    def history(self) -> Path:
        return self.artifacts / "history"

    @property
    def monitoring(self) -> Path:
        return self.artifacts / "monitoring.json"

    @property
    def monitoring_page(self) -> Path:
        return self.artifacts / "monitoring.html"

    @property
    def reasons(self) -> Path:
        return self.artifacts / "reasons.json"

    @property
    def tuning(self) -> Path:
        return self.artifacts / "tuning.json"

    @property
    def plots(self) -> Path:
        return self.artifacts / "plots"

    @property
    def report(self) -> Path:
        return self.artifacts / "report"

    @property
    def labels(self) -> Path:
        return self.artifacts / "labels.json"

    @property
    def labels_page(self) -> Path:
        return self.artifacts / "labels.html"

    @property
    def reason_audit(self) -> Path:
        return self.artifacts / "reason_audit.csv"
