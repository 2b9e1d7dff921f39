"""Makes the files of this folder with TensorFlow, tf_keras and tensorflowjs: python make.py FOLDER.

Made once with tensorflow 2.21.0, tf_keras 2.21.0, keras 3.15.1 and tensorflowjs 4.22.0. Each model's own output for
ones as input lies beside it, so that what is read can be held against what TensorFlow computes.
"""

import json
import sys
from pathlib import Path
from unittest.mock import MagicMock

import keras
import numpy as np
import tensorflow as tf
import tf_keras

OUT = Path(sys.argv[1])
ONES = np.ones((1, 8, 8, 2), np.float32)


def net(k):
    """A small network with what differs between the layouts: strides, a branch, flattened maps, a depthwise kernel."""
    k.utils.set_random_seed(0)
    x = picture = k.Input((8, 8, 2), name="picture")
    x = k.layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(x)
    y = k.layers.DepthwiseConv2D(3, padding="same", name="deep")(x)
    y = k.layers.BatchNormalization(name="norm")(y)
    x = k.layers.Add(name="add")([x, y])
    x = k.layers.MaxPooling2D(3, 2, padding="same", name="pool")(x)
    x = k.layers.Flatten(name="flat")(x)
    x = k.layers.Dense(5, activation="softmax", name="out")(x)
    model = k.Model(picture, x, name="net")
    rng = np.random.default_rng(0)
    shapes = [w.shape for w in model.get_weights()]
    drawn = [rng.normal(0, 0.3, s) if len(s) > 1 else rng.uniform(0.5, 1, s) for s in shapes]
    model.set_weights([w.astype(np.float32) for w in drawn])
    return model


def older():
    """What Keras 2 does otherwise: a nested model called twice, hard gates, GRUs that reset before the product."""
    k = tf_keras
    inner = k.Sequential([k.layers.Conv1D(4, 3, padding="same"), k.layers.ReLU(max_value=2.0)], name="inner")
    x = steps = k.Input((6, 4), name="steps")
    x = inner(inner(x)) * 0.5
    x = k.layers.LSTM(5, return_sequences=True, recurrent_activation="hard_sigmoid", name="hard")(x)
    x = k.layers.Bidirectional(k.layers.GRU(3, reset_after=False, name="gru"), name="both")(x)
    model = k.Model(steps, k.layers.Dense(2, activation="hard_sigmoid", name="out")(x), name="older")
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.5, w.shape).astype(np.float32) for w in model.get_weights()])
    model.save(OUT / "older_keras2.h5")
    return np.asarray(model(np.ones((1, 6, 4), np.float32)))[0].tolist()


def checkpoints():
    """One of graph mode for each of two steps, named as nn-visualizer's trainer names its layers."""
    v1 = tf.compat.v1
    shapes = {
        "conv0": (3, 3, 1, 4), "conv1": (3, 3, 4, 4), "conv2": (3, 3, 4, 8), "conv10": (3, 3, 8, 8),
        "fc0": (4 * 4 * 8, 12), "fc_out": (12, 10),
    }
    norms = {"batch_normalization": 4, "batch_normalization_1": 8, "batch_normalization_2": 12}
    with tf.Graph().as_default(), v1.Session() as session:
        rng = np.random.default_rng(0)
        for name, shape in shapes.items():
            with v1.variable_scope(name):
                v1.get_variable("kernel", initializer=rng.normal(size=shape).astype(np.float32), use_resource=False)
                v1.get_variable("bias", initializer=rng.normal(size=shape[-1:]).astype(np.float32))
        for name, n in norms.items():
            for role in ("gamma", "beta", "moving_mean", "moving_variance"):
                v1.get_variable(f"{name}/{role}", initializer=rng.uniform(0.5, 1, n).astype(np.float32))
        v1.get_variable("conv0/kernel/Adam", initializer=np.zeros(shapes["conv0"], np.float32))
        step = v1.train.get_or_create_global_step()
        v1.get_variable("words", initializer=np.array([b"a", b"bc"]))
        saver = v1.train.Saver(max_to_keep=None, save_relative_paths=True)
        session.run(v1.global_variables_initializer())
        for at in (0, 10):
            session.run(step.assign(at))
            saver.save(session, str(OUT / "graph" / "model.ckpt"), global_step=at, write_meta_graph=False)


