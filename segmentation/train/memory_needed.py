"""How much memory a training on the CPU needs, estimated before it starts. Plain Python."""

from dataclasses import replace
from math import prod

from device.errors import InputError
from device.model_info import SIZE_STEP
from segmentation.data.cache import BYTES_PER_GB
from segmentation.memory import count_at_once, find_available_memory

# MobileNetV2 (Sandler et al. 2018, table 2): expansion, channels, blocks, stride of the first.
ENCODER_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                  (6, 160, 3, 2), (6, 320, 1, 1))
DECODER_STRIDES = (16, 8, 4, 2)
EQUALIZED_IMAGES = 8  # at once, where they are small: equalize.BATCH
PICTURES = ("images", "labels", "unlabeled_images", "validation_images", "validation_labels",
            "validation_pictures", "validation_picture_labels")
VERSIONS = {  # of an image by FLIP and ROTATE, all of which are cached where COLOR is 0
    (None, 0): 1, ("left-right", 0): 2, ("both", 0): 4, (None, 90): 4, ("left-right", 90): 8,
    ("both", 90): 8}
BASE_BYTES = 900_000_000  # of TensorFlow and the network
# Bytes for each of the values that belong to a pixel, as measured; see estimate_memory.
FEATURE_BYTES = 28  # float32 in 7 batches: those that wait, those in work, the one that is trained
UNLABELED_BYTES = 4  # the same of images without a label, of which none wait
DECODER_BYTES = 4  # bfloat16 or float32, some of them several times
LOGIT_BYTES = 35  # logits, losses and their gradients in float32
ENCODER_BYTES = 18  # where the whole encoder is trained: values and their gradients
FINE_TUNED_BYTES = 12  # the same in fine-tuning, where its batch normalization is frozen
EQUALIZED_BYTES = 850  # for each pixel of the images that are equalized at once
MAX_ERROR = 0.25  # share of the estimate by which less may be needed


def estimate_memory(settings, data=None):
    """Returns how many bytes the process has at its peak, about.

    The peak is reached when the encoder is equalized or in a training step, whichever needs more.
    Of eleven trainings (docs/training.md) it was off by -5 to +6 %.
    Args: data of load_data, or None: before it is read, as if it were next to nothing.
    """
    pixels = prod(settings.image_size)
    features, encoder = encoder_values(settings.encoder_alpha)
    num_classes, kept = 2, 0
    if data is not None:
        num_classes, limit = len(data["class_names"]), settings.memory_limit_gb * BYTES_PER_GB
        pictures = sum(getattr(data.get(key), "nbytes", 0) for key in PICTURES)  # 0: on the disk
        cached = (len(data["validation_images"])
                  + len(data.get("unlabeled_images", ())) * VERSIONS[settings.flip, 0])
        if not settings.color and "read_crops" not in data:
            cached += len(data["images"]) * VERSIONS[settings.flip, settings.rotate]
        # The limit holds for training pictures, validation pictures and features, each.
        kept = min(2 * limit, pictures) + min(limit, 4 * features * pixels * cached)
    of_pixel = (DECODER_BYTES * decoder_values(settings.decoder_filters, features)
                + LOGIT_BYTES * num_classes)
    if settings.encoder_weights is None and settings.from_model is None:
        of_pixel += ENCODER_BYTES * encoder
    elif settings.fine_tune_epochs:
        of_pixel += FINE_TUNED_BYTES * encoder
    elif settings.unlabeled:  # a batch without a label, half a one with, and what the teacher sees
        of_pixel = 2 * of_pixel + (FEATURE_BYTES + UNLABELED_BYTES) * features
    else:
        of_pixel += FEATURE_BYTES * features
    equalized = EQUALIZED_BYTES * count_at_once(settings.image_size, EQUALIZED_IMAGES)
    return BASE_BYTES + kept + pixels * max(equalized, of_pixel * settings.batch_size)


def encoder_values(alpha):
    """Returns how many values MobileNetV2 of a width computes for each pixel of the image.

    Returns: (values of the five feature maps, values that all convolutions give), floats.
    """
    def width(channels):
        """Returns the channels at this alpha: Keras rounds to eights, by no more than a tenth."""
        rounded = max(8, int(channels * alpha + 4) // 8 * 8)
        return rounded + 8 * (rounded < 0.9 * channels * alpha)

    stride, channels = 2, width(32)
    skips, total = 0, channels / stride**2
    for expansion, stage_channels, blocks, first_stride in ENCODER_STAGES:
        for block in range(blocks):
            expanded = expansion * channels if expansion > 1 else 0
            total += expanded / stride**2
            if block == 0 and first_stride == 2:
                skips += expanded / stride**2  # the last map of this size
                stride *= 2
            depthwise, channels = expanded or channels, width(stage_channels)
            total += (depthwise + channels) / stride**2
    return skips + channels / stride**2, total


def decoder_values(decoder_filters, features):
    """Returns how many values the decoder's blocks compute for each pixel of the image.

    Args: features, values of the encoder's feature maps, with which plain numbers are joined.
    """
    if isinstance(decoder_filters[0], int):
        return features + sum(2 * channels / stride**2
                              for channels, stride in zip(decoder_filters, DECODER_STRIDES))
    return sum(sum(pair) / stride**2 for pair, stride in zip(decoder_filters, DECODER_STRIDES))


# ---- what is said ----------------------------------------------------------------------------


def describe_lack(settings, data=None, available=None):
    """Returns a list of a sentence where the training can't fit into memory, else an empty one.

    Args: data as for estimate_memory; available, bytes, None: find_available_memory. Nothing is
        refused where that is not known, nor where the estimate's error could make it fit.
    """
    available = available or find_available_memory()
    if available is None or (1 - MAX_ERROR) * estimate_memory(settings, data) <= available:
        return []
    remedies = find_remedies(settings, data, available)
    return [f"The training needs about {estimate_memory(settings, data) / BYTES_PER_GB:.1f} GB of "
            f"memory, and there are {available / BYTES_PER_GB:.1f} GB: "
            + (f"set {' or '.join(remedies)}." if remedies
               else "set IMAGE_SIZE and BATCH_SIZE smaller.")]


def tell_memory(settings, data, is_encoder_trained):
    """Prints how much memory the training needs, and how much there is.

    Args: is_encoder_trained from the start, as where its weights could not be downloaded.
    Raises: InputError as describe_lack says.
    """
    if is_encoder_trained:
        settings = replace(settings, encoder_weights=None, from_model=None)
    available = find_available_memory()
    if lack := describe_lack(settings, data, available):
        raise InputError(lack[0])
    there = "" if available is None else f" (there are {available / BYTES_PER_GB:.1f} GB)"
    print(f"The training needs about {estimate_memory(settings, data) / BYTES_PER_GB:.1f} GB of "
          f"memory{there}.", flush=True)


def find_remedies(settings, data, available):
    """Returns each constant that alone makes the training fit, with its largest value that does."""
    height, width = settings.image_size
    candidates = {
        "BATCH_SIZE": range(settings.batch_size - 1, 0, -1),
        "IMAGE_SIZE": [tuple(max(1, round(side * share / 32 / SIZE_STEP)) * SIZE_STEP
                             for side in (height, width)) for share in range(31, 0, -1)],
        "FINE_TUNE_EPOCHS": [0] if settings.fine_tune_epochs else [],
        "MEMORY_LIMIT_GB": [0]}
    remedies = []
    for name, values in candidates.items():
        for value in values:
            if estimate_memory(replace(settings, **{name.lower(): value}), data) <= available:
                remedies.append(f"{name} = {value}")
                break
    return remedies
