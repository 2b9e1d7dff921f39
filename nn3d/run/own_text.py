"""Text of one's own → tokens by the words that a run names; only where that gives its recorded samples again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nn3d.run.own import OwnInput, packed
from nn3d.run.run import Run

WORDS = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]")
RARE = ("<rare>", "<unk>", "[UNK]", "<UNK>", "unk")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """How a run reads text. kind : "words" or "characters". names : of the tokens. length : tokens of an input.

    rare : number of the token that stands for all others, −1 where there is none. is_lower : capitals count as small.
    """

    kind: str
    names: tuple[str, ...]
    length: int
    rare: int = -1
    is_lower: bool = False

    def split(self, text: str) -> list[str]:
        """A text as words or characters."""
        text = text.lower() if self.is_lower else text
        return list(text) if self.kind == "characters" else WORDS.findall(text)

    def joined(self, tokens: Sequence[str]) -> str:
        """Tokens as a text that gives them again."""
        return ("" if self.kind == "characters" else " ").join(tokens)

    def number(self, token: str) -> int:
        """The number of a token, that of the rare one where it has none, else −1."""
        return _numbers(self.names).get(token, self.rare)


@lru_cache(maxsize=4)
def _numbers(names: tuple[str, ...]) -> dict[str, int]:
    return {name: k for k, name in reversed(list(enumerate(names)))}


def vocabulary_of(run: Run) -> Vocabulary | str:
    """How a run reads text, or why that is not known: each recorded sample has to come out as it was recorded."""
    node = next(n for n in run.graph.nodes if n.op == "input")
    shape = node.outputs[0].shape
    told = [(k, s.tokens) for k, s in enumerate(run.samples) if s.tokens]
    if len(shape) != 1 or not run.classes or not told:
        return "the run does not name its tokens"
    names = tuple(run.classes)
    kind = "characters" if all(len(t) == 1 for _, tokens in told for t in tokens) else "words"
    rare = next((names.index(r) for r in RARE if r in names), -1)
    is_lower = not any(n != n.lower() for n in names if n not in RARE)
    found = Vocabulary(kind, names, shape[0], rare, is_lower)
    for k, tokens in told:
        ids = np.asarray(run.values(node.id, 0, 0, k)).astype(int).tolist()
        if [found.number(t) for t in found.split(found.joined(tokens))] != ids:
            return f"how text becomes tokens is not known: {run.samples[k].name} comes out otherwise"
    return found


def written(vocabulary: Vocabulary, text: str, name: str) -> OwnInput | str:
    """A text as an input of one's own, its last tokens where there are more; else what it lacks."""
    tokens = vocabulary.split(text)
    unit = vocabulary.kind
    if len(tokens) < vocabulary.length:
        return f"{len(tokens)} of {vocabulary.length} {unit}"
    kept = tokens[-vocabulary.length :]
    numbers = [vocabulary.number(t) for t in kept]
    strange = next((t for t, k in zip(kept, numbers, strict=True) if k < 0), None)
    if strange is not None:
        return f"the network does not know “{strange}”"
    n_rare = numbers.count(vocabulary.rare) if vocabulary.rare >= 0 else 0
    note = "written" + (f", {n_rare} of its {unit} read as {vocabulary.names[vocabulary.rare]}" if n_rare else "")
    return OwnInput(name, (packed("tokens", np.array(numbers, np.int32)),), note, tuple(kept))
