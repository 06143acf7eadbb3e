"""The network: a U-Net whose encoder is MobileNetV2, pretrained on ImageNet and frozen.

After TensorFlow's image segmentation tutorial
(https://www.tensorflow.org/tutorials/images/segmentation): the encoder gives five feature maps, of
strides 2 to 32; the decoder starts with the smallest, doubles it four times and joins the others
one by one. main.py trains it.
"""

import os
import socket
from contextlib import contextmanager
from pathlib import Path

from device.errors import InputError
from device.images import PIXEL_SCALE
from segmentation.saved_model import load_weights
from segmentation.settings import describe_image_size, describe_missing_weights
from segmentation.tensorflow_setup import keras

layers = keras.layers

SKIP_LAYERS = (  # encoder layers that the decoder joins: strides 2, 4, 8, 16
    "block_1_expand_relu", "block_3_expand_relu", "block_6_expand_relu", "block_13_expand_relu")
BOTTOM_LAYER = "block_16_project"  # with which the decoder starts: stride 32
DECODER_MOMENTUM = 0.9  # Keras' 0.99 has not settled after the few hundred steps of a small set
SCRATCH_MOMENTUM = 0.9  # of the encoder, where its weights start random; Keras' is 0.999
DOWNLOAD_TIMEOUT = 30  # seconds without an answer until the weights' download is given up


def get_model(image_size, num_classes, weights="imagenet", decoder_filters=(512, 256, 128, 64),
              encoder_alpha=1.0):
    """Builds the U-Net: RGB in 0..255 -> logits of each class at full size.

    Args:
        image_size: (height, width), each divisible by 32, from 32 up.
        num_classes: number of logits a pixel, at least 2.
        weights: "imagenet" (Keras downloads them once), path of a MobileNetV2 weights file without
            top (.h5 or .weights.h5), or None (random). With None, or where "imagenet" can't be
            downloaded, the encoder is trainable; else it is frozen, batch normalization included.
        decoder_filters: four numbers, the tutorial's kind of decoder, or four pairs; see
            get_decoder.
        encoder_alpha: width of the encoder, one of device.model_info.ENCODER_ALPHAS.
    Returns: keras.Model, (batch, height, width, 3) -> float32 (batch, height, width, num_classes),
        made of the layers scale_input, encoder and decoder.
    Raises: InputError for a size not divisible by 32, a weights file that is missing or misfits.
    """
    if describe_image_size(image_size):
        raise InputError(describe_image_size(image_size))
    encoder = get_encoder(image_size, weights, encoder_alpha)
    decoder = get_decoder(encoder.output_shape, num_classes, decoder_filters)
    image = keras.Input((*image_size, 3), name="image")
    # MobileNetV2's ImageNet weights expect [-1, 1] (keras.applications.mobilenet_v2).
    scaled = layers.Rescaling(1 / PIXEL_SCALE, offset=-1, name="scale_input")(image)
    return keras.Model(image, decoder(encoder(scaled)), name="unet")


def load_model(folder, info):
    """Builds the network that model.json describes, with the weights of the model.keras beside it.

    Args: info, the model.json, as read_model_info returns it.
    Raises: InputError where model.keras is missing, damaged, or does not fit info.
    """
    model = get_model(info["image_size"], len(info["class_names"]), None, info["decoder_filters"],
                      info.get("encoder_alpha", 1.0))
    load_weights(model, folder)
    return model


def get_decoder(feature_shapes, num_classes, filters):
    """Builds the decoder: the encoder's five feature maps -> logits at full size.

    Each of its four blocks doubles the size and joins the result with the encoder's feature map of
    that size, the skip. A last transposed convolution makes the logits.
    Args:
        feature_shapes: output shapes of get_encoder.
        filters: one entry for each block, from the smallest map upwards. A number of channels gives
            the tutorial's block: a transposed convolution, joined with the whole skip. A pair
            (channels, channels of the skip) gives a resize, joined with the skip after a 1x1
            convolution, and a 3x3 convolution over both. Pairs need fewer parameters and are
            better on small sets; and in int8 the encoder's tensors keep their own scales, while
            a skip that is joined directly shares one scale with what it is joined to.
    Returns: keras.Model named "decoder".
    Raises: InputError where filters has not four entries.
    """
    if len(filters) != len(SKIP_LAYERS):
        raise InputError(f"DECODER_FILTERS {filters} must have {len(SKIP_LAYERS)} entries, one for "
                         f"each block of the decoder.")
    features = [keras.Input(shape[1:], name=f"features_{number}")
                for number, shape in enumerate(feature_shapes)]
    *skips, x = features
    if not isinstance(filters[0], int):
        x = _reduce(x, filters[0][0], "bottom")
    for block, (channels, skip) in enumerate(zip(filters, reversed(skips), strict=True)):
        if isinstance(channels, int):
            x = _transposed_block(x, skip, channels, block)
        else:
            x = _resize_block(x, skip, *channels, block)
    logits = layers.Conv2DTranspose(num_classes, 3, strides=2, padding="same", dtype="float32",
                                    name="logits")(x)
    return keras.Model(features, logits, name="decoder")


