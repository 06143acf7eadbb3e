"""Tests of evaluate.py: predicting in batches, one confusion matrix, what is warned of."""

import keras
import numpy as np
import tensorflow as tf

from segmentation import evaluate


def test_predictions_are_the_most_likely_classes():
    image = keras.Input((2, 3, 3))
    model = keras.Model(image, keras.layers.Identity()(image))  # three logits: the colors
    images = np.random.default_rng(0).integers(0, 256, (20, 2, 3, 3), dtype=np.uint8)
    predictions = evaluate.make_predictor(model)(images, batch_size=8)
    assert predictions.dtype == np.uint8
    assert (predictions == images.argmax(-1)).all()
    halves = evaluate.make_predictor(lambda features, training: features,
                                     lambda batch: batch[..., ::-1].astype(np.float32))
    assert (halves(images) == images[..., ::-1].argmax(-1)).all()


def test_tiles_and_their_seconds_are_told(capsys):
    shapes = []
    evaluate.tell_tiles(lambda tiles: shapes.append(tiles.shape), [(32, 32), (32, 64)], (32, 32))
    assert set(shapes) == {(1, 32, 32, 3)}
    assert capsys.readouterr().out.startswith(  # 1 + 3, which overlap
        "Predicting 2 pictures in 4 tiles of 32x32 (height x width): about 0.0 s")


def test_one_matrix_over_all_validation_images():
    labels = np.zeros((20, 1, 4), np.uint8)
    labels[:, :, 0] = 255
    labels[5, :, 1:] = 1
    predictions = np.zeros_like(labels)
    predictions[5, :, 1] = 1
    metrics = evaluate.measure(predictions, {"validation_labels": labels, "class_names": "ab"})
    assert np.allclose(metrics["iou"], [57 / 59, 1 / 3])


def test_one_class_everywhere_is_warned_of(capsys):
    names = ["background", "bird"]
    evaluate.warn_of_one_class({"predicted_pixels": [10_000, 0], "pixels": [9_900, 100]}, names)
    assert "100.00% of the predicted pixels are background, but 99.00% of the labeled" in (
        capsys.readouterr().out)
    for predicted, true in (([9_000, 1_000], [9_900, 100]),  # not nearly all
                            ([9_991, 9], [9_992, 8]),  # as in the labels
                            ([10_000, 0], [10_000, 0])):
        evaluate.warn_of_one_class({"predicted_pixels": predicted, "pixels": true}, names)
    assert capsys.readouterr().out == ""


def test_the_own_size_is_measured_on_enlarged_logits():
    label = np.repeat(np.repeat(np.uint8([[0, 1], [1, 0]]), 8, 0), 8, 1)
    images = np.zeros((20, 4, 4, 3), np.uint8)
    images[..., 0] = 200 * label[::4, ::4]

    def model(batch, training):
        """Stands in for a network: the first channel tells class 1."""
        return tf.stack([100 - batch[..., 0], batch[..., 0] - 100], -1)

    own = evaluate.measure_own_size(model, {
        "class_names": ["background", "bird"], "validation_images": images,
        "read_own_label": lambda index: label if index else np.full_like(label, 255)})
    assert sum(own["pixels"]) == 19 * 256 and own["mean_iou"] > 0.8
