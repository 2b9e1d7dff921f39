"""Files and clipboard texts of tensors, made on a thread of their own: a large one does not hold the window up."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from nn3d.app.copying import copied
from nn3d.app.facts import Facts
from nn3d.app.tensor_files import save_tensor
from nn3d.errors import Nn3dError
from nn3d.stage.controls.requests import CopyValues, SaveTensor
from nn3d.stage.frame import Frame
from nn3d.stage.state import ViewState


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an errand: a line for the user, and a text for the clipboard where there is one."""

    message: str
    text: str | None = None


class Errands:
    """One after the other, in order. `wake` is called on the thread when one is done."""

    def __init__(self, facts: Facts, wake: Callable[[], None]) -> None:
        self._facts, self._wake = facts, wake
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="nn3d errands")
        self._going: deque[Future[Outcome]] = deque()

    def begin(self, request: SaveTensor | CopyValues, state: ViewState, frame: Frame) -> None:
        """Begin one, of the view as it is now."""
        future = self._pool.submit(self._run, request, state, frame)
        future.add_done_callback(lambda _: self._wake())
        self._going.append(future)

    @property
    def is_waiting(self) -> bool:
        """Something is on its way, or done and not taken yet."""
        return bool(self._going)

    def arrived(self) -> Outcome | None:
        """What is done, one at a time."""
        if not self._going or not self._going[0].done():
            return None
        return self._going.popleft().result()

    def close(self) -> None:
        """End after the one in hand."""
        self._pool.shutdown(cancel_futures=True)

    def _run(self, request: SaveTensor | CopyValues, state: ViewState, frame: Frame) -> Outcome:
        try:
            if isinstance(request, SaveTensor):
                return Outcome(f"Saved {save_tensor(self._facts, state, frame, request)}")
            text, what = copied(self._facts, state, request.parameter)
            return Outcome(f"Copied {what}", text)
        except (Nn3dError, OSError, MemoryError) as error:
            return Outcome(" ".join(str(error).split()) or type(error).__name__)
