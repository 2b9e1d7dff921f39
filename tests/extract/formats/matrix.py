"""The matrix of docs/formats.md: what each format's sample gave when it was opened.

`python -m tests.extract.formats.matrix --write` renews it.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from nn3d.extract.formats.format import ACTIVATIONS, EPOCHS, GRAPH, WEIGHTS, Format
from nn3d.extract.formats.registry import FORMATS
from nn3d.extract.options import SourceOptions
from nn3d.extract.sources import open_source
from nn3d.run.run import Run
from tests.extract.formats.samples import OPTIONS, SAMPLES

PAGE = Path(__file__).parents[3] / "docs" / "formats.md"
BEGIN, END = "<!-- matrix: made by tests/extract/formats/matrix.py -->", "<!-- end of matrix -->"
HEAD = ("format", "graph", "weights", "activations", "epochs", "read from", "child")
_GRAPHS = {"file": "as stored", "traced": "traced", "inferred": "inferred"}
READ = tuple(known for known in FORMATS if known.gives)


@dataclass(frozen=True, slots=True)
class Found:
    """What a run holds. graph : its kind. weights : tensors with values; outputs : recorded, inputs aside."""

    graph: str
    weights: int
    outputs: int
    epochs: int

    def gives(self) -> set[str]:
        """The same in the words of `Format.gives`."""
        has = {GRAPH: self.graph != "inferred", WEIGHTS: self.weights > 0, ACTIVATIONS: self.outputs > 0}
        return {name for name, is_there in (has | {EPOCHS: self.epochs > 1}).items() if is_there}


def found_in(run: Run) -> Found:
    """Count at the last epoch."""
    last = len(run.epochs) - 1
    weights = sum(run.has_parameter(p.id, last) for p in run.graph.parameters) if last >= 0 else 0
    nodes = [n for n in run.graph.nodes if n.op not in ("input", "parameter", "constant")]
    outputs = sum(run.has_values(n.id, o, last) for n in nodes for o in range(len(n.outputs))) if last >= 0 else 0
    return Found(run.graph.kind, weights, outputs, len(run.epochs))


def open_sample(known: Format, path: Path) -> tuple[Run, Run | None]:
    """As it is, and with what OPTIONS say where they say something."""
    more = OPTIONS.get(known.key)
    return open_source(path, SourceOptions(cache=False)), None if more is None else open_source(path, more)


def row(known: Format, path: Path, plain: Found, more: Found | None) -> str:
    """A line of the table."""
    epochs = f"{plain.epochs}" if plain.epochs > 1 else "files" if known.is_checkpoint else "–"
    graph, outputs = _GRAPHS.get(plain.graph, plain.graph), f"{plain.outputs} outputs" if plain.outputs else "–"
    if more is not None:
        how = "--trust" if OPTIONS[known.key].trust else "--model"
        graph += f"; `{how}`: {_GRAPHS[more.graph]}"
        outputs = f"`{how}`: {more.outputs} outputs"
    cells = (
        known.name.removeprefix("a ").removeprefix("an "), graph, f"{plain.weights} tensors" if plain.weights else "–",
        outputs, epochs, f"`{path.name}`", "yes" if known.is_isolated else "–",
    )  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def rows_of_page() -> list[str]:
    """Lines of the table as it stands."""
    text = PAGE.read_text(encoding="utf-8")
    lines = text[text.index(BEGIN) : text.index(END)].splitlines()
    return [line for line in lines if line.startswith("| ")][1:]


def write(rows: list[str]) -> None:
    """Renew the table."""
    text = PAGE.read_text(encoding="utf-8")
    table = ["| " + " | ".join(HEAD) + " |", "|" + " --- |" * len(HEAD), *rows]
    before, after = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    PAGE.write_text("\n".join([before, *table, after]), encoding="utf-8")


def main() -> None:
    """Open every sample; a format whose library is missing keeps its line."""
    rows = []
    for known in READ:
        with tempfile.TemporaryDirectory() as folder:
            try:
                path = SAMPLES[known.key](Path(folder))
            except pytest.skip.Exception as reason:
                start = row(known, Path("x"), Found("", 0, 0, 0), None).split("|")[1]
                rows += [line for line in rows_of_page() if line.split("|")[1] == start]
                sys.stdout.write(f"{known.key}: not opened, {reason}\n")
                continue
            plain, more = open_sample(known, path)
            rows.append(row(known, path, found_in(plain), None if more is None else found_in(more)))
        sys.stdout.write(rows[-1] + "\n")
    if "--write" in sys.argv:
        write(rows)


if __name__ == "__main__":
    main()
