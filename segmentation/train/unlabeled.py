"""Images without a label teach, too (UNLABELED): by what a moving average of the decoder sees.

The teacher is a moving average of the decoder that is trained (Tarvainen and Valpola 2017, Mean
teachers). It predicts images without a label; where it is sure, the decoder learns that as a label
(Sohn et al. 2020, FixMatch), from features of which whole channels are missing (Yang et al. 2023,
UniMatch): so it learns to see the same with less, not what it knows already. The encoder is frozen,
so the features of these images are computed once.

What it gains stands in docs/training.md. With 0.5 for all classes in place of predict_sure's rule
davis_birds, 20 labels, had 0.812 instead of 0.835 and camvid 0.545 instead of 0.533, in steps of 8
images with a label and 8 without.
"""

import functools

import keras
import numpy as np
import tensorflow as tf

from device.model_info import IGNORED
from segmentation.data.batches import count_steps, epoch_order
from segmentation.data.channels import Variation, vary_channels
from segmentation.data.mixing import mix_classes
from segmentation.train.fast_decoder import call_decoder
from segmentation.train.gradient import descend

START = 0.2  # share of the steps after which images without a label teach: the teacher sees by then
SURE = 0.9  # what the teacher gives a class; see predict_sure
LEFT_OUT = Variation(dropped=0.3)  # channels of each feature map
TEACHER_MEMORY = 0.99  # share of the moving average that a step keeps
PER_LABELED = 2  # images without a label that a step has for each one with a label
RATE_SHARE = 1 / 2  # of LEARNING_RATE: all of it learns few labels by heart (docs/benchmarks.md)


def count_labeled(batch_size):
    """Returns how many images with a label a step has: half of BATCH_SIZE.

    So there are more steps in an epoch, which teach more (docs/benchmarks.md, by Adam).
    """
    return max(1, batch_size // 2)


def make_teacher(decoder):
    """Returns a copy of the decoder, whose variables are the teacher's."""
    teacher = keras.models.clone_model(decoder)
    teacher.set_weights(decoder.get_weights())
    return teacher


def make_unlabeled_step(labeled_step, phase, call, teacher, optimizer, measure, batch_size, steps,
                        options):
    """Returns a function (inputs, label) -> loss that trains with images without a label, too.

    Which ones, and what is left out of them, depends on the seed and the optimizer's number of the
    step alone, so that a resumed run goes on as one that was not interrupted.
    Args: labeled_step, what loop.make_step returns, which is all there is up to START; phase, a
        loop.Phase whose model is the decoder, with unlabeled_images; call and optimizer as for
        loop.make_step; measure, of make_measure; teacher, of make_teacher; steps of the whole
        phase; options of the stream: augmentation and seed.
    """
    decoder, seed, augmentation = phase.model, options["seed"], options["augmentation"]
    read = make_reader(phase.unlabeled_images, PER_LABELED * batch_size, seed,
                       augmentation and augmentation.flip)

    @tf.function(autograph=False, reduce_retracing=True)
    def train(inputs, label, unlabeled, number):
        """Runs one step on a batch with labels and one without."""
        pseudo_label = predict_sure(teacher, unlabeled)
        if phase.mixing:
            unlabeled, pseudo_label = mix_classes(
                unlabeled, pseudo_label, inputs, label, (seed + 1, number), phase.mixing)
        seen = vary_channels(unlabeled, (seed, number), LEFT_OUT)
        with tf.GradientTape() as tape:
            logits = call([tf.concat(pair, 0) for pair in zip(inputs, seen)], training=True)
        count = tf.shape(label)[0]
        value, gradient = measure(label, logits[:count])
        _, pseudo_gradient = measure(pseudo_label, logits[count:])
        descend(optimizer, decoder, tape, logits, tf.concat([gradient, pseudo_gradient], 0))
        return value

    follow = tf.function(functools.partial(move_towards, teacher, decoder), autograph=False)

    def step(inputs, label):
        """Trains one step; returns the loss of the images with labels."""
        number = int(optimizer.iterations)
        if number < START * steps:
            value = labeled_step(inputs, label)
        else:
            value = train(inputs, label, phase.cached_features(read(number)), tf.constant(number))
        follow()
        return value

    return step


def make_reader(images, batch_size, seed, flip):
    """Returns a function number of a step -> its images without a label, mirrored as FLIP says.

    Args: images uint8 (n, height, width, 3); flip, main.py's FLIP.
    """
    epoch_steps = count_steps(len(images), batch_size)
    order = functools.lru_cache(1)(lambda epoch: epoch_order(
        len(images), batch_size, True, seed + 1, epoch))  # + 1: not the order of the labeled ones

    def read(number):
        """Returns the images of a step, uint8 (batch, height, width, 3)."""
        epoch, place = divmod(number, epoch_steps)
        indices, random_numbers = order(epoch)[place]
        batch, is_flipped = images[indices], random_numbers[:, :2, None, None, None] < 0.5
        if flip:
            batch = np.where(is_flipped[:, 0], batch[:, :, ::-1], batch)
        if flip == "both":
            batch = np.where(is_flipped[:, 1], batch[:, ::-1], batch)
        return batch

    return read


def move_towards(teacher, decoder):
    """Moves the teacher's variables a little towards the decoder's."""
    for mean, variable in zip(teacher.variables, decoder.variables):
        mean.assign(mean * TEACHER_MEMORY + variable * (1 - TEACHER_MEMORY))


def predict_sure(teacher, features):
    """Returns the teacher's classes, uint8 (batch, height, width), IGNORED where it is not sure.

    Sure is a pixel to which it gives SURE, or what it gives its class on average in this batch: of
    thin and rare classes it is never as sure as of the sky.
    """
    probabilities = tf.nn.softmax(call_decoder(teacher, features, training=False))
    confidence, classes = tf.reduce_max(probabilities, -1), tf.argmax(probabilities, -1)
    is_class = tf.one_hot(classes, probabilities.shape[-1])
    means = tf.math.divide_no_nan(tf.reduce_sum(is_class * confidence[..., None], (0, 1, 2)),
                                  tf.reduce_sum(is_class, (0, 1, 2)))
    is_sure = confidence >= tf.gather(tf.minimum(SURE, means), classes)
    return tf.where(is_sure, tf.cast(classes, tf.uint8), np.uint8(IGNORED))
