"""How alike two stacks of maps are: pure functions ``(B, C, H, W), (B, C, H, W) -> (B,)`` that stand on torch alone."""

from .hog import hog_similarity as hog_similarity
from .spearman import spearman as spearman
from .spearman import support_spearman as support_spearman
from .spearman import zero_pattern_null as zero_pattern_null
from .spearman import zero_share as zero_share
from .ssim import ssim as ssim