def slices():
    """A variable in three parts on two devices: slices, and two shards."""
    v1 = tf.compat.v1
    whole = np.arange(35, dtype=np.float32).reshape(7, 5)

    def part(shape, dtype, partition_info):
        first = partition_info.var_offset[0]
        return tf.constant(whole[first : first + shape[0]], dtype)

    with tf.Graph().as_default():
        with tf.device("/cpu:0"):
            kernel = v1.get_variable(
                "embed/weights", whole.shape, initializer=part, partitioner=v1.fixed_size_partitioner(3),
            )
        with tf.device("/cpu:1"):
            v1.get_variable("fc/kernel", initializer=np.arange(10, dtype=np.float32).reshape(5, 2))
            v1.get_variable("fc/half", initializer=tf.cast(np.arange(3), tf.bfloat16))
        del kernel
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            saver = v1.train.Saver(sharded=True, save_relative_paths=True)
            saver.save(session, str(OUT / "slices" / "model.ckpt"), write_meta_graph=False)


def saved_model():
    """A module with one function, as tf.saved_model.save writes it."""

    class Line(tf.Module):
        def __init__(self):
            super().__init__(name="line")
            self.kernel = tf.Variable(np.arange(6, dtype=np.float32).reshape(2, 3), name="dense/kernel")
            self.bias = tf.Variable(np.zeros(3, np.float32), name="dense/bias")

        @tf.function(input_signature=[tf.TensorSpec((None, 2), tf.float32)])
        def __call__(self, x):
            return tf.nn.relu(x @ self.kernel + self.bias)

    tf.saved_model.save(Line(), str(OUT / "saved_model"))


def lite(model):
    """Floats, and whole numbers of eight bits."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    (OUT / "net.tflite").write_bytes(converter.convert())
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    rng = np.random.default_rng(0)
    converter.representative_dataset = lambda: ([rng.random((1, 8, 8, 2)).astype(np.float32)] for _ in range(8))
    (OUT / "net_int8.tflite").write_bytes(converter.convert())
    results = {}
    for name in ("net", "net_int8"):
        interpreter = tf.lite.Interpreter(
            str(OUT / f"{name}.tflite"), experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
        )
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], ONES)
        interpreter.invoke()
        details = interpreter.get_tensor_details()
        results[name] = {
            "n_ops": len(interpreter._get_ops_details()), "n_tensors": len(details),
            "output": interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0].tolist(),
        }
    return results


def main():
    """All of them."""
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
    for folder in ("graph", "slices", "object", "tfjs", "tfjs_uint8"):
        (OUT / folder).mkdir(parents=True, exist_ok=True)
    results = {}
    three, two = net(keras), net(tf_keras)
    three.save(OUT / "net.keras")
    two.save(OUT / "net_keras2.h5")
    results["keras"] = np.asarray(three(ONES))[0].tolist()
    results["keras2"] = np.asarray(two(ONES))[0].tolist()
    results["older"] = older()
    checkpoints()
    slices()
    tf.train.Checkpoint(model=two).save(str(OUT / "object" / "ckpt"))
    saved_model()
    results["tflite"] = lite(two)
    for name in ("tensorflow_decision_forests", "jax", "jax.experimental"):  # imported there, and not used here
        sys.modules.setdefault(name, MagicMock())
    from tensorflowjs import quantization
    from tensorflowjs.converters import keras_h5_conversion

    (OUT / "tfjs").mkdir(exist_ok=True)
    keras_h5_conversion.save_keras_model(two, str(OUT / "tfjs"))
    keras_h5_conversion.save_keras_model(
        two, str(OUT / "tfjs_uint8"), quantization_dtype_map={quantization.QUANTIZATION_DTYPE_UINT8: "*"}
    )
    (OUT / "results.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
