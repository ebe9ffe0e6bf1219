"""The risk model behind HTTP: MLflow's own server of logged models, on a version of the registry or on a folder."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from features.errors import ConfigurationError
from models.backend import quiet_mlflow
from models.risk import META_FILE, RiskModel
from models.tracking import SCORER, logged_model, requirements, signature_of

MLMODEL = "MLmodel"  # the file that makes a folder an MLflow model


@contextmanager
def served(source: str, which: str) -> Iterator[Path]:
    """Folder of an MLflow model, while the context lasts: behind an alias or version of the registry, or at a path, of
    one that MLflow has saved or of the files of a risk model.

    Raises ConfigurationError if there is none.
    """
    folder = Path(which)
    if not folder.is_dir():
        with logged_model(source, which) as logged:
            yield logged
    elif (folder / MLMODEL).exists():
        yield folder
    elif (folder / META_FILE).exists():
        features = RiskModel.load(folder).features
        with TemporaryDirectory(prefix="holdfast-served-") as target, quiet_mlflow() as mlflow:
            mlflow.pyfunc.save_model(
                str(Path(target) / "model"),
                python_model=str(SCORER),
                artifacts={"model": str(folder)},
                signature=signature_of(features),
                pip_requirements=requirements(),
            )
            yield Path(target) / "model"
    else:
        raise ConfigurationError(
            f"{folder} holds no model: neither {MLMODEL} nor {META_FILE} is there. "
            "Give artifacts/<source>/model, champion, challenger or a version."
        )


def serve(source: str, which: str, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Answer HTTP requests until SIGTERM or SIGINT; tells `ready` the address once requests are answered.

    Raises ConfigurationError if there is no such model, or host and port cannot be had.
    """
    import uvicorn

    with _listening(host, port) as door:  # before the model is loaded, which takes seconds
        with served(source, which) as folder, quiet_mlflow() as mlflow:
            from mlflow.pyfunc import scoring_server

            application = scoring_server.init(mlflow.pyfunc.load_model(str(folder)))
        server = uvicorn.Server(uvicorn.Config(application, log_level="warning"))
        with _signals_are_no_failure():
            address = f"[{host}]" if ":" in host else host
            _when_started(server, lambda: ready(f"http://{address}:{door.getsockname()[1]}"))
            server.run(sockets=[door])


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((host, port))
        except OSError as error:
            raise ConfigurationError(
                f"{host} port {port} cannot be had: {error.strerror}. Choose another with --port, or --host."
            ) from None
        yield door


@contextmanager
def _signals_are_no_failure() -> Iterator[None]:
    """uvicorn ends its requests, then raises the signal again, which must not end the process as if it had failed."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _when_started(server: Any, told: Callable[[], None]) -> None:
    startup = server.startup

    async def then_tell(*arguments: Any, **options: Any) -> None:
        await startup(*arguments, **options)
        told()

    server.startup = then_tell
