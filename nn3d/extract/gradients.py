"""Owns gradients of a loss by everything that one watched forward pass made, and by the parameters.

Nothing is accumulated: the `.grad` of the model's parameters is neither read nor written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from nn3d.errors import TraceError
from nn3d.extract.arrays import to_numpy
from nn3d.extract.draft import Draft
from nn3d.run.model import Array

# What the model returned → one number, the loss summed over the recorded samples.
Loss = Callable[[Any], torch.Tensor]


def cross_entropy_of(labels: Sequence[int | None] | None) -> Loss:
    """The loss of a classifier that returns logits (N, classes): −log softmax at the label, summed over the samples.

    Raises TraceError without a label for every sample; the loss itself does when the model returns something else.
    """
    if labels is None or any(label is None for label in labels):
        raise TraceError("gradients=True: expected labels, one a sample. Pass labels, or a loss as gradients=function.")
    truth = torch.tensor([int(label) for label in labels if label is not None])

    def loss(result: Any) -> torch.Tensor:
        if not isinstance(result, torch.Tensor) or result.ndim != 2 or len(result) != len(truth):
            got = tuple(result.shape) if isinstance(result, torch.Tensor) else type(result).__name__
            raise TraceError(
                f"gradients=True: expected logits ({len(truth)}, classes), got {got}. Pass a loss: gradients=function."
            )
        return F.cross_entropy(result.float(), truth.to(result.device), reduction="sum")

    return loss


class Watch:
    """Remembers every value that a tracer copies, and takes its gradient when the loss is known."""

    def __init__(self) -> None:
        self.result: Any = None
        self._seen: list[tuple[Draft, int, list[Array]]] = []
        self._handles: list[Any] = []

    def see(self, draft: Draft, output: int, tensor: torch.Tensor) -> None:
        """A value was copied: later writes into the same tensor are other values, so it is hooked now."""
        if not tensor.requires_grad:
            return
        slot: list[Array] = []
        self._seen.append((draft, output, slot))

        def keep(gradient: torch.Tensor) -> None:
            slot[:] = [to_numpy(gradient)]

        self._handles.append(tensor.register_hook(keep))  # type: ignore[no-untyped-call]

    def take(
        self, loss: Loss, parameters: Mapping[int, torch.Tensor], inputs: Sequence[torch.Tensor]
    ) -> dict[int, Array]:
        """Run backward once → gradient by parameter id; those by values are then in `values`. Hooks are taken off.

        Raises TraceError when the loss is not one number that depends on the model.
        """
        wanted = {k: t for k, t in parameters.items() if t.requires_grad}
        try:
            number = loss(self.result)
            if not isinstance(number, torch.Tensor) or number.numel() != 1 or not number.requires_grad:
                raise TraceError("gradients: expected a loss that is one number and depends on trained parameters.")
            found = torch.autograd.grad(number.sum(), [*wanted.values(), *inputs], allow_unused=True)
        except RuntimeError as error:
            raise TraceError(f"gradients: backward failed: {str(error).splitlines()[0]}") from error
        finally:
            self.forget()
        return {k: to_numpy(g) for k, g in zip(wanted, found, strict=False) if g is not None}

    def forget(self) -> None:
        """Take all hooks off."""
        while self._handles:
            self._handles.pop().remove()

    def values(self, drafts: Sequence[Draft]) -> list[tuple[Draft, int, Array]]:
        """(node, output, gradient in torch's own layout) for the nodes that stayed in the graph."""
        kept = {id(draft) for draft in drafts}
        return [(draft, output, slot[0]) for draft, output, slot in self._seen if slot and id(draft) in kept]
