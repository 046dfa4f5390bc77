"""What each check cannot show, in a sentence or two; a report prints them beside its numbers."""

from __future__ import annotations

CAVEATS: dict[str, str] = {
    "cascading": (
        "Randomisation from the logits down leaves the lower layers, and with high probability the scale of their "
        "channels, so that even a faithful map changes only so far, and maps of mere noise score best. Never rank methods "
        "by this check alone: read it beside its floor and a faithfulness score (Binder et al., CVPR 2023)."
    ),
    "smooth": (
        "Averaging over noisy images takes out noise that makes a method look sensitive, but it checks the averaged map, "
        "not the method as it is used, and its numbers depend on n and sigma (Hedström et al. 2023)."
    ),
    "efficient": (
        "A rise in entropy shows that the map's histogram became more even, not that it changed with the network: it is "
        "blind to where the pixels lie, depends on the bins, and a map that is noise already, or ignores the network, "
        "cannot rise (Hedström et al. 2023)."
    ),
    "random_logit": (
        "A map of another class should differ, but not wholly: classes share features and evidence, so that some "
        "similarity is right, and a random map passes (Sixt, Granz and Landgraf 2020)."
    ),
    "labels": (
        "Where the object is the only evidence in a photo, a good map shows it for either network and need not move: what "
        "stays is a finding only for a method that moves in the control with planted evidence, the check planted (Yona "
        "and Greenfeld 2021)."
    ),
    "kept": (
        "CGI and CLRP, like the random map, pass partly by construction: competition keeps 2 (1 - 2^-k) / k of the pixels "
        "of any network with random gradients for k classes, so that two maps share few."
    ),
}
"""By check; "kept" is said of every competition between classes, whatever the check."""
