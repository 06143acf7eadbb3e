"""Trains the U-Net on a folder of images and a folder of label PNGs of the same names.

    python main.py

Edit the constants below for your own images (docs/settings.md explains them). Reads IMAGE_DIR and
LABEL_DIR. Leaves in OUTPUT_DIR model.keras (the epoch with the best validation mean IoU),
model.json (what the later scripts need to know), history.csv, curves.png and predictions.png.
Then run tflite_convert.py and tflite_test.py. The loss stands below the constants: dice_loss.
"""

import time

from device.errors import InputError, run_script
from device.model_info import IGNORED
from get_model import get_model, load_model
from import_data import load_data
from segmentation.output_dir import check_output_dir, lock_output_dir
from segmentation.results import write_results
from segmentation.settings import describe_missing_weights, read_settings
from segmentation.tensorflow_setup import keras, tf
from segmentation.train.devices import choose_strategy, is_one_cpu, sum_over_devices
from segmentation.train.from_model import read_from_model, take_weights
from segmentation.train.memory_needed import describe_lack, tell_memory
from segmentation.train.out_of_memory import explain_out_of_memory
from segmentation.train.run import train
from segmentation.workers import is_chief

# Data
IMAGE_DIR = "sample_data/images"
LABEL_DIR = "sample_data/labels"
VALIDATION_IMAGE_DIR = None  # folder of the images to measure on; None: some of IMAGE_DIR
VALIDATION_LABEL_DIR = None  # folder of their labels
VALIDATION_SPLIT = 0.2  # share of the pairs that is set aside for measuring; SEED decides which
VALIDATION_LIST = None  # text file that names the images to measure on, such as VOC's val.txt
SPLIT_BY = None  # r"(.*)_\d+": images whose names give the same group stay together (clips, places)
SKIP_UNLABELED = False  # True leaves out images without a label; False: they are an error
UNLABELED = False  # True: images without a label teach, too; an epoch goes through all of them
IMAGE_SIZE = (128, 160)  # (height, width), divisible by 32; images are stretched to it
PICTURE_SIZE = None  # (height, width) or "full": images are read that large and seen in tiles of
# IMAGE_SIZE, for objects that are too small in the whole image; None: whole, at IMAGE_SIZE
RARE_CROP_SHARE = 0.33  # of the training crops that are drawn around a rarer class (PICTURE_SIZE)
CLASS_NAMES = None  # list of names; None: from classes.txt in LABEL_DIR, else from the labels
CLASS_IDS = None  # label values of the classes: [0, 7, 11], or {0: 0, 7: 1, 8: 1}; None: 0, 1, 2
OTHER_IDS = "error"  # what values that CLASS_IDS leaves out are: "error", "ignore", "background"
IGNORE_LABEL = 255  # label value, or a list of them, that counts nowhere: loss, weights, metrics
LABELS_TURNED = False  # True: labels fit the pictures as stored, before EXIF turns them upright

# Model
ENCODER_WEIGHTS = "imagenet"  # or the path of a MobileNetV2 weights file, or None: random
FROM_MODEL = None  # or the OUTPUT_DIR of an earlier run, from whose weights this one starts
ENCODER_ALPHA = 1.0  # width of MobileNetV2: 0.35, 0.5, 0.75, 1.0, 1.3 or 1.4; smaller is faster
# Of each decoder block, from the smallest feature map upwards: (its channels, channels to which the
# encoder's feature map is reduced before it joins). Plain numbers, (512, 256, 128, 64), give the
# decoder of TensorFlow's tutorial.
DECODER_FILTERS = ((128, 96), (96, 64), (64, 48), (48, 32))

# Training
LOSS = "dice+cross-entropy"  # or "dice" or "cross-entropy" alone; each is weighted by class
CLASS_WEIGHTS = None  # factors on the computed class weights: {"bird": 2}
CLASS_WEIGHT_POWER = 0.5  # class weight ~ (1 / frequency) ** this; 0 gives all classes the same
BATCH_SIZE = 8  # images, of all devices together
EPOCHS = 20  # with the encoder frozen
LEARNING_RATE = 1.5e-2  # of Muon at the start; it falls to 0 along a cosine
MIN_STEPS_PER_EPOCH = 20  # about; an epoch shows few images several times to get there
PATIENCE = None  # stops after so many epochs without a better mean IoU; None: trains all EPOCHS
FINE_TUNE_EPOCHS = 0  # epochs afterwards in which the encoder's later layers are trained too
FINE_TUNE_FROM = "block_1_expand"  # the first encoder layer that is trained then
FINE_TUNE_LEARNING_RATE = 5e-4  # of the encoder then; the decoder's is ten times as high
RESUME = False  # True resumes the interrupted run in OUTPUT_DIR
MIXED_PRECISION = False  # True: float16 on a GPU with tensor cores; sums stay float32
TENSORBOARD = False  # True writes each epoch's numbers for tensorboard --logdir output
FLIP = "left-right"  # mirrors training images; "both": upside down, too; None: where sides matter
ROTATE = 0  # 90 turns training images by quarters: for pictures from above
COLOR = 0.2  # brightness, contrast, saturation of training images vary by this share
MIX_CLASSES = 0.25  # share of the images in which classes of another stand (frozen encoder)
PASTE_OBJECTS = False  # True: into other training images, if class 0 is over 90 % of the pixels
SEED = 1  # same seed, same machine: same result
OUTPUT_DIR = "output"  # folder of all results; the other scripts read it from here
MEMORY_LIMIT_GB = 2  # decoded images that need more are kept on the disk
CACHE_DIR = None  # folder for them; None: the folder cache in OUTPUT_DIR


# ---- loss ------------------------------------------------------------------------------------


