"""In what order the entries of remove and retrain stand, on the page and in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..experiment.retrain_results import RetrainResults


def ranking(results: RetrainResults, direction: str) -> list[dict[Any, Any]]:
    """Areas of one direction, best first; masks alone after all others, since they answer another question."""
    rows = results.areas[results.areas["direction"] == direction]
    alone = rows["method"].isin(results.config.get("pictures", ()))
    return list(rows.assign(alone=alone).sort_values(["alone", "area"]).drop(columns="alone").to_dict("records"))
