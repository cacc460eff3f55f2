"""Imports what the stages import, when the image is built, so that its byte code is in the image.

Byte code of all that is installed would be 400 MB, most of which is never used.
"""

import importlib
import pkgutil
import tempfile
from pathlib import Path

import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader

import interactivenet
from interactivenet.pipeline import tracking


class _Line(LightningModule):
    """The smallest training, for what torch and Lightning import only then."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch: torch.Tensor, _: int) -> torch.Tensor:
        return self.layer(batch).sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1, nesterov=True, momentum=0.9)


async def _answer(scope: object, receive: object, send: object) -> None:
    """The smallest application, which is never asked."""


def main() -> None:
    """Import all there is, and use what imports more when it is used."""
    for module in pkgutil.walk_packages(interactivenet.__path__, "interactivenet."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    # what the viewer's server imports only when it starts
    uvicorn = importlib.import_module("uvicorn")
    uvicorn.Config(_answer, ws="none", lifespan="off").load()
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(max_epochs=1, accelerator="cpu", default_root_dir=folder, logger=False,
                          enable_progress_bar=False, enable_checkpointing=False)  # fmt: skip
        trainer.fit(_Line(), DataLoader(torch.ones(2, 1)))
        plotting = importlib.import_module("matplotlib.pyplot")
        plotting.plot([0, 1])
        plotting.savefig(Path(folder) / "figure.png")
        run = tracking.start(Path(folder), "build", "build", warn=print)
        run.metrics({"built": 1.0})
        run.finish()


if __name__ == "__main__":
    main()
