"""Where MLflow keeps runs, models and their files: by the environment, which alone knows users and passwords."""

from __future__ import annotations

import io
import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any
from urllib.parse import unquote, urlsplit

from features.errors import ConfigurationError

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

TRACKING = "MLFLOW_TRACKING_URI"
STORE = "HOLDFAST_ARTIFACT_STORE"
EXTRAS = {"boto3": "s3", "psycopg": "postgres"}  # what an import that failed belongs to
PATIENCE = 15  # seconds until a database that does not answer is given up
_reached: set[str] = set()


@contextmanager
def quiet_mlflow() -> Iterator[Any]:
    """MLflow on the address of the environment, else on SQLite in the project's folder; its chatter is kept quiet.

    Raises ConfigurationError if the database cannot be reached, or a library that the address needs is missing.
    """
    import mlflow

    uri = _with_driver(os.environ.get(TRACKING) or "sqlite:///mlflow.db")
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with redirect_stderr(io.StringIO()):  # it prints what it registered past its own logger
            try:
                _reach(uri)
                mlflow.set_tracking_uri(uri)
                yield mlflow
            except ModuleNotFoundError as error:
                if error.name not in EXTRAS:
                    raise
                raise ConfigurationError(
                    f"MLflow needs {error.name} for what {TRACKING} and {STORE} name. "
                    f"Install it: pip install 'holdfast[{EXTRAS[error.name]}]'"
                ) from None


def open_experiment(mlflow: Any, name: str) -> str:
    """Make the experiment current and return its id; a new one keeps its files in `HOLDFAST_ARTIFACT_STORE`, if set.

    Raises ConfigurationError if that is no address, or the experiment has its files elsewhere already.
    """
    if store := os.environ.get(STORE):
        place = f"{_address_of(store)}/{name}"
        found = mlflow.get_experiment_by_name(name)
        if found is None:
            mlflow.create_experiment(name, artifact_location=place)
        elif found.artifact_location != place:
            raise ConfigurationError(
                f"{STORE} asks for {place}, but the experiment {name} keeps its files in {found.artifact_location}, which "
                f"was settled when it was made. Unset {STORE}, or give another {TRACKING}."
            )
    return str(mlflow.set_experiment(name).experiment_id)


def told(uri: str) -> str:
    """The address without what may be a secret."""
    plain = uri.partition("?")[0]
    return re.sub(r"(?<=://)(?!/).*@", lambda user: user.group().partition(":")[0].removesuffix("@") + ":***@", plain)


def _with_driver(uri: str) -> str:
    """psycopg reads Holdfast's sources too, while SQLAlchemy would want another driver by default."""
    scheme, rest = uri.partition("://")[::2]
    return f"postgresql+psycopg://{rest}" if scheme in ("postgres", "postgresql") else uri


def _address_of(store: str) -> str:
    parts = urlsplit(store)
    if not parts.scheme or not (parts.netloc or parts.scheme == "file"):
        raise ConfigurationError(
            f"{STORE} {store!r} is not an address. Write it as s3://bucket/folder, or file:///folder."
        )
    if "@" in parts.netloc or parts.query:
        raise ConfigurationError(
            f"{STORE} is kept with every run and shown: it must hold neither user nor password. Give them as "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    return store.rstrip("/")


def _reach(uri: str) -> None:
    """Connect once: MLflow itself would try for most of an hour, silently, before it said that it cannot."""
    if uri in _reached or not uri.startswith("postgresql+"):
        return
    import sqlalchemy

    wrong = (
        f"What the environment variable {TRACKING} holds is not the address of a database. Write it as "
        "postgresql://USER:PASSWORD@HOST:5432/DATABASE, special signs encoded (@ as %40, / as %2F)."
    )
    if uri.count("@") > 1:  # what follows the first would be taken for the host, and shown
        raise ConfigurationError(wrong)
    try:
        engine = sqlalchemy.create_engine(uri, connect_args={"connect_timeout": PATIENCE})
    except (sqlalchemy.exc.ArgumentError, ValueError):  # its message may hold a part of the password
        raise ConfigurationError(wrong) from None
    try:
        engine.connect().close()
    except sqlalchemy.exc.SQLAlchemyError as error:
        lines = str(getattr(error, "orig", None) or error).strip().splitlines()
        raise ConfigurationError(
            f"MLflow's database {told(uri)} cannot be reached: {_hidden(lines[0], uri)}\n"
            f"Correct {TRACKING}, or start the server."
        ) from None
    finally:
        engine.dispose()
    _reached.add(uri)


def _hidden(text: str, uri: str) -> str:
    password = urlsplit(uri).password or ""
    for secret in {password, unquote(password)} - {""}:
        text = text.replace(secret, "***")
    return text
