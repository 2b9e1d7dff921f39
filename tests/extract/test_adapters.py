"""Callbacks of training frameworks, each with the real one where it is installed: what it records is the model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from nn3d.extract.adapters.rate import numbers
from nn3d.run.reader import open_run
from nn3d.run.validate import validate

PICTURES = torch.rand(32, 1, 12, 12, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(32) % 3


def test_metrics_that_are_no_number_are_passed_over() -> None:
    given = {"loss": torch.tensor(0.5), "lr": 1e-3, "text": "x", "many": torch.zeros(3), "epoch": 2.0}
    assert numbers(given) == {"loss": 0.5, "lr": 1e-3}


def test_lightning_records_each_epoch_and_trains_the_same(tmp_path: Path) -> None:
    pytest.importorskip("lightning")
    import lightning.pytorch as pl

    from nn3d.extract.adapters.lightning import Record

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.drop, self.head = torch.nn.Conv2d(1, 4, 3), torch.nn.Dropout(0.2), torch.nn.Linear(100, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.drop(F.max_pool2d(F.relu(self.conv(x)), 2)).flatten(1))

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            loss = F.cross_entropy(self(batch[0]), batch[1])
            self.log("loss", loss, on_step=False, on_epoch=True)
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), 0.1)

    def fit(*callbacks: Any) -> Module:
        torch.manual_seed(0)
        model = Module()
        data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(PICTURES, LABELS), 8, shuffle=True)
        trainer = pl.Trainer(
            max_epochs=2, callbacks=list(callbacks), logger=False, enable_checkpointing=False, accelerator="cpu",
            enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(model, data)
        return model

    by_epoch = Record(tmp_path / "epochs", PICTURES[:4], labels=LABELS[:4].tolist())
    model = fit(by_epoch, Record(tmp_path / "steps", PICTURES[:4], every_n_steps=3))
    for a, b in zip(model.state_dict().values(), fit().state_dict().values(), strict=True):
        assert torch.equal(a, b)
    with open_run(tmp_path / "epochs") as run, open_run(tmp_path / "steps") as steps:
        assert validate(run) > 0
        assert [e.step for e in run.epochs] == [0, 4, 8]
        assert [e.step for e in steps.epochs] == [0, 3, 6]
        assert all(np.isfinite(e.metrics["loss"]) for e in run.epochs[1:])
        assert run.graph.kind == "traced"
        np.testing.assert_allclose(run.weights("conv.weight", -1), model.conv.weight.detach(), rtol=1e-3, atol=1e-6)


def test_hugging_face_records_each_epoch(tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    transformers = pytest.importorskip("transformers")
    from nn3d.extract.adapters.huggingface import Record

    config = transformers.BertConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=8, num_labels=3,
    )  # fmt: skip
    tokens = torch.randint(20, (16, 6), generator=torch.Generator().manual_seed(0))
    data = [{"input_ids": row, "labels": int(row[0]) % 3} for row in tokens]
    model = transformers.BertForSequenceClassification(config)
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path / "out"), num_train_epochs=2, per_device_train_batch_size=8, report_to=[],
        logging_steps=1, save_strategy="no", use_cpu=True, disable_tqdm=True,
    )  # fmt: skip
    record = Record(tmp_path / "run", {"input_ids": tokens[:3]})
    transformers.Trainer(model=model, args=arguments, train_dataset=data, callbacks=[record]).train()
    with open_run(tmp_path / "run") as run:
        assert validate(run) > 0
        assert [e.step for e in run.epochs] == [0, 2, 4]
        assert "loss" in run.epochs[-1].metrics
        name = "classifier.weight"
        np.testing.assert_allclose(run.weights(name, -1), model.classifier.weight.detach(), rtol=1e-3, atol=1e-6)


def test_keras_on_torch_records_each_epoch(tmp_path: Path) -> None:
    os.environ["KERAS_BACKEND"] = "torch"
    keras = pytest.importorskip("keras")
    from nn3d.extract.adapters.keras import Record

    keras.utils.set_random_seed(0)
    model = keras.Sequential([
        keras.layers.Input((12, 12, 1)),
        keras.layers.Conv2D(4, 3, activation="relu", name="conv"),
        keras.layers.Flatten(),
        keras.layers.Dense(3, name="head"),
    ])  # fmt: skip
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, metrics=["accuracy"])
    pictures = PICTURES.permute(0, 2, 3, 1).numpy()
    record = Record(tmp_path / "run", pictures[:4], labels=LABELS[:4].tolist())
    model.fit(pictures, LABELS.numpy(), batch_size=8, epochs=2, verbose=0, callbacks=[record])
    with open_run(tmp_path / "run") as run:
        assert validate(run) > 0
        assert [e.step for e in run.epochs] == [0, 4, 8]
        assert {"loss", "accuracy"} <= set(run.epochs[-1].metrics)
        assert [layer.op for layer in run.layers if layer.weight is not None] == ["conv2d", "linear"]
        head = next(layer for layer in run.layers if layer.op == "linear")
        expected = np.asarray(model.predict(pictures[:4], verbose=0))
        np.testing.assert_allclose(run.activations(head.name, -1), expected, rtol=1e-2, atol=1e-2)
