"""MLflow's registry as the record of who is champion, why, and who decided.

The alias `champion` is the truth. Beside it stand, on the registered model, `previous_champion` (the version it
replaced, until it is brought back) and `restored` (what the last rollback did); and on each version what was decided of
it: `decision`, `decided_by`, `decided_why`, `decided_at`, `gate_passed`, `gate_why`, `replaced` (the version it was
compared with, or took the place of; "none" for the first) and `withdrawn` (who put another in its place, until a person
brings it back). The alias is moved last, so that a command killed half-way can be given again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from features.errors import ConfigurationError, LimitError
from models.backend import quiet_mlflow, told
from models.causes import CauseModel
from models.risk import RiskModel
from models.tracking import CARD, downloaded_model, own_version, registered_name

AUTOMATIC = "holdfast evaluate"
NONE = "none"
Render = Callable[[Mapping[str, Any]], str]


@dataclass(frozen=True)
class Standing:
    """What the registry knows of a version: whether it is champion, and what was decided of it so far.

    `rival` is the version it is compared with: the champion, or the one it replaced where it is champion itself, so that
    an evaluation repeated gives what it gave; None for the first.
    """

    version: str
    champion: bool
    rival: str | None
    by: str | None
    why: str | None
    withdrawn: str | None


@dataclass(frozen=True)
class Registered:
    """The models of a version and the parameters their run was told, as MLflow keeps them: text."""

    version: str
    risk: RiskModel
    why: CauseModel
    params: Mapping[str, str]


def standing(source: str, model: RiskModel, why: CauseModel) -> Standing:
    """What is known of these very models. Raises ConfigurationError if they were never registered."""
    with quiet_mlflow() as mlflow:
        client = mlflow.MlflowClient()
        version = own_version(mlflow, source, model, why)
        champion = _champion(client, source)
        number, tags = str(version.version), version.tags
        replaced = tags.get("replaced", NONE)
        rival = (None if replaced == NONE else replaced) if champion == number else champion
        return Standing(
            version=number,
            champion=champion == number,
            rival=rival,
            by=tags.get("decided_by"),
            why=tags.get("decided_why"),
            withdrawn=tags.get("withdrawn"),
        )


def registered(source: str, version: str) -> Registered:
    """The models of one version. Raises ConfigurationError if they are gone, or of another version of Holdfast."""
    try:
        with downloaded_model(source, version) as folder:
            risk, why = RiskModel.load(folder), CauseModel.load(folder.with_name("causes"))
    except (ConfigurationError, OSError):  # whose words would name a folder that is gone again
        raise ConfigurationError("its files are gone, or of another version of Holdfast") from None
    with quiet_mlflow() as mlflow:
        client = mlflow.MlflowClient()
        run = client.get_run(client.get_model_version(registered_name(source), version).run_id)
    return Registered(version, risk, why, dict(run.data.params))


def decide(found: Standing, gate: Mapping[str, Any]) -> dict[str, Any]:
    """What an evaluation decides: "champion" (whether the version is, from now on), "by" whom it was decided and "why".

    Nothing is undone that a person decided: a champion stays one, and what was rolled back does not come back by itself.
    """
    if found.champion:
        kept = "stays champion" if gate["passed"] else "stays champion although the gate is not passed"
        return {"champion": True, "by": found.by or AUTOMATIC, "why": found.why or kept}
    if gate["passed"] and found.withdrawn:
        why = f"{found.withdrawn}; the gate is passed, `holdfast promote` brings it back"
        return {"champion": False, "by": AUTOMATIC, "why": why}
    return {"champion": bool(gate["passed"]), "by": AUTOMATIC, "why": gate["why"]}


def settle(source: str, found: Standing, gate: Mapping[str, Any], decision: Mapping[str, Any]) -> None:
    """Put an evaluation's decision on record, and into force. The same decision again changes nothing."""
    with quiet_mlflow() as mlflow:
        client = mlflow.MlflowClient()
        name = registered_name(source)
        for tag in ("passed", "why"):
            client.set_model_version_tag(name, found.version, f"gate_{tag}", str(gate[tag]))
        if found.champion or found.withdrawn:
            return
        client.set_model_version_tag(name, found.version, "replaced", found.rival or NONE)
        word = "promoted" if decision["champion"] else "not promoted"
        _record(client, source, found.version, word, decision["by"], decision["why"], {"gate": dict(gate)})
        if decision["champion"]:
            _crown(client, source, found.version)


