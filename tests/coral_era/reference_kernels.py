"""Runs a .tflite with TensorFlow's reference kernels: the same file under today's and under 2.5.3.

    python reference_kernels.py model_int8.tflite images.npy outputs.npy

Reads images.npy (count, height, width, 3) in the model's input type; writes outputs.npy: the
outputs of every image, flattened and side by side (count, values). Needs only TensorFlow.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


def run(model_path, images):
    """The model's outputs for each image, flattened: an array (count, values)."""
    import numpy as np
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(
        model_path, experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    (detail,) = interpreter.get_input_details()
    outputs = []
    for image in images:
        interpreter.set_tensor(detail["index"], image[None])
        interpreter.invoke()
        values = [
            interpreter.get_tensor(output["index"]).ravel()
            for output in interpreter.get_output_details()
        ]
        outputs.append(np.concatenate(values))
    return np.stack(outputs)


def main():
    import numpy as np

    model_path, images_path, outputs_path = sys.argv[1:]
    np.save(outputs_path, run(model_path, np.load(images_path, allow_pickle=False)))


if __name__ == "__main__":
    main()
