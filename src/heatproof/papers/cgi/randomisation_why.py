"""What differs from the paper in section 4, and why, by claim; written after measuring."""

from __future__ import annotations

_TEN = (
    "The MNIST CNN stands for VGG-19: among 10 classes competition keeps 2(1 - 2^-10)/10 = 20 % of random gradients' "
    "pixels, so how blank a map looks tells the number of classes; with 1000 the claim is S0-{}-1000."
)
_MASS = " Of the mass it keeps more, since what wins is large."
_ZEROS = (
    "The MNIST CNN stands for VGG-{}; the number is set by the image's zeros, the same for any network: what is shown "
    "is the image."
)
_SMALL = (
    "SqueezeNet and photos of 96 px stand for VGG-{} and 224 px; its last ReLU is left out: VGG has none, and it holds "
    "many logits of random networks at zero, which blanks maps of any method (decided after a first run)."
)
_THIN = (
    _SMALL.format(19) + " The trained network's map is thin as well: with 1000 classes few pixels win in any network."
)
_RANKS = _SMALL.format(19) + " A map that multiplies by the photo ranks somewhat like it, whatever the network."
_RELEVANCE = _SMALL.format(16) + " LRP-epsilon is gradient x input here, so another rule is measured."
_ALEXNET = "AlexNet of a quarter of the width on 6000 images: the paper gives neither input size nor number of images. "

WHY: dict[str, str] = {
    "S0-Fig4-blank": _TEN.format("Fig4-blank"),
    "S0-Fig5-blank": _TEN.format("Fig5-blank"),
    "S0-Fig8-blank": _TEN.format("Fig8-blank") + _MASS,
    "S0-Fig10-blank": _TEN.format("Fig10-blank") + _MASS,
    "S0-Fig4-shows": _ZEROS.format(19),
    "S0-Fig5-shows": _ZEROS.format(19),
    "S0-Fig6-shows": _ZEROS.format(16),
    "S0-Fig9-shows": _ZEROS.format(16),
    "S0-Fig4-stops": "The MNIST CNN stands for VGG-19; a fifth of the stroke tells as much of the image wherever it is "
    "kept, and the trained network's CGI tells little more.",
    "S0-Fig5-more": "The MNIST CNN stands for VGG-19.",
    "S0-Fig5-chance": "A negative score wins by being the smallest, so 2(1 - 2^-k)/k survives: the paper's constant is an "
    "error.",
    "S0-Fig6-less": "The MNIST CNN stands for VGG-16; on a ReLU network LRP-epsilon is gradient x input, so they are "
    "CGI's numbers again.",
    "S0-Fig9-less": "A class keeps nearly all of its map or nearly none, as its logit is the largest (or the "
    "smallest) or not; a class fixed beforehand rarely is.",
    "S0-Fig9-less-own": "The maps of all classes have nearly one shape and the size of their logits: the "
    "class with the largest logit wins almost every pixel, in a random network as in a trained one.",
    "S0-Fig4-blank-1000": _THIN,
    "S0-Fig5-blank-1000": _THIN,
    "S0-Fig8-blank-1000": _THIN,
    "S0-Fig10-blank-1000": _THIN,
    "S0-Fig4-shows-1000": _RANKS,
    "S0-Fig5-shows-1000": _RANKS,
    "S0-Fig4-stops-1000": _THIN,
    "S0-Fig5-more-1000": _SMALL.format(19),
    "S0-Fig9-shows-1000": _RELEVANCE,
    "S0-Fig9-less-1000": _RELEVANCE,
    "S0-Fig9-less-own-1000": _RELEVANCE,
    "S0-Fails": "By the audit's rule in place of the eye: random networks' maps are like the trained network's.",
    "S0-Passes": "By the audit's rule in place of the eye: the map follows the network, which does not make it right.",
    "S0-LRP": "By the audit's rule in place of the eye; LRP-epsilon, which is gradient x input on a ReLU network.",
    "S0-Fig7-learned": _ALEXNET.strip(),
    "S0-Fig7-shows": _ALEXNET + "The map is zero where the image is, whatever was learned.",
    "S0-Fig7-removes": _ALEXNET + "Class 3 keeps little in this network; other classes keep much (S0-Fig7-classes).",
    "S0-Fig7-classes": "Each pixel has one largest and one smallest score, so a fifth of all is kept in the mean over 10 "
    "classes whatever was learned; the classes with large gradients keep most of it.",
    "S0-Fig7-sensitive": _ALEXNET + "By signed correlation both methods are sensitive.",
}
