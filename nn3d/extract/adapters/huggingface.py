"""Hugging Face: `Trainer(callbacks=[Record("run/", tokenizer(texts, return_tensors="pt"))])`. Needs the extra `hf`."""

from __future__ import annotations

import os
from typing import Any

from nn3d.errors import SourceError
from nn3d.extract.adapters.rate import Rate

try:
    from transformers import TrainerCallback
except ImportError:
    raise SourceError("transformers is not installed: pip install nn3d-viewer[hf]") from None


class Record(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Records the model as training begins, and then once an epoch, or once every `every_n_steps` optimizer steps.

    folder : as for nn3d.Recorder; None opens a window beside the training (nn3d.live). inputs : keywords of the model's
    `forward`, without labels. options : of nn3d.Recorder. Metrics are the last that the trainer logged. Of several
    ranks the first writes (nn3d.Recorder).
    """

    def __init__(
        self, folder: str | os.PathLike[str] | None, inputs: Any, *, every_n_steps: int | None = None, **options: Any
    ) -> None:
        self.rate = Rate(folder, {**inputs} if hasattr(inputs, "keys") else inputs, every_n_steps, options)
        self._logged: dict[str, Any] = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Begin."""
        if model is not None:
            self.rate.begin(model, state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Keep what the trainer logs."""
        self._logged |= logs or {}

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """An optimizer step is done."""
        self.rate.step(state.global_step, self._logged)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """An epoch is over."""
        self.rate.epoch(state.global_step, self._logged)
