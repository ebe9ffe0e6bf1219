"""`holdfast serve`: the risk over HTTP."""

from __future__ import annotations

import logging

from models.serving import serve
from pipeline.layout import Layout

log = logging.getLogger("holdfast")


def run(layout: Layout, model: str, host: str, port: int) -> None:
    """Serve the champion, an alias, a version or a folder until it is stopped."""
    serve(
        layout.source,
        model,
        host,
        port,
        lambda address: log.info(
            "serve %s: %s answers at %s/invocations; Ctrl-C ends it", layout.source, model, address
        ),
    )
