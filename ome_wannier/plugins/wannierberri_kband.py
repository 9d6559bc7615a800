"""WannierBerri's result by k point and band, with elements that do not exist."""

from __future__ import annotations

from typing import Any

import numpy as np
from wannierberri.result import KBandResult


class PartialResult(KBandResult):  # type: ignore[misc]  # its TABresult takes no other class
    """Some elements are nan, and stay where they are when it is turned: symmetries of a layer or chain keep those apart that
    it does not have. In a class of a module, so that it can be sent to other processes."""

    def transform(self, sym: Any) -> Any:
        """What a symmetry operation makes of it."""
        gone, how = np.isnan(self.data), {"transformTR": self.transformTR, "transformInv": self.transformInv}
        turned = KBandResult(np.where(gone, 0.0, self.data), rank=self.rank, **how).transform(sym)
        return PartialResult(np.where(gone, np.nan, turned.data), rank=self.rank, **how)