def promote(source: str, version: str | None, by: str, why: str | None, force: bool, render: Render) -> str:
    """Make a version (the challenger where None) champion; says what was done.

    Raises LimitError if its gate was not passed, ConfigurationError if it was not evaluated; neither with `force`, which
    needs a `why`. `render` makes the model card anew from what the run has kept.
    """
    if force and not why:
        raise ConfigurationError("--force passes over the gate: say why with --why TEXT.")
    with quiet_mlflow() as mlflow:
        client = mlflow.MlflowClient()
        model = _registered_model(mlflow, client, source)
        number = version or str(model.aliases.get("challenger", ""))
        chosen = _version(client, source, number)
        champion = _champion(client, source)
        if champion == number:
            return f"Version {number} of {model.name} is champion already; nothing was changed."
        passed = chosen.tags.get("gate_passed")
        if not force and passed is None:
            raise ConfigurationError(
                f"Version {number} of {model.name} was not evaluated. Run `holdfast evaluate --source {source}` while "
                "artifacts/ holds it, or give --force with --why TEXT."
            )
        if not force and passed != "True":
            raise LimitError(
                f"Version {number} of {model.name} did not pass the gate: {chosen.tags.get('gate_why')}. "
                "Give --force with --why TEXT to promote it nevertheless."
            )
        reason = why or str(chosen.tags.get("gate_why"))
        compared = chosen.tags.get("replaced")
        client.set_model_version_tag(model.name, number, "replaced", champion or NONE)
        client.delete_model_version_tag(model.name, number, "withdrawn")
        if champion is not None:
            said = f"version {champion} was replaced by version {number} by {by} ({reason})"
            client.set_model_version_tag(model.name, champion, "withdrawn", said)
        forced = force and passed != "True"
        further = {"forced": forced, "gate_why": chosen.tags.get("gate_why", "not evaluated")}
        _record(client, source, number, "promoted", by, reason, further, render)
        _crown(client, source, number)
        before = f", instead of version {champion}" if champion else ""
        told = " by force" if forced else ""
        said = f"Version {number} of {model.name} is champion{before}: promoted{told} by {by} ({reason})."
        if passed == "True" and compared not in (None, NONE, champion):
            said += f" Its gate was passed against version {compared}, not against this one."
        return said


def rollback(source: str, by: str, why: str | None, render: Render) -> str:
    """Bring back the champion that the present one replaced; says what was done. Once: a second call changes nothing.

    Raises ConfigurationError if there is no champion, or none before it.
    """
    with quiet_mlflow() as mlflow:
        client = mlflow.MlflowClient()
        model = _registered_model(mlflow, client, source)
        champion = _champion(client, source)
        if champion is None:
            raise ConfigurationError(f"{model.name} has no champion. `holdfast promote --source {source}` makes one.")
        previous = model.tags.get("previous_champion") or None
        if previous in (None, champion):
            if model.tags.get("restored"):
                return f"{model.tags['restored']}; no version was promoted since. Nothing was changed."
            raise ConfigurationError(
                f"There is no champion to roll back to: version {champion} of {model.name} is the first."
            )
        _version(client, source, str(previous))
        client.delete_model_version_tag(model.name, str(previous), "withdrawn")
        said = f"version {champion} was rolled back to version {previous} by {by}" + (f" ({why})" if why else "")
        client.set_model_version_tag(model.name, champion, "withdrawn", said)
        _record(client, source, champion, "rolled back", by, why or said, {"restored": previous}, render)
        _record(client, source, str(previous), "restored", by, why or said, {"rolled_back": champion}, render)
        client.set_registered_model_tag(model.name, "restored", said[0].upper() + said[1:])
        client.set_registered_model_alias(model.name, "champion", str(previous))
        client.delete_registered_model_tag(model.name, "previous_champion")
        return f"Version {previous} of {model.name} is champion again: {said}."


