"""Keras 3 on its torch backend: `model.fit(..., callbacks=[Record("run/", pictures)])`. Needs the extra `keras`."""

from __future__ import annotations

import os
from typing import Any

from nn3d.errors import SourceError
from nn3d.extract.adapters.rate import Rate

os.environ.setdefault("KERAS_BACKEND", "torch")
try:
    import keras
except ImportError:
    raise SourceError("keras is not installed: pip install nn3d-viewer[keras]") from None


class Record(keras.callbacks.Callback):  # type: ignore[misc, unused-ignore]
    """Records the model as training begins, and then once an epoch, or once every `every_n_steps` batches.

    folder : as for nn3d.Recorder; None opens a window beside the training (nn3d.live). inputs : what the model is
    called with. options : of nn3d.Recorder. Raises SourceError on another backend than torch.
    """

    def __init__(
        self, folder: str | os.PathLike[str] | None, inputs: Any, *, every_n_steps: int | None = None, **options: Any
    ) -> None:
        if keras.backend.backend() != "torch":
            raise SourceError(
                f"keras: recording needs its torch backend, this is {keras.backend.backend()}: set KERAS_BACKEND=torch"
            )
        super().__init__()
        self.rate = Rate(folder, inputs, every_n_steps, options)
        self._steps = 0

    def on_train_begin(self, logs: Any = None) -> None:
        """Begin."""
        self.rate.begin(self.model, self._steps)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """A batch is done."""
        self._steps += 1
        self.rate.step(self._steps, logs or {})

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """An epoch is over."""
        self.rate.epoch(self._steps, logs or {})
