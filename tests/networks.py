"""Networks to try nn3d on, in plain torch, each small for tests or in its published size.

`SMALL` and `FULL` map a name to a function that returns (model, inputs); weights are random but always the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Case = tuple[nn.Module, Any]


class LeNet(nn.Module):
    """LeCun et al. 1998, with ReLU, max-pooling and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)
        self.drop = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = self.drop(F.relu(self.fc1(x.flatten(1))))
        return self.fc3(F.relu(self.fc2(x)))


class Vgg(nn.Module):
    """Simonyan and Zisserman 2014, configuration D; `width` divides its channels."""

    def __init__(self, width: int = 1, size: int = 224, hidden: int = 4096, classes: int = 1000) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for repeats, channels in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
            for _ in range(repeats):
                layers += [nn.Conv2d(before, channels // width, 3, padding=1), nn.ReLU(inplace=True)]
                before = channels // width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(size // 32)
        self.classifier = nn.Sequential(
            nn.Linear(before * (size // 32) ** 2, hidden), nn.ReLU(inplace=True), nn.Dropout(),
            nn.Linear(hidden, hidden), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(hidden, classes),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


class Bottleneck(nn.Module):
    def __init__(self, before: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or before != 4 * width:
            self.downsample = nn.Sequential(
                nn.Conv2d(before, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)


class ResNet(nn.Module):
    """He et al. 2015; (3, 4, 6, 3) blocks of width 64 is ResNet-50."""

    def __init__(self, blocks: tuple[int, ...] = (3, 4, 6, 3), width: int = 64, classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        before = width
        for i, n in enumerate(blocks):
            group = []
            for k in range(n):
                group.append(Bottleneck(before, width << i, 2 if i and not k else 1))
                before = 4 * (width << i)
            self.add_module(f"layer{i + 1}", nn.Sequential(*group))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(before, classes)
        self.n_groups = len(blocks)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for i in range(self.n_groups):
            x = getattr(self, f"layer{i + 1}")(x)
        return self.fc(self.avgpool(x).flatten(1))


class DenseLayer(nn.Module):
    def __init__(self, before: int, growth: int, factor: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(before), nn.Conv2d(before, factor * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(factor * growth)
        self.conv2 = nn.Conv2d(factor * growth, growth, 3, padding=1, bias=False)

    def forward(self, parts: list[Tensor]) -> Tensor:
        x = self.conv1(F.relu(self.norm1(torch.cat(parts, 1))))
        return self.conv2(F.relu(self.norm2(x)))


class DenseNet(nn.Module):
    """Huang et al. 2016; (6, 12, 24, 16) layers with growth 32 is DenseNet-121."""

    def __init__(self, blocks: tuple[int, ...] = (6, 12, 24, 16), growth: int = 32, classes: int = 1000) -> None:
        super().__init__()
        width = 2 * growth
        self.conv0 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.norm0 = nn.BatchNorm2d(width)
        self.blocks = nn.ModuleList()
        self.transitions = nn.ModuleList()
        for i, n in enumerate(blocks):
            self.blocks.append(nn.ModuleList(DenseLayer(width + k * growth, growth, 4) for k in range(n)))
            width += n * growth
            if i < len(blocks) - 1:
                self.transitions.append(
                    nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width // 2, 1), nn.AvgPool2d(2))
                )
                width //= 2
        self.norm5 = nn.BatchNorm2d(width)
        self.fc = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.norm0(self.conv0(x))), 3, 2, 1)
        for i, block in enumerate(self.blocks):
            parts = [x]
            for layer in block:
                parts.append(layer(parts))
            x = torch.cat(parts, 1)
            if i < len(self.transitions):
                x = self.transitions[i](x)
        x = F.adaptive_avg_pool2d(F.relu(self.norm5(x), inplace=True), 1)
        return self.fc(x.flatten(1))


class ConvNormReLU(nn.Module):
    def __init__(self, before: int, after: int, kernel: int, stride: int = 1, padding: int = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(after, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)


class Inception(nn.Module):
    def __init__(self, before: int, one: int, three: tuple[int, int], five: tuple[int, int], pool: int) -> None:
        super().__init__()
        self.branch1 = ConvNormReLU(before, one, 1)
        self.branch2 = nn.Sequential(ConvNormReLU(before, three[0], 1), ConvNormReLU(*three, 3, 1, 1))
        self.branch3 = nn.Sequential(ConvNormReLU(before, five[0], 1), ConvNormReLU(*five, 3, 1, 1))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), ConvNormReLU(before, pool, 1))
        self.width = one + three[1] + five[1] + pool

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class GoogLeNet(nn.Module):
    """Szegedy et al. 2014 with batch norm, without the auxiliary heads; `thin` divides its channels."""

    PARTS = (
        ("3a", 64, (96, 128), (16, 32), 32), ("3b", 128, (128, 192), (32, 96), 64), ("", 0, (0, 0), (0, 0), 3),
        ("4a", 192, (96, 208), (16, 48), 64), ("4b", 160, (112, 224), (24, 64), 64),
        ("4c", 128, (128, 256), (24, 64), 64), ("4d", 112, (144, 288), (32, 64), 64),
        ("4e", 256, (160, 320), (32, 128), 128), ("", 0, (0, 0), (0, 0), 4),
        ("5a", 256, (160, 320), (32, 128), 128), ("5b", 384, (192, 384), (48, 128), 128),
    )  # fmt: skip

    def __init__(self, thin: int = 1, classes: int = 1000) -> None:
        super().__init__()
        width = 192 // thin
        self.conv1, self.maxpool1 = ConvNormReLU(3, 64 // thin, 7, 2, 3), nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2 = ConvNormReLU(64 // thin, 64 // thin, 1)
        self.conv3, self.maxpool2 = ConvNormReLU(64 // thin, width, 3, 1, 1), nn.MaxPool2d(3, 2, ceil_mode=True)
        self.order = ["conv1", "maxpool1", "conv2", "conv3", "maxpool2"]
        for name, one, three, five, pool in self.PARTS:
            if not name:
                self.add_module(f"maxpool{pool}", nn.MaxPool2d(3 if pool == 3 else 2, 2, ceil_mode=True))
                self.order.append(f"maxpool{pool}")
                continue
            a, b = ((w[0] // thin, w[1] // thin) for w in (three, five))
            part = Inception(width, one // thin, a, b, pool // thin)
            self.add_module(f"inception{name}", part)
            self.order.append(f"inception{name}")
            width = part.width
        self.avgpool, self.dropout, self.fc = nn.AdaptiveAvgPool2d(1), nn.Dropout(0.2), nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        for name in self.order:
            x = getattr(self, name)(x)
        return self.fc(self.dropout(torch.flatten(self.avgpool(x), 1)))


class UNet(nn.Module):
    """Ronneberger et al. 2015, with in-place ReLU, transposed convolutions and concatenated skips."""

    def __init__(self, width: int = 64, depth: int = 4, classes: int = 2, channels: int = 1) -> None:
        super().__init__()
        sizes = [width << i for i in range(depth + 1)]
        self.down = nn.ModuleList(self._double(a, b) for a, b in zip([channels, *sizes], sizes, strict=False))
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * a, a, 2, 2) for a in sizes[:-1])
        self.fuse = nn.ModuleList(self._double(2 * a, a) for a in sizes[:-1])
        self.head = nn.Conv2d(width, classes, 1)

    @staticmethod
    def _double(before: int, after: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(after, after, 3, padding=1), nn.ReLU(inplace=True),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for i, block in enumerate(self.down):
            x = block(x if not i else F.max_pool2d(x, 2))
            skips.append(x)
        for i in reversed(range(len(self.up))):
            x = self.fuse[i](torch.cat([skips[i], self.up[i](x)], 1))
        return self.head(x)


class LstmClassifier(nn.Module):
    def __init__(self, words: int = 50, width: int = 8, hidden: int = 6, both: bool = False, layers: int = 1) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.lstm = nn.LSTM(width, hidden, layers, batch_first=True, bidirectional=both)
        self.head = nn.Linear(hidden * (2 if both else 1), 3)

    def forward(self, tokens: Tensor) -> Tensor:
        rows, _ = self.lstm(self.embed(tokens))
        return self.head(rows[:, -1])


class EncoderBlock(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        y = self.ln1(x)
        x = x + self.attn(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.ln2(x))


class Vit(nn.Module):
    """Dosovitskiy et al. 2020; patch 16, width 768, 12 blocks of 12 heads is ViT-B/16."""

    def __init__(
        self, size: int = 224, patch: int = 16, width: int = 768, depth: int = 12, heads: int = 12, classes: int = 1000
    ) -> None:
        super().__init__()
        self.patch_embed = nn.Conv2d(3, width, patch, patch)
        self.cls_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.pos_embed = nn.Parameter(torch.randn(1, (size // patch) ** 2 + 1, width) * 0.02)
        self.blocks = nn.Sequential(*(EncoderBlock(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        return self.head(self.norm(self.blocks(x))[:, 0])


class CausalAttention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.c_attn, self.c_proj, self.heads = nn.Linear(width, 3 * width), nn.Linear(width, width), heads

    def forward(self, x: Tensor) -> Tensor:
        n, t, d = x.shape
        q, k, v = (p.view(n, t, self.heads, -1).transpose(1, 2) for p in self.c_attn(x).split(d, 2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.transpose(1, 2).contiguous().view(n, t, d))


class GptBlock(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = CausalAttention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU("tanh"), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Gpt(nn.Module):
    """After Radford et al. 2019 (GPT-2): pre-norm blocks, learned positions, output weights tied to the embedding."""

    def __init__(
        self, words: int = 50257, length: int = 1024, width: int = 768, depth: int = 12, heads: int = 12
    ) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(words, width), nn.Embedding(length, width)
        self.h = nn.ModuleList(GptBlock(width, heads) for _ in range(depth))
        self.ln_f = nn.LayerNorm(width)
        self.lm_head = nn.Linear(width, words, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1], device=tokens.device))
        for block in self.h:
            x = block(x)
        return self.lm_head(self.ln_f(x))


class SharedModule(nn.Module):
    """One linear layer called three times."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(3):
            x = torch.tanh(self.shared(x))
        return x


class DictOutput(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.a, self.b = nn.Linear(5, 8), nn.Linear(8, 3), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> dict[str, Any]:
        x = self.body(x).relu()
        return {"logits": self.a(x), "extra": (self.b(x), x)}


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.head = nn.Linear(4, 6), nn.Linear(3, 6), nn.Linear(12, 2)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return self.head(torch.cat([self.left(left), self.right(right)], -1))


class DataDependentLoop(nn.Module):
    """As many steps as the input's first number says: no static graph."""

    def __init__(self) -> None:
        super().__init__()
        self.step = nn.Linear(4, 4)
        self.steps_done = 0

    def forward(self, x: Tensor) -> Tensor:
        steps = int(x.reshape(-1)[0].abs().item()) + 1
        for _ in range(steps):
            x = self.step(x).relu()
        return x


def _image(n: int, channels: int, size: int) -> Tensor:
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(1))


def _tokens(n: int, length: int, words: int) -> Tensor:
    return torch.randint(0, words, (n, length), generator=torch.Generator().manual_seed(1))


def _made(build: Callable[[], nn.Module], inputs: Any) -> Case:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build().eval(), inputs


SMALL: dict[str, Callable[[], Case]] = {
    "lenet": lambda: _made(LeNet, _image(3, 1, 28)),
    "vgg": lambda: _made(lambda: Vgg(width=16, size=32, hidden=24, classes=10), _image(2, 3, 32)),
    "resnet": lambda: _made(lambda: ResNet((1, 2), 8, 10), _image(2, 3, 32)),
    "densenet": lambda: _made(lambda: DenseNet((2, 3), 4, 10), _image(2, 3, 32)),
    "googlenet": lambda: _made(lambda: GoogLeNet(16, 10), _image(2, 3, 64)),
    "unet": lambda: _made(lambda: UNet(4, 2), _image(2, 1, 16)),
    "lstm": lambda: _made(LstmClassifier, _tokens(3, 7, 50)),
    "lstm_both": lambda: _made(lambda: LstmClassifier(both=True, layers=2), _tokens(3, 7, 50)),
    "vit": lambda: _made(lambda: Vit(16, 4, 16, 2, 4, 10), _image(2, 3, 16)),
    "gpt": lambda: _made(lambda: Gpt(40, 12, 16, 2, 4), _tokens(2, 9, 40)),
    "shared": lambda: _made(SharedModule, torch.rand(2, 6)),
    "dict_output": lambda: _made(DictOutput, torch.rand(2, 5)),
    "two_inputs": lambda: _made(TwoInputs, (torch.rand(2, 4), torch.rand(2, 3))),
    "loop": lambda: _made(DataDependentLoop, torch.full((2, 4), 2.5)),
}

FULL: dict[str, Callable[[], Case]] = {
    "vgg": lambda: _made(Vgg, _image(1, 3, 224)),
    "resnet": lambda: _made(ResNet, _image(1, 3, 224)),
    "densenet": lambda: _made(DenseNet, _image(1, 3, 224)),
    "googlenet": lambda: _made(GoogLeNet, _image(1, 3, 224)),
    "unet": lambda: _made(UNet, _image(1, 1, 256)),
    "vit": lambda: _made(Vit, _image(1, 3, 224)),
    "gpt": lambda: _made(Gpt, _tokens(1, 64, 50257)),
}


def lenet() -> nn.Module:
    """A factory for --model tests.networks:lenet."""
    return _made(LeNet, None)[0]


def resnet50() -> nn.Module:
    """A factory for --model tests.networks:resnet50."""
    return _made(ResNet, None)[0]


def vgg16() -> nn.Module:
    """A factory for --model tests.networks:vgg16."""
    return _made(Vgg, None)[0]
