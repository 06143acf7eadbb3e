"""Small .tflite files of one or a few operations, made by hand for the tests of this folder."""

import numpy as np

from segmentation.edgetpu.repair import pack_model
from segmentation.edgetpu.tflite_file import NUMPY_TYPES, load_schema

schema = load_schema()


def activation(*shape, dtype="INT8", signature=None, zero_point=-128, scale=0.05):
    return {
        "shape": shape,
        "dtype": dtype,
        "signature": signature,
        "zero_point": zero_point,
        "scale": scale,
    }


def constant(values, dtype="INT8", zero_point=0):
    values = np.asarray(values, NUMPY_TYPES[dtype])
    return {
        "shape": values.shape,
        "dtype": dtype,
        "data": values,
        "zero_point": zero_point,
        "scale": 0.05,
    }


def operation(name, inputs, outputs, version=1, options=None, custom=None, **fields):
    """One operation by the names of its tensors; options is the schema's class without its T, with
    its fields."""
    made = None
    if options:
        made = getattr(schema, options + "T")(**fields)
    return {
        "name": name,
        "inputs": inputs,
        "outputs": outputs,
        "version": version,
        "options": made,
        "kind": options,
        "custom": custom,
    }


def tensor_t(name, spec, model):
    tensor = schema.TensorT(
        shape=list(spec["shape"]), type=getattr(schema.TensorType, spec["dtype"]), name=name
    )
    if spec.get("signature"):
        tensor.shapeSignature = list(spec["signature"])
    tensor.quantization = schema.QuantizationParametersT(
        scale=[spec["scale"]], zeroPoint=[spec["zero_point"]]
    )
    if "data" in spec:
        tensor.buffer = len(model.buffers)
        model.buffers.append(schema.BufferT(data=np.frombuffer(spec["data"].tobytes(), np.uint8)))
    return tensor


def operator_t(spec, names, model):
    code = schema.OperatorCodeT(version=spec["version"])
    builtin = "CUSTOM" if spec["custom"] is not None else spec["name"]
    code.builtinCode = getattr(schema.BuiltinOperator, builtin)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    operator = schema.OperatorT(opcodeIndex=len(model.operatorCodes))
    if spec["custom"] is not None:
        code.customCode = spec["name"]
        operator.customOptions = list(spec["custom"])
    operator.inputs = [-1 if name is None else names.index(name) for name in spec["inputs"]]
    operator.outputs = [names.index(name) for name in spec["outputs"]]
    if spec["options"] is not None:
        operator.builtinOptions = spec["options"]
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, spec["kind"])
    model.operatorCodes.append(code)
    return operator


def tflite(operations, tensors, inputs=("x",), outputs=("y",), unused=()):
    """Bytes of a .tflite file of these operations, each with an operator code of its own."""
    model = schema.ModelT(
        version=3, operatorCodes=[], buffers=[schema.BufferT()], description="by hand"
    )
    names = list(tensors)
    graph = schema.SubGraphT(name="main")
    graph.tensors = [tensor_t(name, spec, model) for name, spec in tensors.items()]
    graph.operators = [operator_t(spec, names, model) for spec in operations]
    for name, version in unused:
        model.operatorCodes.append(
            schema.OperatorCodeT(builtinCode=getattr(schema.BuiltinOperator, name), version=version)
        )
    graph.inputs = [names.index(name) for name in inputs]
    graph.outputs = [names.index(name) for name in outputs]
    model.subgraphs = [graph]
    return pack_model(model)


def conv(stride=1, version=3, bias="b", weights="w", output="y", source="x", **fields):
    return operation(
        "CONV_2D",
        [source, weights, bias],
        [output],
        version,
        "Conv2DOptions",
        strideH=stride,
        strideW=stride,
        **fields,
    )


WEIGHTS = {"w": constant(np.ones((4, 3, 3, 4))), "b": constant(np.zeros(4), "INT32")}
IMAGE = activation(1, 16, 16, 4)


