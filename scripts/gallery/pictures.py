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
    Picture("01-lenet", "lenet", "LeNet-5, trained on MNIST, reads a 3 that it nearly takes for a 5."),
    Picture("02-lenet-light", "lenet", "The same network in the light theme, for print; it reads a 4.",
            ("--theme", "light", "--sample", "MNIST test #247")),
    Picture("03-lenet-collapsed", "lenet", "Every layer collapsed to one block; its face is the mosaic of its maps.",
            ("--open", "none")),
    Picture("04-lenet-close", "lenet", "Close up: cells rise with their values.", ("--near", "pool1/1")),
    Picture("05-lenet-behind", "lenet", "From behind: plates turn round on their posts and read from left to right.",
            ("--yaw", "127")),
    Picture("06-lenet-above", "lenet", "From above: plates turn and lean to the reader.",
            ("--yaw", "78", "--pitch", "60")),
    Picture("07-lenet-hover", "lenet", "The pointer on a cell of conv2: what it is made of is framed, and worked out.",
            ("--hover", "conv2/11/8,4")),
    Picture("08-sietzen", "sietzen",
            "Stefan Sietzen's MNIST network from his own files: all 143,584 calculations, a strand each.",
            ("--level", "all", "--edges", "all")),
    Picture("09-mlp-digits", "mlp", "A perceptron 144-16-10, trained on digits of 12 × 12 pixels."),
    Picture("10-mlp-iris", "iris", "Small enough to print its numbers, 4-8-3: an iris that it takes for another kind.",
            ("--by", "weight", "--sample", "iris #133")),
    Picture("11-resnet20-folded", "resnet20", "ResNet-20, trained on CIFAR-10, its stages folded.", ("--fold", "all")),
    Picture("12-resnet20", "resnet20", "The same with the first stage open: shortcuts pass under the convolutions.",
            ("--fold", "stage2,stage3", "--yaw", "54")),
    Picture("13-vgg16-open", "vgg16", "VGG-16, every map of every layer open; random weights.",
            ("--open", "all", "--fold", "none")),
    Picture("14-unet", "unet", "A U-Net, trained to find the ink of a digit among stripes."),
    Picture("15-transformer", "gpt",
            "A transformer, trained on Python's documentation, goes on with a sentence; one block of four is open.",
            ("--fold", "blocks.1 – 3", "--open", "blocks.0.attention.attention")),
    Picture("16-lstm", "lstm", "A bidirectional LSTM, trained to read digits row by row."),
    Picture("17-googlenet", "googlenet", "GoogLeNet, one of its modules open; random weights."),
    Picture("18-resnet50", "resnet50", "ResNet-50 without any fold: 73 layers, each with its name; random weights.",
            ("--fold", "none")),
    Picture("19-lenet-path", "lenet", "The bright path of an output: its strongest contributions, four layers back.",
            ("--select", "fc3:3", "--script", '[{"do": "SetPath", "layers": 4}]')),
    Picture("20-attention", "gpt", "One attention weight, and the row of weights over the tokens that it is part of.",
            ("--select", "blocks.0.attention.attention:2,13,9", "--fold", "blocks.1 – 3")),
)  # fmt: skip