def dice_loss(labels, logits, class_weights, ignore_label=255):
    """The weighted dice loss: sum of weight * (1 - dice) over sum of weights, 0..1.

    The soft dice of a class is 2 * overlap / (predicted + true) over all pixels of the batch
    (Milletari et al. 2016, V-Net; weighted by class as in Sudre et al. 2017). Only classes that
    occur in the batch's labels count. So missing a rare object costs the whole weight of its class,
    while the same pixels predicted by mistake in a large background cost next to nothing.
    Args: labels integer (batch, height, width), logits (batch, height, width, classes),
        class_weights float (classes,), ignore_label an int or None.
    Returns: float32 scalar, 0 for a perfect prediction with any weights. Sums are in float32.
    """
    truth, counted = _one_hot(labels, logits.shape[-1], ignore_label)
    # Not by softmax: so XLA computes it once for both losses.
    probability = tf.exp(tf.nn.log_softmax(tf.cast(logits, tf.float32))) * counted[..., None]
    overlap, true_pixels, predicted_pixels = (
        sum_over_devices(tf.reduce_sum(value, (0, 1, 2)))
        for value in (truth * probability, truth, probability))
    dice = tf.math.divide_no_nan(2 * overlap, true_pixels + predicted_pixels)
    weights = tf.cast(class_weights, tf.float32) * tf.cast(true_pixels > 0, tf.float32)
    return tf.math.divide_no_nan(tf.reduce_sum(weights * (1 - dice)), tf.reduce_sum(weights))


def cross_entropy_loss(labels, logits, class_weights, ignore_label=255):
    """Cross-entropy, each pixel weighted by its class: sum of weight * loss over sum of weights.

    Arguments and result are those of dice_loss, but the result has no upper bound.
    """
    truth, _ = _one_hot(labels, logits.shape[-1], ignore_label)
    log_probability = tf.nn.log_softmax(tf.cast(logits, tf.float32))
    weights = tf.cast(class_weights, tf.float32)
    loss, true_pixels = (sum_over_devices(tf.reduce_sum(value, (0, 1, 2)))
                         for value in (-truth * log_probability, truth))
    return tf.math.divide_no_nan(tf.reduce_sum(weights * loss),
                                 tf.reduce_sum(weights * true_pixels))


def _one_hot(labels, num_classes, ignore_label):
    """Returns float32 (..., classes), zeros where nothing counts, and float32 (...), 1 or 0."""
    labels = tf.cast(labels, tf.int32)
    counted = labels < num_classes
    if ignore_label is not None:
        counted &= labels != ignore_label
    return tf.one_hot(tf.where(counted, labels, -1), num_classes), tf.cast(counted, tf.float32)


def make_loss(name, class_weights, ignore_label):
    """Returns the loss that LOSS names: a function (labels, logits) -> scalar, all parts added."""
    parts = [{"dice": dice_loss, "cross-entropy": cross_entropy_loss}[part]
             for part in name.split("+")]
    return lambda labels, logits: sum(
        part(labels, logits, class_weights, ignore_label) for part in parts)


# ---- a run -----------------------------------------------------------------------------------


def main():
    """Reads the data, trains, and writes the model and the pictures, as the constants say."""
    start = time.monotonic()
    strategy, sentence = choose_strategy()
    print(sentence, flush=True)
    settings, errors = read_settings(globals())
    errors += check_output_dir(settings.output_dir)
    if describe_missing_weights(settings.encoder_weights):
        errors.append(describe_missing_weights(settings.encoder_weights))
    if is_one_cpu(strategy) and not errors:
        errors += describe_lack(settings)
    from_model = None
    if settings.from_model is not None:
        try:
            from_model = read_from_model(settings.from_model, settings.encoder_alpha)
        except InputError as error:
            errors.append(str(error))
    with lock_output_dir(settings.output_dir), explain_out_of_memory(settings):
        data = load_data(settings, errors)
        keras.utils.set_random_seed(settings.seed)
        with strategy.scope():
            model = make_model(settings, data["class_names"], from_model)
        if is_one_cpu(strategy):
            tell_memory(settings, data, model.get_layer("encoder").trainable)
        loss = make_loss(settings.loss, data["class_weights"], IGNORED)
        record = train(model, data, loss, settings, strategy)
        if is_chief():  # other machines' processes have the same model and write nothing
            write_results(load_best(model, data, settings), data, record, settings)
    print(f"{(time.monotonic() - start) / 60:.1f} minutes. Look at "
          f"{settings.output_dir}/predictions.png and {settings.output_dir}/curves.png; the "
          f"model is {settings.output_dir}/model.keras.")


def make_model(settings, class_names, from_model):
    """Builds the network, with the weights of ENCODER_WEIGHTS or of FROM_MODEL.

    Args: from_model, the model.json in FROM_MODEL, or None.
    """
    weights = settings.encoder_weights if from_model is None else None
    model = get_model(settings.image_size, len(class_names), weights, settings.decoder_filters,
                      settings.encoder_alpha)
    if from_model is not None:
        taken = take_weights(model, load_model(settings.from_model, from_model), class_names,
                             from_model["class_names"])
        print(f"From the model in {settings.from_model}: {taken}", flush=True)
    return model


def load_best(model, data, settings):
    """Returns the model of the best epoch, read from its file, frozen where the trained model is.

    With several machines the trained variables are shared, and one machine can't read them alone.
    """
    info = {"image_size": settings.image_size, "class_names": data["class_names"],
            "decoder_filters": settings.decoder_filters, "encoder_alpha": settings.encoder_alpha}
    best = load_model(settings.output_dir, info)
    best.get_layer("encoder").trainable = model.get_layer("encoder").trainable
    return best


if __name__ == "__main__":
    run_script(main)
