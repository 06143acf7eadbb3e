"""Tests of loop.py: a loss that is not finite, Ctrl-C, float16, a step, the optimizer."""

import signal

import keras
import numpy as np
import pytest
import small_training
import tensorflow as tf

import main
from device.errors import InputError
from segmentation.data.channels import Variation, vary_channels
from segmentation.train import loop


def fit_small(finish, model=None, features=None, **options):
    """Trains the little network with loop.fit; returns what that returns."""
    phase = loop.Phase(model or small_training.make_network(), features, 1e-2, 0, 4)
    return loop.fit(phase, tf.distribute.get_strategy(),
                    main.make_loss("dice+cross-entropy", [1.0, 3.0], 255),
                    small_training.make_data(), 5,
                    {"augmentation": None, "seed": 1, "repeats": 1}, finish, **options)


def test_the_time_that_is_left_is_told_once(capsys):
    # The first step takes 30 s, the others 2 s: after 3 of them, 396 of 400 steps are left.
    moments = iter([30, 32, 34, 36, 38])
    tell = loop.make_time_teller(400, 20, clock=lambda: next(moments))
    for _ in range(4):
        tell()
    assert capsys.readouterr().out == "At this pace epoch 20 ends in about 13 minutes.\n"
    tell()  # which asks for no time any more
    assert next(moments) == 38 and not capsys.readouterr().out


def test_no_time_is_told_of_a_short_training(capsys):
    moments = iter([0, 6])
    tell = loop.make_time_teller(10, 20, clock=lambda: next(moments))
    for _ in range(3):
        tell()
    assert not capsys.readouterr().out


@pytest.mark.slow
def test_a_loss_that_is_not_finite_names_the_files():
    bad = small_training.make_data()["images"][7]

    def features(images):
        is_bad = (images == bad).all((1, 2, 3))
        return [np.where(is_bad[:, None, None, None], np.nan, images).astype(np.float32)]

    with pytest.raises(InputError, match=r"The loss is nan in epoch 1, batch \d.*\b7\b.*kept"):
        fit_small(lambda *_: False, features=features)


@pytest.mark.slow
def test_ctrl_c_ends_after_the_batch_and_the_handler_is_put_back():
    before, epochs = signal.getsignal(signal.SIGINT), []

    def finish(epoch, loss, seconds, optimizer):
        epochs.append(epoch)
        signal.raise_signal(signal.SIGINT)
        return False

    assert fit_small(finish)
    assert epochs == [0] and signal.getsignal(signal.SIGINT) is before


@pytest.mark.slow
def test_float16_training_leaves_a_float32_model():
    model, seen = small_training.make_network(), []

    def finish(epoch, loss, seconds, optimizer):
        seen.append([layer.compute_dtype for layer in model.layers])
        return True

    fit_small(finish, model, mixed_precision=True)
    assert seen[0][-1] == "float32" and set(seen[0][:-1]) == {"float16"}  # the last: the logits
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}


@pytest.mark.slow
def test_ctrl_c_in_the_last_epoch_is_told_too():
    def finish(epoch, loss, seconds, optimizer):
        if epoch == 3:
            signal.raise_signal(signal.SIGINT)
        return False

    assert fit_small(finish)  # so no fine-tuning is begun


def test_optimizer_variables_of_other_variables_is_a_sentence():
    optimizer = keras.optimizers.Adam()
    optimizer.build(small_training.make_network().trainable_variables)
    arrays = [variable.numpy() for variable in optimizer.variables]
    loop.assign_all(optimizer.variables, arrays)
    for others in (arrays[:-1], [*arrays[:-1], np.zeros(9)]):
        with pytest.raises(InputError, match="set EPOCHS and FINE_TUNE_FROM as they were"):
            loop.assign_all(optimizer.variables, others)


@pytest.mark.parametrize("weight_decay, share", [(0, 1), (0.5, 1 - 1e-2 * 0.5)])
def test_weight_decay_shrinks_the_weights_by_its_share_of_the_learning_rate(weight_decay, share):
    model = small_training.make_network()
    phase = loop.Phase(model, None, 1e-2, 0, 4, weight_decay=weight_decay)
    optimizer = loop.make_optimizer(phase, 5, tf.distribute.get_strategy())
    before = [variable.numpy() for variable in model.trainable_variables]
    optimizer.apply_gradients([(tf.zeros_like(variable), variable)
                               for variable in model.trainable_variables])
    for variable, value in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_allclose(variable.numpy(), value * share, rtol=1e-6)


def test_a_step_varies_channels_by_its_seed_and_number():
    model = keras.Sequential([keras.Input((4, 4, 8)), keras.layers.Conv2D(2, 1, name="logits")])
    images, variation = tf.random.stateless_normal((2, 4, 4, 8), (1, 2)), Variation(0.5)
    phase = loop.Phase(model, None, 1e-2, 0, 1, variation=variation)
    strategy = tf.distribute.get_strategy()

    def measure(label, logits):
        """The mean of the logits in place of a loss."""
        return tf.reduce_mean(logits), tf.ones_like(logits) / tf.size(logits, tf.float32)

    step = loop.make_step(strategy, phase, loop.make_optimizer(phase, 2, strategy), measure,
                          lambda inputs, training: model(inputs[0]), seed=3)
    for number in range(2):
        varied, = vary_channels([images], (3, number), variation)
        expected = float(tf.reduce_mean(model(varied)))
        assert float(step([images], None)) == pytest.approx(expected, abs=1e-6)
