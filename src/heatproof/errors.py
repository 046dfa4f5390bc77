"""One tree of exceptions. Every message says what was received, what was expected, and what to do next."""


class HeatproofError(Exception):
    """Base of every error that heatproof raises on purpose."""


class InputError(HeatproofError, ValueError):
    """Images, targets or options that cannot be used; nothing was computed."""


class ModelError(HeatproofError):
    """The model cannot be explained as it is: training mode, output of a shape no score takes, no gradient."""


class NotApplicable(ModelError):
    """The method has no meaning on this model (guided backprop without a ReLU, GradCAM without a spatial layer)."""


class EscapedOp(ModelError):
    """An operation ran that the method has no rule for, or ran where heatproof could not see it."""


class WeightsError(HeatproofError):
    """Weights that cannot be read safely or do not fit the architecture."""


class RunError(HeatproofError):
    """A run folder that cannot be used: another configuration, damaged files, no space."""


def out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: on a GPU, in Python, or on a CPU, where torch says so in the text of an error alone."""
    import torch

    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "DefaultCPUAllocator" in str(error)