def unary(name, before, after, version=1, options=None, extra=None, **fields):
    """A file of one operation x -> y; extra: further constant inputs, by name, in order."""
    extra = extra or {}
    return tflite(
        [operation(name, ["x", *extra], ["y"], version, options, **fields)],
        {"x": before, "y": after, **extra},
    )


def transpose_conv(
    output, version=3, stride=2, padding=0, shape=None, fused=0, source=None, bias=True
):
    """A file of one transposed convolution to an output of (height, width, channels)."""
    height, width, channels = output
    source = source or activation(1, height // stride, width // stride, 4)
    tensors = {
        "x": source,
        "y": activation(1, height, width, channels),
        "shape": shape or constant([1, height, width, channels], "INT32"),
        "w": constant(np.ones((channels, 3, 3, 4))),
        "b": constant(np.zeros(channels), "INT32"),
    }
    names = ["shape", "w", "x"] + ["b"] * bias
    return tflite(
        [
            operation(
                "TRANSPOSE_CONV",
                names,
                ["y"],
                version,
                "TransposeConvOptions",
                padding=padding,
                strideH=stride,
                strideW=stride,
                fusedActivationFunction=fused,
            )
        ],
        tensors,
        inputs=["x"] + (["shape"] if shape else []),
    )


def resize(name, before, after, size=None, version=3):
    size = size or constant(after[:2], "INT32")
    options = "ResizeBilinearOptions" if "BILINEAR" in name else "ResizeNearestNeighborOptions"
    return unary(
        name,
        activation(1, *before),
        activation(1, *after),
        version,
        options,
        {"size": size},
        halfPixelCenters=True,
    )


def concatenation(other, fused=0, shape=(1, 8, 8, 4), third=None):
    tensors = {"x": activation(*shape), "y": activation(*shape[:3], shape[3] * 2), "other": other}
    names = ["x", "other"] + (["third"] if third else [])
    if third:
        tensors["third"] = third
    inputs = [name for name in names if "data" not in tensors[name]]
    return tflite(
        [
            operation(
                "CONCATENATION",
                names,
                ["y"],
                2,
                "ConcatenationOptions",
                axis=3,
                fusedActivationFunction=fused,
            )
        ],
        tensors,
        inputs=inputs,
    )


def mean(axes, channels=4, size=(8, 8)):
    return unary(
        "MEAN",
        activation(1, *size, channels),
        activation(1, 1, 1, channels),
        2,
        "ReducerOptions",
        {"axes": constant(axes, "INT32")},
        keepDims=True,
    )


def pad(paddings, dtype="INT32"):
    return unary(
        "PAD",
        activation(1, 8, 8, 4),
        activation(1, 10, 10, 4),
        2,
        "PadOptions",
        {"paddings": constant(paddings, dtype)},
    )


def strided_slice(strides, dtype="INT8"):
    ends = {
        name: constant(values, "INT32") for name, values in (("begin", [0] * 4), ("end", [8] * 4))
    }
    return unary(
        "STRIDED_SLICE",
        activation(1, 8, 8, 4, dtype=dtype),
        activation(1, 4, 4, 4, dtype=dtype),
        2,
        "StridedSliceOptions",
        {**ends, "strides": constant(strides, "INT32")},
    )


PLAIN_CONV = tflite([conv()], {"x": IMAGE, "y": IMAGE, **WEIGHTS})
LINE = activation(1, 10)


def chain(*names, types):
    """A file of operations in a row; types: the data type of every tensor, from the input on."""
    tensors = {f"t{i}": activation(1, 8, dtype=dtype) for i, dtype in enumerate(types)}
    operations = [operation(name, [f"t{i}"], [f"t{i + 1}"]) for i, name in enumerate(names)]
    return tflite(operations, tensors, ["t0"], [f"t{len(names)}"])


def verdicts(report):
    return {row["name"]: row["verdict"] for row in report["rows"]}