def _crown(client: Any, source: str, version: str) -> None:
    name = registered_name(source)
    before = _champion(client, source)
    if before is not None and before != version:
        client.set_registered_model_tag(name, "previous_champion", before)
    if client.get_registered_model(name).tags.get("restored"):
        client.delete_registered_model_tag(name, "restored")
    client.set_registered_model_alias(name, "champion", version)


def _record(
    client: Any,
    source: str,
    version: str,
    decision: str,
    by: str,
    why: str,
    further: Mapping[str, Any],
    render: Render | None = None,
) -> None:
    """Write a decision to the tags of the version and to its run; not again if it is the one that stands there."""
    name = registered_name(source)
    found = client.get_model_version(name, version)
    if [found.tags.get(tag) for tag in ("decision", "decided_by", "decided_why")] == [decision, by, why]:
        return
    at = datetime.now(UTC).isoformat(timespec="seconds")
    said = {"decision": decision, "version": version, "by": by, "why": why, "at": at, **further}
    text = json.dumps(said, indent=1) + "\n"
    client.log_text(found.run_id, text, "decision.json")
    client.log_text(found.run_id, text, f"decisions/{at.replace(':', '')}-{decision.replace(' ', '-')}.json")
    if render is not None:
        _card_again(
            client, found.run_id, {"champion": decision in ("promoted", "restored"), "by": by, "why": why}, render
        )
    for tag, value in (("decision", decision), ("decided_by", by), ("decided_why", why), ("decided_at", at)):
        client.set_model_version_tag(name, version, tag, value)
        client.set_tag(found.run_id, tag, value)


def _card_again(client: Any, run_id: str, decision: Mapping[str, Any], render: Render) -> None:
    """The model card with another decision, from the facts that the run has kept; none if it was not evaluated."""
    from tempfile import TemporaryDirectory

    if not any(item.path == CARD for item in client.list_artifacts(run_id)):
        return
    with TemporaryDirectory(prefix="holdfast-card-") as folder:
        path = client.download_artifacts(run_id, CARD, folder)
        with open(path, encoding="utf-8") as file:
            facts = json.load(file)
    facts["metrics"]["decision"] = dict(decision)
    client.log_text(run_id, json.dumps(facts, indent=1), CARD)
    client.log_text(run_id, render(facts), "model_card.md")


def _registered_model(mlflow: Any, client: Any, source: str) -> Any:
    try:
        return client.get_registered_model(registered_name(source))
    except mlflow.exceptions.MlflowException:
        raise ConfigurationError(
            f"MLflow at {told(mlflow.get_tracking_uri())} knows no model of {source!r}. "
            f"Run `holdfast train --source {source}` first."
        ) from None


def _version(client: Any, source: str, version: str) -> Any:
    known = {str(item.version): item for item in client.search_model_versions(f"name='{registered_name(source)}'")}
    if version not in known:
        asked = f"has no version {version}" if version else "has no challenger"
        raise ConfigurationError(
            f"{registered_name(source)} {asked}. It has: {', '.join(sorted(known, key=int)) or 'none'}. "
            "Choose with --version."
        )
    return client.get_model_version(registered_name(source), version)


def _champion(client: Any, source: str) -> str | None:
    version = client.get_registered_model(registered_name(source)).aliases.get("champion")
    return None if version is None else str(version)