def _transposed_block(x, skip, filters, block):
    x = layers.Conv2DTranspose(filters, 3, strides=2, padding="same", use_bias=False,
                               name=f"upsample_{block}")(x)
    return layers.Concatenate(name=f"join_{block}")([_normalize(x, f"{block}"), skip])


def _resize_block(x, skip, filters, skip_filters, block):
    # Not layers.UpSampling2D: it becomes TILE, which the Edge TPU's compiler refuses. Nor
    # layers.Resizing: where a call leaves training open, as model(images) does, it and all layers
    # behind it run as in training, and batch normalization spoils the logits and the weights.
    x = keras.ops.image.resize(x, skip.shape[1:3], interpolation="nearest")
    x = layers.Concatenate(name=f"join_{block}")([x, _reduce(skip, skip_filters, f"skip_{block}")])
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"convolve_{block}")(x)
    return _normalize(x, f"{block}")


def _reduce(x, filters, name):
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"reduce_{name}")(x)
    return _normalize(x, name)


def _normalize(x, name):
    x = layers.BatchNormalization(momentum=DECODER_MOMENTUM, name=f"normalize_{name}")(x)
    return layers.ReLU(name=f"relu_{name}")(x)


def get_encoder(image_size, weights, alpha=1.0):
    """Builds MobileNetV2 with its five feature maps as outputs, strides 2, 4, 8, 16 and 32.

    Args: as for get_model. Input in [-1, 1].
    Returns: keras.Model named "encoder"; trainable only where its weights are random.
    Raises: InputError where a weights file is missing or does not fit.
    """
    network = keras.applications.MobileNetV2(
        input_shape=(*image_size, 3), alpha=alpha, include_top=False, weights=None)
    pretrained = _load_weights(network, weights, alpha)
    outputs = [network.get_layer(name).output for name in (*SKIP_LAYERS, BOTTOM_LAYER)]
    encoder = keras.Model(network.input, outputs, name="encoder")
    # Batch normalization that is not trainable runs in inference mode. Calling the encoder with
    # training=False would not be enough: Keras 3's fit overrules it.
    encoder.trainable = not pretrained
    if not pretrained:
        for layer in encoder.layers:
            if isinstance(layer, layers.BatchNormalization):
                layer.momentum = SCRATCH_MOMENTUM
    return encoder


def _load_weights(network, weights, alpha):
    """Loads the weights into the network; returns whether they are pretrained."""
    if weights is None:
        return False
    if weights == "imagenet":
        return _load_imagenet(network, alpha)
    path = Path(weights)
    if describe_missing_weights(weights):
        raise InputError(describe_missing_weights(weights))
    try:
        network.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        raise InputError(f"{path} does not fit MobileNetV2 (ENCODER_ALPHA {alpha}, without top): "
                         f"take Keras' {_imagenet_file(alpha)} or a .weights.h5 of the same "
                         f"network.") from error
    return True


def _load_imagenet(network, alpha):
    try:
        with _download_timeout():
            source = keras.applications.MobileNetV2(
                input_shape=(224, 224, 3), alpha=alpha, include_top=False, weights="imagenet")
    except Exception as error:  # Keras raises a plain Exception for whatever the download met
        if "URL fetch failure" not in str(error) and not isinstance(error, OSError):
            raise
        print("The ImageNet weights can't be downloaded: the whole encoder is trained from random "
              "weights instead. For better results put "
              f"{_imagenet_file(alpha)} into {_keras_models_folder()}, or set ENCODER_WEIGHTS to "
              "where the file lies.", flush=True)
        return False
    network.set_weights(source.get_weights())
    return True


def _imagenet_file(alpha):
    return f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_224_no_top.h5"


def _keras_models_folder():
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models"


@contextmanager
def _download_timeout():
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
