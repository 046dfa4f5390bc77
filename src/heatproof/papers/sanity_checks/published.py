"""Numbers that the paper and its code publish, as read in semantics.md, 6.1 and 6.2."""

from __future__ import annotations

CASCADE_ABS = {  # mean over the first 10 MNIST test images, absolute Spearman, the authors' notebooks
    "cnn": {
        "gradient": (0.601, 0.396, 0.106, 0.082),
        "smoothgrad": (0.536, 0.330, 0.180, 0.213),
        "guided_backprop": (0.888, 0.773, 0.628, 0.444),
        "gradcam": (0.556, 0.344, 0.290, 0.299),
        "guided_gradcam": (0.555, 0.359, 0.329, 0.282),
        "integrated_gradients": (0.994, 0.993, 0.993, 0.992),
        "gradient_x_input": (0.993, 0.993, 0.993, 0.992),
        "ig_smoothgrad": (0.577, 0.429, 0.379, 0.361),
    },
    "mlp": {
        "gradient": (0.234, 0.099, 0.015, 0.020),
        "smoothgrad": (0.255, 0.124, 0.007, 0.025),
        "guided_backprop": (0.903, 0.823, 0.439, 0.044),
        "integrated_gradients": (0.994, 0.993, 0.992, 0.993),
        "gradient_x_input": (0.994, 0.993, 0.992, 0.993),
        "ig_smoothgrad": (0.407, 0.368, 0.335, 0.345),
    },
}
CASCADE_SIGNED = {  # read off figures, +-.02
    "cnn": {
        "gradient": (0.28, 0.08, -0.02, 0.02),
        "guided_backprop": (0.89, 0.76, 0.64, 0.36),
        "gradcam": (0.556, 0.344, 0.290, 0.299),
        "guided_gradcam": (0.62, 0.37, 0.43, 0.21),
        "integrated_gradients": (0.28, 0.16, 0.02, 0.02),
        "gradient_x_input": (0.27, 0.13, 0.0, 0.06),
        "smoothgrad": (0.29, 0.10, -0.02, 0.02),
    },
    "mlp": {
        "gradient": (0.44, 0.22, 0.03, 0.0),
        "guided_backprop": (0.97, 0.94, 0.70, 0.17),
        "integrated_gradients": (0.28, 0.11, 0.02, 0.02),
        "gradient_x_input": (0.27, 0.11, 0.02, 0.04),
        "smoothgrad": (0.46, 0.25, 0.03, 0.0),
    },
}
STAGES = {"cnn": ("softmax", "fc1", "hidden2", "hidden1"), "mlp": ("logits", "hidden3", "hidden2", "hidden1")}
"""The authors' names of the layers, from the logits down."""

METHODS = (
    "gradient", "smoothgrad", "guided_backprop", "gradcam", "guided_gradcam", "integrated_gradients", "ig_smoothgrad",
    "gradient_x_input",
)  # fmt: skip
NO = float("nan")
LABELS = {  # true against random labels, absolute and signed, read off figures; columns METHODS
    ("MNIST", "CNN"): ((0.16, 0.24, 0.57, 0.03, 0.57, 0.99, 0.46, 0.99), (0.09, 0.10, 0.12, 0.01, 0.12, 0.14, 0.12, 0.13)),
    ("MNIST", "MLP"): ((0.61, 0.60, 0.70, NO, NO, 0.99, 0.80, 0.99), (0.11, 0.11, 0.20, NO, NO, 0.10, 0.07, 0.09)),
    ("FashionMNIST", "CNN"): (
        (0.07, 0.09, 0.56, -0.06, 0.56, 0.89, 0.55, 0.89), (0.02, 0.03, 0.08, 0.08, 0.08, 0.05, 0.05, 0.03),
    ),
    ("FashionMNIST", "MLP"): (
        (0.15, 0.15, 0.28, NO, NO, 0.89, 0.67, 0.89), (0.01, -0.02, 0.17, NO, NO, -0.01, 0.01, 0.0),
    ),
}  # fmt: skip
