"""The gallery's pictures: of which run, what one sees, and the options of `nn3d render` that make it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Picture:
    """name : of the file. run : a key of scripts/gallery/runs.py. words : what one sees. options : of `nn3d render`."""

    name: str
    run: str
    words: str
    options: tuple[str, ...] = ()


PICTURES = (
    Picture("01-lenet", "lenet", "LeNet-5, trained on MNIST, reads a 3 that may be taken for a 5."),
    Picture("02-lenet-light", "lenet", "The same in the light theme, for print: it takes a 4 for an 8… or does it?",
            ("--theme", "light", "--sample", "MNIST test #247")),
    Picture("03-lenet-collapsed", "lenet", "Every layer collapsed to one block; its face is the mosaic of its maps.",
            ("--open", "none")),
    Picture("04-lenet-close", "lenet", "Close up: the cells of a map of conv1 rise with their values.",
            ("--near", "conv1/2")),
    Picture("05-lenet-behind", "lenet", "From behind: plates turn round their posts and read from left to right.",
            ("--yaw", "127", "--sample", "MNIST test #18")),
    Picture("06-lenet-above", "lenet", "From above: plates turn and lean to the reader.",
            ("--yaw", "78", "--pitch", "60")),
    Picture("07-lenet-hover", "lenet", "The pointer on one cell of conv2: what it is made of stays bright.",
            ("--hover", "conv2/5/4,4", "--sample", "MNIST test #2")),
    Picture("08-sietzen", "sietzen", "Stefan Sietzen's MNIST network, read from his own files, every calculation.",
            ("--level", "all")),
    Picture("09-mlp-digits", "mlp", "A perceptron 144-16-10 on digits of 12 × 12 pixels."),
    Picture("10-mlp-iris", "iris", "A network small enough to print its numbers: irises, 4-8-3; widths are weights.",
            ("--by", "weight")),
    Picture("11-resnet20", "resnet20", "ResNet-20, trained on CIFAR-10, all maps open; the shortcuts pass above."),
    Picture("12-resnet50-open", "resnet50", "ResNet-50, every map of every layer open, with random weights.",
            ("--edges", "off", "--open", "all")),
    Picture("13-unet", "unet", "A U-Net, trained to find the ink of a digit among stripes."),
    Picture("14-transformer", "gpt", "A transformer of four blocks, trained on Python's documentation, goes on."),
    Picture("15-lstm", "lstm", "A bidirectional LSTM, trained to read digits row by row."),
    Picture("16-googlenet", "googlenet", "GoogLeNet, its modules folded, with random weights."),
)  # fmt: skip
