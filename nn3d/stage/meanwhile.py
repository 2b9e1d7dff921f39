"""What is shown of an epoch that is still being read: another one, which is in memory, and words that say so."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace

from nn3d.run.run import Run
from nn3d.stage.overlay.facts import number
from nn3d.stage.resident import LayerValues, Resident, ValuesNeed
from nn3d.stage.strands import StrandHistory, StrandsNeed, StrandTable, window_of


@dataclass(slots=True)
class Meanwhile:
    """Stand-ins of one composition. epochs : indices, the best first. shown : (need, epoch index that is shown)."""

    epochs: tuple[int, ...] = ()
    shown: dict[Hashable, int] = field(default_factory=dict)

    def values(self, resident: Resident, need: ValuesNeed) -> tuple[LayerValues, LayerValues] | None:
        """A layer's values at both ends of its mix."""
        for epoch in self.epochs:
            held = resident.peek(replace(need, epoch=epoch))
            if isinstance(held, LayerValues):
                self.shown[need] = epoch
                return held, held
        return None

    def strands(
        self, resident: Resident, need: StrandsNeed, n_epochs: int, n_amounts: int
    ) -> tuple[StrandTable | StrandHistory, int] | None:
        """A link's strands and the epoch that they are of."""
        for epoch in self.epochs:
            window = window_of((epoch, epoch), n_epochs, n_amounts) if n_amounts else (epoch,)
            held = resident.peek(replace(need, epochs=window, is_known=True))
            if isinstance(held, StrandTable | StrandHistory):
                self.shown[need] = epoch
                return held, epoch
        return None

    def words(self, run: Run) -> str:
        """"3 plates, 2 links of epoch 10": of the epoch that most of them are of; "" of none."""
        most = epoch_shown(self.shown)
        if most is None:
            return ""
        of = [need for need, epoch in self.shown.items() if epoch == most]
        n_plates = sum(isinstance(need, ValuesNeed) for need in of)
        parts = [(n_plates, "plate"), (len(of) - n_plates, "link")]
        said = ", ".join(f"{number(n)} {what}{'s' if n > 1 else ''}" for n, what in parts if n)
        return f"{said} of epoch {run.epochs[most].id}"


def epoch_shown(stand_ins: Mapping[Hashable, int]) -> int | None:
    """Index of the epoch that most of `Frame.stand_ins` are of; None of none."""
    shown = list(stand_ins.values())
    return max(sorted(set(shown)), key=shown.count) if shown else None
