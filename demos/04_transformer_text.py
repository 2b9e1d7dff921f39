"""Train a small transformer to go on with sentences of Python's own documentation, and record every epoch.

python demos/04_transformer_text.py        needs no download; writes out/gpt-python.npz
The text is read from the Python that runs this, so another version of Python gives another run.
"""

from __future__ import annotations

import argparse
from collections import OrderedDict
from pathlib import Path

import manual
import numpy as np
import torch
from packing import pack_small
from torch import Tensor, nn
from torch.nn import functional as F

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


def run_epoch(model: nn.Module, optimizer: torch.optim.Optimizer, rows: Tensor) -> float:
    """One pass over the windows in batches of 64; rare words are read, but not to be guessed. Returns the mean loss."""
    model.train()
    losses = []
    for batch in torch.randperm(len(rows)).split(64):
        tokens = rows[batch]
        loss = F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten(), ignore_index=0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return float(np.mean(losses))


def arguments() -> argparse.Namespace:
    """What can be asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/gpt-python.npz"), help="the packed run")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--paragraphs", type=int, help="read so many paragraphs only")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main() -> None:
    """Read, train, record, pack."""
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    train, test = split(manual.paragraphs(args.paragraphs))
    words = manual.vocabulary(train, WORDS)
    train_ids, test_rows = encoded(train, words), windows(encoded(test, words))
    print(f"{len(train_ids):,} words to train with, {test_rows.numel():,} to test, {len(words)} different ones")
    tokens = [sentence.split() for sentence in SENTENCES]
    rows = encoded(tokens, words).view(len(tokens), LENGTH + 1)
    model, folder = Transformer(), args.out.with_suffix("")
    if folder.exists():
        raise SystemExit(f"{folder} holds an earlier run: remove it, or give another --out")
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
        metrics = {"train_loss": run_epoch(model, optimizer, shifted)} if epoch else {}
        if epoch:
            schedule.step()
        loss, accuracy = score(model, test_rows)
        recorder.record(epoch, loss=loss, accuracy=accuracy, **metrics)
        print(f"epoch {epoch:2d}  loss {loss:.4f}  next word guessed {accuracy:.2%}", flush=True)
    pack_small(folder, args.out, keep={0, args.epochs // 10, args.epochs}, weights="f16")
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB. Look at it with: nn3d view {args.out}")


if __name__ == "__main__":
    main()
