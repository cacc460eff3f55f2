"""What a server serves: its models, its images, and where annotations go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from interactivenet.viewer.saving import Provenance, Target
from interactivenet.viewer.scans import OpenScan
from interactivenet.viewer.served_models import ServedModels
from interactivenet.viewer.session_store import SessionStore
from interactivenet.viewer.settings import ViewerSettings
from interactivenet.viewer.worklist import Worklist


@dataclass(frozen=True, eq=False)
class Served:
    """All that the faces of a server share.

    uploads: folder of what is sent.  target: of what is saved.  task: name of the task that is
    annotated, or ''.
    """

    models: ServedModels
    worklist: Worklist
    store: SessionStore
    settings: ViewerSettings
    target: Target
    uploads: Path
    task: str = ""

    def provenance(self, scan: OpenScan) -> Provenance:
        """Say what made the outlines of an open image."""
        model = scan.model.full.model
        return Provenance(
            model=scan.model.name, digest=",".join(model.digests), made_by=scan.made_by
        )
