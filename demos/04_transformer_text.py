"""Train a small transformer to go on with sentences of Python's own documentation, and record every epoch.

python demos/04_transformer_text.py        needs no download; writes out/gpt-python.npz
The text is read from the Python that runs this, so another version of Python gives another run.
"""

from __future__ import annotations

from collections import OrderedDict

import manual
import torch
from packing import pack_small
from torch import Tensor, nn
from torch.nn import functional as F
from training import begun, empty_folder, options, run_epoch, say_done, say_epoch

import nn3d

WORDS, LENGTH, WIDTH, HEADS, BLOCKS = 700, 16, 64, 4, 4
# Sentences to record, LENGTH words and the one that follows; their paragraphs are kept out of the training.
SENTENCES = (
    "return true if all characters in the string are digits and there is at least one character",
    "if the step argument is omitted , it defaults to 1 . if the start argument is",
    "a function definition is an executable statement . its execution binds the function name in the current",
)


class Attention(nn.Module):
    """Each word looks at itself and those before it, with HEADS different looks (Vaswani 2017)."""

    def __init__(self) -> None:
        super().__init__()
        self.query_key_value, self.project = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, WIDTH) → (N, T, WIDTH)."""
        n, t, _ = x.shape
        q, k, v = (p.view(n, t, HEADS, -1).transpose(1, 2) for p in self.query_key_value(x).split(WIDTH, 2))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.project(mixed.transpose(1, 2).reshape(n, t, WIDTH))


class Block(nn.Module):
    """Attention, then two linear layers, each added to the stream it read (normalised first, as in GPT-2)."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2, self.attention = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH), Attention()
        self.mlp = nn.Sequential(
            OrderedDict(expand=nn.Linear(WIDTH, 4 * WIDTH), gelu=nn.GELU(), contract=nn.Linear(4 * WIDTH, WIDTH))
        )
        self.drop = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, WIDTH) → (N, T, WIDTH)."""
        x = x + self.drop(self.attention(self.norm1(x)))
        return x + self.drop(self.mlp(self.norm2(x)))


class Transformer(nn.Module):
    """Words → logits of the next word, at every place; the output shares the embedding's weights."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(WORDS, WIDTH), nn.Parameter(torch.empty(LENGTH, WIDTH))
        self.blocks = nn.Sequential(*(Block() for _ in range(BLOCKS)))
        self.norm, self.words = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WORDS, bias=False)
        nn.init.normal_(self.embed.weight, std=0.02 * WIDTH**0.5)
        nn.init.normal_(self.place, std=0.02)
        self.words.weight = self.embed.weight

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, T) → (N, T, WORDS)."""
        x = self.embed(tokens) + self.place
        return self.words(self.norm(self.blocks(x)))


def split(texts: list[list[str]]) -> tuple[list[list[str]], list[list[str]]]:
    """Paragraphs to train with, and every tenth, and those of SENTENCES, to test with."""
    is_test = [i % 10 == 0 or any(sentence in " ".join(text) for sentence in SENTENCES) for i, text in enumerate(texts)]
    return [t for t, out in zip(texts, is_test, strict=True) if not out], [
        t for t, out in zip(texts, is_test, strict=True) if out
    ]


def encoded(texts: list[list[str]], words: list[str]) -> Tensor:
    """All paragraphs behind one another as indices in the vocabulary, (n) int64."""
    index = {word: i for i, word in enumerate(words)}
    return torch.tensor([index.get(word, 0) for text in texts for word in text])


def windows(stream: Tensor, start: int = 0) -> Tensor:
    """(n, LENGTH + 1): windows one behind the other, the last word of each the first of the next."""
    return stream[start:].unfold(0, LENGTH + 1, LENGTH)


@torch.no_grad()
def score(model: nn.Module, rows: Tensor) -> tuple[float, float]:
    """Mean cross-entropy, and how often the next word was guessed, rare words apart."""
    model.eval()
    losses, hits = [], []
    for part in rows.split(512):
        logits, truth = model(part[:, :-1]), part[:, 1:]
        known = truth > 0
        losses.append(F.cross_entropy(logits[known], truth[known], reduction="none"))
        hits.append((logits.argmax(-1) == truth)[known])
    return float(torch.cat(losses).mean()), float(torch.cat(hits).float().mean())


def passed_over(model: nn.Module, optimizer: torch.optim.Optimizer, rows: Tensor) -> float:
    """One pass over the windows; rare words are read, but not to be guessed. Returns the mean loss."""

    def loss_of(k: Tensor) -> Tensor:
        return F.cross_entropy(model(rows[k, :-1]).flatten(0, 1), rows[k, 1:].flatten(), ignore_index=0)

    model.train()
    return run_epoch(optimizer, torch.randperm(len(rows)), 64, loss_of)


def main() -> None:
    """Read, train, record, pack."""
    parser = options(__doc__, "out/gpt-python.npz", 20)
    parser.add_argument("--paragraphs", type=int, help="read so many paragraphs only")
    args = begun(parser)
    train, test = split(manual.paragraphs(args.paragraphs))
    words = manual.vocabulary(train, WORDS)
    train_ids, test_rows = encoded(train, words), windows(encoded(test, words))
    print(f"{len(train_ids):,} words to train with, {test_rows.numel():,} to test, {len(words)} different ones")
    tokens = [sentence.split() for sentence in SENTENCES]
    rows = encoded(tokens, words).view(len(tokens), LENGTH + 1)
    model, folder = Transformer(), empty_folder(args.out)
    recorder = nn3d.Recorder(
        folder,
        model,
        rows[:, :-1],
        labels=rows[:, -1].tolist(),
        classes=words,
        names=[" ".join(sentence[:4]) + " …" for sentence in tokens],
        tokens=[sentence[:-1] for sentence in tokens],
        encoding="f32",
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, args.epochs), eta_min=1e-4)
    for epoch in range(args.epochs + 1):
        shifted = windows(train_ids, int(torch.randint(LENGTH, ())))
        metrics = {}
        if epoch:
            metrics["train_loss"] = passed_over(model, optimizer, shifted)
            schedule.step()
        loss, accuracy = score(model, test_rows)
        recorder.record(epoch, loss=loss, accuracy=accuracy, **metrics)
        say_epoch(epoch, loss, accuracy, "next word guessed")
    pack_small(folder, args.out, keep={0, args.epochs // 10, args.epochs}, weights="f16")
    say_done(args.out)


if __name__ == "__main__":
    main()
