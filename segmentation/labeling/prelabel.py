"""Pre-labels: the trained model's prediction for an image, and how uncertain the model is."""

import numpy as np

from device.errors import InputError, list_names
from device.images import read_image
from device.model_info import read_model_info
from device.tflite import most_likely_classes
from segmentation.labeling.label import replace_label
from segmentation.labeling.loading import forget_loaded
from segmentation.labeling.review import mark_unreviewed
from segmentation.labeling.saving import write_label
from segmentation.labeling.session import label_path_of


def load_predictor(output_dir, class_names, load_model):
    """Loads the trained model; the first call takes the seconds that TensorFlow needs to start.

    Args: class_names to label with; the model's must be these or the first of these; load_model,
        get_model.load_model.
    Returns: function, image path -> logits float32 (height, width, classes) at the model's size.
    Raises: InputError where there is no model, or where its classes or their numbers are others.
    """
    info = read_model_info(output_dir, needed=("class_names", "image_size", "decoder_filters"))
    if list(class_names[:len(info["class_names"])]) != info["class_names"]:
        raise InputError(f"The model in {output_dir} knows {list_names(info['class_names'])}, but "
                         f"you label {list_names(class_names)}: train it on these labels first.")
    if info.get("class_ids", []) != [[index] for index in range(len(info.get("class_ids", [])))]:
        raise InputError(f"The model in {output_dir} was trained with CLASS_IDS, so its classes "
                         f"are not the numbers in these labels: train without, or label by hand.")
    model = load_model(output_dir, info)

    def predict(image_path):
        """Returns the logits of an image file, float32 (height, width, classes)."""
        image = read_image(image_path, tuple(info["image_size"]), info.get("intensity_range"))
        return model.predict_on_batch(image[None].astype(np.float32))[0]

    return predict


def get_predictor(session):
    """Returns the function of load_predictor; loads the model again where it was trained anew."""
    path = session.output_dir / "model.keras"
    written = path.stat().st_mtime_ns if path.exists() else None
    loaded, predict = session.predictor
    if predict is None or loaded != written:
        session.predictor = written, load_predictor(
            session.output_dir, session.class_names, session.load_model)
        session.uncertainties.clear()
    return session.predictor[1]


def read_logits(session):
    """Returns the model's logits of the current image, float32 (height, width, classes).

    Raises: InputError as load_predictor does.
    """
    picture, predict = session.picture, get_predictor(session)
    if picture.logits is None or picture.logits[0] != session.predictor[0]:
        picture.logits = session.predictor[0], predict(picture.image_path)
    return picture.logits[1]


def prelabel(session):
    """Fills the current label with the model's prediction where nothing is painted.

    One step that can be undone. A label that only the model has seen is replaced as a whole.
    Raises: InputError as load_predictor does.
    """
    drawing = session.picture.drawing
    classes = predict_classes(read_logits(session), drawing.label.shape)
    if session.picture.image_path not in session.unreviewed:
        classes = np.where(drawing.label == 0, classes, drawing.label)
    replace_label(drawing, classes)


def predict_classes(logits, size):
    """Returns the most likely class of each pixel, uint8 of size (height, width)."""
    return most_likely_classes(logits, size, (0, 0, logits.shape[1], logits.shape[0]))


def prelabel_all(session, report):
    """Saves the model's prediction as the label of every image without one, to be reviewed.

    Args: report(done, count), called after each image; where it returns False, no more are filled.
    Returns: the image paths that were labeled. Raises: InputError as load_predictor does.
    """
    predict, filled = get_predictor(session), []
    here = session.picture.image_path
    waiting = [path for path in session.image_paths if path not in session.labeled and path != here]
    for done, image_path in enumerate(waiting, 1):
        try:
            size = read_image(image_path).shape[:2]
            classes = predict_classes(predict(image_path), size)
            write_label(session, label_path_of(session, image_path), classes)
        except InputError:
            continue  # it is skipped, and said, when it is opened
        except OSError as error:
            raise InputError(f"No label can be written ({error.strerror}): make room.") from error
        session.labeled.add(image_path)
        mark_unreviewed(session, image_path)
        filled.append(image_path)
        if report(done, len(waiting)) is False:
            break
    forget_loaded(session, filled)
    return filled


def measure_uncertainty(logits):
    """How unsure a prediction is: 1 minus the margin between the two likeliest classes, averaged.

    Margin sampling (Scheffer et al. 2001) on softmax probabilities. Returns: float, 0 (sure)..1.
    """
    probability = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probability /= probability.sum(axis=-1, keepdims=True)
    second, first = np.moveaxis(np.partition(probability, -2, axis=-1)[..., -2:], -1, 0)
    return float(1 - np.mean(first - second))


def find_least_sure(session, report):
    """Returns the index of the image without a label that the model is least sure of, or None.

    Args: report(done, count), called after each image; where it returns False, the search ends and
        the least sure of those seen so far is taken. What was measured is kept for the next time.
    Raises: InputError as load_predictor does.
    """
    predict = get_predictor(session)
    here = session.image_paths[session.index]
    unlabeled = [path for path in session.image_paths
                  if path not in session.labeled and path != here]
    for done, image_path in enumerate(unlabeled, 1):
        if image_path not in session.uncertainties:
            try:
                session.uncertainties[image_path] = measure_uncertainty(predict(image_path))
            except InputError:  # it is skipped, and said, when it is opened
                session.uncertainties[image_path] = -1.0
        if report(done, len(unlabeled)) is False:
            break
    known = [path for path in unlabeled if path in session.uncertainties]
    if not known:
        return None
    return session.image_paths.index(max(known, key=session.uncertainties.get))
