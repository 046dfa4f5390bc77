"""Development only: lets torchvision's wheel import against the CPU build of torch (design.md, section 6).

Its compiled part, which would declare these operators, needs the CUDA build. The make targets import this file through a
``.pth`` file in their environment; the package never does.
"""

import contextlib
import importlib.abc
import sys


class _DeclareOperators(importlib.abc.MetaPathFinder):
    """Declares the operators just before torchvision is imported, so that no other program pays for importing torch."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "torchvision":
            sys.meta_path.remove(self)
            import torch

            for operator, arguments in (
                ("nms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"),
                ("qnms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"),
            ):
                with contextlib.suppress(RuntimeError):  # a build of torchvision that brings its own
                    torch.library.define(f"torchvision::{operator}", arguments)


sys.meta_path.insert(0, _DeclareOperators())
