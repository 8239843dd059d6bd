"""Names and keys of the tables that a fuser gives."""

from typing import Any

import numpy as np
import pandas as pd

from skmerc.frame._columns import ParsedTable


def behind_keys(table: ParsedTable, values: np.ndarray, names: list[str]) -> Any:
    """Put values behind the keys of a parsed table, where it has any."""
    if not table.key_names:
        return values
    frame = pd.concat([table.keys, pd.DataFrame(values, columns=names)], axis=1)
    return frame.set_axis(table.data.index)


def code_names(fuser: Any, with_blocks: bool) -> list[str]:
    """Name the columns of the code, and those of the blocks behind it."""
    names = [f"fused__{j}" for j in range(fuser.vae_.latent_size)]
    if not with_blocks:
        return names
    for modality, where in fuser._blocks.items():
        columns = np.arange(fuser.n_features_in_)[where]
        names += [_name(fuser, modality, *place) for place in enumerate(columns)]
    return names


def table_names(fuser: Any) -> list[str]:
    """Name the columns of a reconstructed table, in the order of the fitted one."""
    names = [f"x{j}" for j in range(fuser.n_features_in_)]
    for modality, where in fuser._blocks.items():
        for j, column in enumerate(np.arange(fuser.n_features_in_)[where]):
            names[column] = _name(fuser, modality, j, column)
    return list(getattr(fuser, "feature_names_in_", names))


def _name(fuser: Any, modality: str, number: int, column: int) -> str:
    name = getattr(fuser, "feature_names_in_", {column: str(number)})[column]
    return name if name.startswith(f"{modality}__") else f"{modality}__{name}"
