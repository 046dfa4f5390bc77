"""Saliency maps for PyTorch image classifiers, put to the test."""

from typing import TYPE_CHECKING

from ._lazy import make_lazy
from ._version import __version__ as __version__

if TYPE_CHECKING:  # for type checkers and editors: the names of the table below
    from .audit import Audit as Audit
    from .audit import audit as audit
    from .bench import Benched as Benched
    from .bench import bench as bench
    from .checks.labels import Pair as Pair
    from .checks.labels import train_pair as train_pair
    from .checks.labels import user_pair as user_pair
    from .checks.randomize import Stage as Stage
    from .checks.randomize import randomize as randomize
    from .combine import compete as compete
    from .combine import from_captum as from_captum
    from .combine import kept as kept
    from .combine import smooth as smooth
    from .combine import smooth_squared as smooth_squared
    from .combine import times_input as times_input
    from .combine import vargrad as vargrad
    from .data.folder import read_images as read_images
    from .data.preprocess import Preprocess as Preprocess
    from .errors import EscapedOp as EscapedOp
    from .errors import HeatproofError as HeatproofError
    from .errors import InputError as InputError
    from .errors import ModelError as ModelError
    from .errors import NotApplicable as NotApplicable
    from .errors import RunError as RunError
    from .errors import WeightsError as WeightsError
    from .faithfulness.class_sensitivity import class_sensitivity as class_sensitivity
    from .faithfulness.masking import mask_pixels as mask_pixels
    from .faithfulness.noise_level import noise_level as noise_level
    from .faithfulness.pixel import pixel_perturbation as pixel_perturbation
    from .faithfulness.removal import Perturbation as Perturbation
    from .full_gradient import FullGradient as FullGradient
    from .full_gradient import Term as Term
    from .full_gradient import full_gradient as full_gradient
    from .interop import Captum as Captum
    from .interop import captum as captum
    from .maps_files import load_maps as load_maps
    from .maps_files import save_maps as save_maps
    from .methods.cgi import cgi as cgi
    from .methods.clrp import clrp as clrp
    from .methods.deconvnet import deconvnet as deconvnet
    from .methods.deeplift import deeplift as deeplift
    from .methods.edge_map import edge_map as edge_map
    from .methods.fullgrad import fullgrad as fullgrad
    from .methods.gradcam import gradcam as gradcam
    from .methods.gradient import gradient as gradient
    from .methods.gradient_x_input import gradient_x_input as gradient_x_input
    from .methods.guided_backprop import guided_backprop as guided_backprop
    from .methods.guided_gradcam import guided_gradcam as guided_gradcam
    from .methods.ig_smoothgrad import ig_smoothgrad as ig_smoothgrad
    from .methods.input_map import input_map as input_map
    from .methods.input_x_edge import input_x_edge as input_x_edge
    from .methods.input_x_random import input_x_random as input_x_random
    from .methods.integrated_gradients import integrated_gradients as integrated_gradients
    from .methods.lrp import lrp as lrp
    from .methods.meaningful_perturbation import meaningful_perturbation as meaningful_perturbation
    from .methods.occlusion import occlusion as occlusion
    from .methods.random_map import random_map as random_map
    from .methods.rectgrad import LayerRecord as LayerRecord
    from .methods.rectgrad import rectgrad as rectgrad
    from .methods.rectgrad import rectgrad_layers as rectgrad_layers
    from .methods.simple_fullgrad import simple_fullgrad as simple_fullgrad
    from .methods.smoothgrad import smoothgrad as smoothgrad
    from .methods.smoothgrad_squared import smoothgrad_squared as smoothgrad_squared
    from .notebook.sheet import show as show
    from .roar import kar as kar
    from .roar import roar as roar
    from .score import label_probability as label_probability
    from .score import log_probability as log_probability
    from .score import logit as logit
    from .score import margin as margin
    from .score import probability as probability
    from .score import single_logit as single_logit
    from .score import value as value
    from .similarity.hog import hog_similarity as hog_similarity
    from .similarity.spearman import spearman as spearman
    from .similarity.ssim import ssim as ssim
    from .types import METHODS as METHODS
    from .types import Spec as Spec
    from .types import method as method

