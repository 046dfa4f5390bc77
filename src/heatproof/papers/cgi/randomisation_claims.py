"""Claims of section 4, the sanity checks, and their pictures."""

from __future__ import annotations

from ..types import Claim, Experiment, Picture
from . import randomisation_claims_labels as labels
from . import randomisation_claims_weights as weights
from .randomisation import INPUT, LRP, SIGNS
from .randomisation_claims_weights import BIRDS, BIRDS_LRP, DIGITS, claims
from .randomisation_pictures import alike, left, strip, threes
from .randomisation_why import WHY

THOUSAND = "-1000"
COMMAND = (
    "heatproof audit --model torchvision:{0} --weights {0}.safetensors --images photos "
    "--methods '{1}' --check independent,cascading,kept"
)
MISSING = "the weights of {0} are not here; with them: " + COMMAND

EXPERIMENTS: tuple[Experiment, ...] = (*weights.EXPERIMENTS, *labels.EXPERIMENTS)
CLAIMS: tuple[Claim, ...] = (
    *claims((*weights.LAYERWISE, *weights.CASCADE, weights.CHANCE, *weights.RELEVANCE, *weights.OTHER_RULE), DIGITS, WHY),
    *claims((*weights.LAYERWISE, *weights.CASCADE), BIRDS, WHY, THOUSAND),
    *claims(weights.OTHER_RULE, BIRDS_LRP, WHY, THOUSAND),
    Claim("S0-Fig5-VGG-19", "Figures 4, 5, 8 and 10 on VGG-19.", "section 4.1", "As S0-Fig5-blank-1000 and its neighbours.",
          missing=MISSING.format("vgg19", "gradient_x_input, cgi")),
    Claim("S0-Fig6-VGG-16", "Figures 6 and 9 on VGG-16.", "section 4.1.3", "As S0-Fig9-less-1000 and its neighbours.",
          missing=MISSING.format("vgg16", "lrp, clrp")),
    *labels.CLAIMS,
)  # fmt: skip

DIGIT, BIRD = "A handwritten 3, 10 classes", "A house finch, 1000 classes"
PICTURES: tuple[Picture, ...] = (
    Picture(f"{BIRD}: one block at a time is random", "figures 4 and 8", BIRDS, strip("independent", INPUT),
            ("S0-Fig8-blank-1000", "S0-Fig4-blank-1000", "S0-Fig4-shows-1000", "S0-Fig4-stops-1000"),
            photos=True),
    Picture(f"{BIRD}: one block at a time is random, absolute values", "figure 10", BIRDS,
            strip("independent", INPUT, "absolute"), ("S0-Fig10-blank-1000", "S0-Fig4-shows-1000"), photos=True),
    Picture(f"{DIGIT}: one block at a time is random", "figures 4 and 8", DIGITS, strip("independent", INPUT),
            ("S0-Fig4-blank", "S0-Fig4-shows", "S0-Fig4-stops", "S0-Fig8-blank"), photos=True),
    Picture(f"{DIGIT}: one block at a time is random, absolute values", "figure 10", DIGITS,
            strip("independent", INPUT, "absolute"), ("S0-Fig10-blank", "S0-Fig4-shows"), photos=True),
    Picture(f"{BIRD}: random from the output down", "figure 5", BIRDS, strip("cascading", INPUT),
            ("S0-Fig5-blank-1000", "S0-Fig5-shows-1000", "S0-Fig5-more-1000", "S0-Fig5-VGG-19"), photos=True),
    Picture(f"{DIGIT}: random from the output down", "figure 5", DIGITS, strip("cascading", INPUT),
            ("S0-Fig5-blank", "S0-Fig5-shows", "S0-Fig5-more"), photos=True),
    Picture("What competition keeps, from the trained network to random weights", "", DIGITS, left,
            ("S0-Fig5-chance", "S0-Fig5-blank", "S0-Fig9-less-own")),
    Picture("Likeness to the trained network's map", "", DIGITS, alike("cascading", INPUT),
            ("S0-Fig5-more", "S0-Fig5-shows", "S0-Fails", "S0-Passes")),
    Picture(f"{BIRD}: LRP by the alphabeta rule, random from the output down", "figures 6 and 9", BIRDS_LRP,
            strip("cascading", SIGNS, own_class=True),
            ("S0-Fig9-less-1000", "S0-Fig9-shows-1000", "S0-Fig9-less-own-1000", "S0-Fig6-VGG-16"), photos=True),
    Picture(f"{DIGIT}: LRP, random from the output down", "figure 6", DIGITS, strip("cascading", LRP),
            ("S0-Fig6-less", "S0-Fig6-shows", "S0-LRP"), photos=True),
    Picture(f"{DIGIT}: LRP by the alphabeta rule, random from the output down", "figure 9", DIGITS,
            strip("cascading", SIGNS, own_class=True), ("S0-Fig9-less", "S0-Fig9-shows", "S0-Fig9-less-own"), photos=True),
    Picture("A 3, by a network that was trained on permuted labels", "figure 7", labels.LABELS, threes,
            ("S0-Fig7-removes", "S0-Fig7-shows", "S0-Fig7-classes", "S0-Fig7-sensitive", "S0-Fig7-learned"), photos=True),
)  # fmt: skip
