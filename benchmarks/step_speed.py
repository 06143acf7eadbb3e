"""Measures an epoch of training: Keras' own fit of the tutorial against this project's step.

    python benchmarks/step_speed.py

Both train the same decoder with the same batch size on the same random pictures (time does not
depend on what they show, nor on the weights), with flips, and measure on the validation pictures
after each epoch. Keras: the whole model, cross-entropy, accuracy. Ours: the decoder alone on int8
features, dice and cross-entropy, by fast_decoder.py; the validation set's features are computed
once. Epochs take turns. Prints a table in Markdown: seconds an epoch (median, best), the
processor's seconds of all cores (median), and ratios to Keras.
"""

import statistics
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras
import tensorflow as tf

import main
from get_model import get_model
from segmentation import evaluate
from segmentation.data.batches import make_dataset
from segmentation.int8.features import make_feature_function
from segmentation.train.fast_decoder import call_decoder, choose_training_dtype

DECODERS = {"tutorial": (512, 256, 128, 64), "default": main.DECODER_FILTERS}
IMAGE_SIZE, CLASSES, BATCH_SIZE = (96, 160), 4, 8
TRAINING_IMAGES, VALIDATION_IMAGES = 64, 16
EPOCHS = 5


def make_data():
    """Returns random pictures and labels: training and validation."""
    random = np.random.default_rng(0)
    count = TRAINING_IMAGES + VALIDATION_IMAGES
    images = random.integers(0, 256, (count, *IMAGE_SIZE, 3), np.uint8)
    labels = random.integers(0, CLASSES, (count, *IMAGE_SIZE), np.uint8)
    return images, labels


def make_unet(filters):
    keras.utils.set_random_seed(1)
    model = get_model(IMAGE_SIZE, CLASSES, None, filters)
    model.get_layer("encoder").trainable = False  # as it is with pretrained weights
    return model


def make_keras_epoch(filters, images, labels):
    """Returns a function that trains and validates an epoch by Keras' fit."""
    def flip(image, label):
        flipped = tf.random.uniform(()) < 0.5
        return (tf.where(flipped, image[:, ::-1], image),
                tf.where(flipped, label[:, ::-1], label))

    model, count = make_unet(filters), TRAINING_IMAGES
    model.compile(keras.optimizers.Adam(),
                  keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                  metrics=["accuracy"])
    pairs = tf.data.Dataset.from_tensor_slices((images, labels[..., None]))
    training = pairs.take(count).shuffle(count).map(flip).batch(BATCH_SIZE).prefetch(2)
    validation = pairs.skip(count).batch(BATCH_SIZE).prefetch(2)
    return lambda: model.fit(training, validation_data=validation, verbose=0)


def make_fast_epoch(filters, images, labels):
    """Returns a function that trains and validates an epoch by the fast step."""
    model, count = make_unet(filters), TRAINING_IMAGES
    decoder = model.get_layer("decoder")
    features = make_feature_function(model.get_layer("encoder"), images[:4])
    optimizer = keras.optimizers.Adam(main.LEARNING_RATE)
    optimizer.build(decoder.trainable_variables)
    loss = tf.function(main.make_loss("dice+cross-entropy", np.ones(CLASSES, np.float32), 255),
                       jit_compile=True)
    training_dtype = choose_training_dtype()

    @tf.function(reduce_retracing=True)
    def step(inputs, label):
        with tf.GradientTape() as tape:
            value = loss(label, call_decoder(decoder, inputs, True, training_dtype))
        variables = decoder.trainable_variables
        optimizer.apply(tape.gradient(value, variables), variables)
        return value

    @tf.function(reduce_retracing=True)
    def classify(inputs):
        return tf.argmax(decoder(inputs, training=False), -1)

    validation = [[tf.constant(array) for array in features(images[start:start + BATCH_SIZE])]
                  for start in range(count, len(images), BATCH_SIZE)]
    data = {"validation_labels": labels[count:], "class_names": list("abcd")[:CLASSES]}

    batches = iter(make_dataset(images[:count], labels[:count], BATCH_SIZE, augment=True,
                                shuffle=True, epochs=range(EPOCHS + 1), features=features))

    def epoch():
        for _ in range(-(-count // BATCH_SIZE)):
            float(step(*next(batches)))
        predictions = np.concatenate([classify(inputs) for inputs in validation])
        evaluate.measure(predictions, data, 255)

    return epoch


def measure_epochs(epochs):
    """Runs functions in turn, EPOCHS times; returns for each lists of seconds and CPU seconds."""
    for epoch in epochs:
        epoch()  # traces and compiles
    times = [([], []) for _ in epochs]
    for _ in range(EPOCHS):
        for epoch, (seconds, processor) in zip(epochs, times):
            wall, busy = time.perf_counter(), time.process_time()
            epoch()
            seconds.append(time.perf_counter() - wall)
            processor.append(time.process_time() - busy)
    return times


def compare():
    """Prints the table."""
    images, labels = make_data()
    print(f"{TRAINING_IMAGES} training and {VALIDATION_IMAGES} validation images of "
          f"{IMAGE_SIZE[0]}x{IMAGE_SIZE[1]}, batch {BATCH_SIZE}, medians of {EPOCHS} epochs\n")
    print("| decoder | | seconds an epoch | best | CPU seconds | ratio | ratio of best | of CPU |")
    print("|---|---|---|---|---|---|---|---|")
    for name, filters in DECODERS.items():
        times = measure_epochs([make(filters, images, labels)
                                for make in (make_keras_epoch, make_fast_epoch)])
        rows = [(statistics.median(seconds), min(seconds), statistics.median(processor))
                for seconds, processor in times]
        for title, row in zip(("Keras' fit", "ours"), rows):
            print(f"| {name} | {title} | " + " | ".join(f"{value:.2f}" for value in row) + " | "
                  + " | ".join(f"{value / base:.2f}" for value, base in zip(row, rows[0])) + " |",
                  flush=True)


if __name__ == "__main__":
    compare()