# at their first use, so that help, completion and a look at the version need no torch
make_lazy(
    __name__,
    {
        "audit": "Audit audit",
        "bench": "Benched bench",
        "checks.labels": "Pair train_pair user_pair",
        "checks.randomize": "Stage randomize",
        "combine": "compete from_captum kept smooth smooth_squared times_input vargrad",
        "data.folder": "read_images",
        "data.preprocess": "Preprocess",
        "errors": "EscapedOp HeatproofError InputError ModelError NotApplicable RunError WeightsError",
        "faithfulness.class_sensitivity": "class_sensitivity",
        "faithfulness.masking": "mask_pixels",
        "faithfulness.noise_level": "noise_level",
        "faithfulness.pixel": "pixel_perturbation",
        "faithfulness.removal": "Perturbation",
        "full_gradient": "FullGradient Term full_gradient",
        "methods.cgi": "cgi",
        "methods.clrp": "clrp",
        "methods.deconvnet": "deconvnet",
        "methods.deeplift": "deeplift",
        "methods.edge_map": "edge_map",
        "methods.fullgrad": "fullgrad",
        "methods.gradcam": "gradcam",
        "methods.gradient": "gradient",
        "methods.gradient_x_input": "gradient_x_input",
        "methods.guided_backprop": "guided_backprop",
        "methods.guided_gradcam": "guided_gradcam",
        "methods.ig_smoothgrad": "ig_smoothgrad",
        "methods.input_map": "input_map",
        "methods.input_x_edge": "input_x_edge",
        "methods.input_x_random": "input_x_random",
        "methods.integrated_gradients": "integrated_gradients",
        "methods.lrp": "lrp",
        "methods.meaningful_perturbation": "meaningful_perturbation",
        "methods.occlusion": "occlusion",
        "methods.random_map": "random_map",
        "methods.rectgrad": "LayerRecord rectgrad rectgrad_layers",
        "methods.simple_fullgrad": "simple_fullgrad",
        "methods.smoothgrad": "smoothgrad",
        "methods.smoothgrad_squared": "smoothgrad_squared",
        "interop": "Captum captum",
        "maps_files": "load_maps save_maps",
        "notebook.sheet": "show",
        "roar": "kar roar",
        "score": "label_probability log_probability logit margin probability single_logit value",
        "similarity.hog": "hog_similarity",
        "similarity.spearman": "spearman",
        "similarity.ssim": "ssim",
        "types": "METHODS Spec method",
    },
)

__all__ = [
    "METHODS",
    "Audit",
    "Benched",
    "Captum",
    "EscapedOp",
    "FullGradient",
    "HeatproofError",
    "InputError",
    "LayerRecord",
    "ModelError",
    "NotApplicable",
    "Pair",
    "Perturbation",
    "Preprocess",
    "RunError",
    "Spec",
    "Stage",
    "Term",
    "WeightsError",
    "__version__",
    "audit",
    "bench",
    "captum",
    "cgi",
    "class_sensitivity",
    "clrp",
    "compete",
    "deconvnet",
    "deeplift",
    "edge_map",
    "from_captum",
    "full_gradient",
    "fullgrad",
    "gradcam",
    "gradient",
    "gradient_x_input",
    "guided_backprop",
    "guided_gradcam",
    "hog_similarity",
    "ig_smoothgrad",
    "input_map",
    "input_x_edge",
    "input_x_random",
    "integrated_gradients",
    "kar",
    "kept",
    "label_probability",
    "load_maps",
    "log_probability",
    "logit",
    "lrp",
    "margin",
    "mask_pixels",
    "meaningful_perturbation",
    "method",
    "noise_level",
    "occlusion",
    "pixel_perturbation",
    "probability",
    "random_map",
    "randomize",
    "read_images",
    "rectgrad",
    "rectgrad_layers",
    "roar",
    "save_maps",
    "show",
    "simple_fullgrad",
    "single_logit",
    "smooth",
    "smooth_squared",
    "smoothgrad",
    "smoothgrad_squared",
    "spearman",
    "ssim",
    "times_input",
    "train_pair",
    "user_pair",
    "value",
    "vargrad",
]  # fmt: skip
