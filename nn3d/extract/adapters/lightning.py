"""PyTorch Lightning: `Trainer(callbacks=[Record("run/", pictures)])`. Needs the extra `lightning`."""

from __future__ import annotations

import os
from typing import Any

from nn3d.errors import SourceError
from nn3d.extract.adapters.rate import Rate

try:
    from lightning.pytorch import Callback
except ImportError:
    try:
        from pytorch_lightning import Callback
    except ImportError:
        raise SourceError("lightning is not installed: pip install nn3d-viewer[lightning]") from None


class Record(Callback):  # type: ignore[misc, unused-ignore]
    """Records the module as training begins, and then once an epoch, or once every `every_n_steps` optimizer steps.

    folder : as for nn3d.Recorder; None opens a window beside the training (nn3d.live). inputs : what the module's
    `forward` takes. options : of nn3d.Recorder. Of several ranks the first
    writes (nn3d.Recorder).
    """

    def __init__(
        self, folder: str | os.PathLike[str] | None, inputs: Any, *, every_n_steps: int | None = None, **options: Any
    ) -> None:
        super().__init__()
        self.rate = Rate(folder, inputs, every_n_steps, options)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin."""
        self.rate.begin(pl_module, trainer.global_step)

    def on_train_batch_end(self, trainer: Any, *_: Any, **__: Any) -> None:
        """A batch is done."""
        self.rate.step(trainer.global_step, trainer.callback_metrics)

    def on_train_epoch_end(self, trainer: Any, *_: Any) -> None:
        """An epoch is over."""
        self.rate.epoch(trainer.global_step, trainer.callback_metrics)
