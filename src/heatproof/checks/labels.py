"""Data randomisation: do maps change when a network was trained on permuted labels? (Sanity Checks, section 4)"""

from __future__ import annotations

from torch import nn

from .chain import original_maps
from .compared import compare
from .explained import explain_all
from .pair import Pair, permuted, user_pair
from .pair_training import train_pair
from .subject import Record, Subject

__all__ = ["Pair", "labels_job", "permuted", "train_pair", "user_pair"]


def labels_job(subject: Subject, shard: list[int], pair_index: int, permuted_model: nn.Module) -> Record:
    """Similarity of every map under the subject's model, trained on true labels, to that under a permuted network.

    Args:
        subject: its model is the true network; its `classes` says whether the permuted network explains the same class.
        shard: places of the images in the data set.
        pair_index: number of the permutation; it stands as the seed of the rows.
        permuted_model: of the same architecture, trained on permuted labels, in evaluation mode.

    Returns:
        Rows of the check "labels" at stage 1, and the metric "class_changed": whether the permuted network predicts
        another class than the one explained.
    """
    record = Record()
    original = original_maps(subject, shard)
    maps = explain_all(subject, permuted_model, shard, f"labels/{pair_index}", record, "labels", 1, pair_index)
    record.rows += compare(subject, original, maps, shard, "labels", 1, pair_index)
    return record
