"""What is added up over the calls of ``partial_fit``."""

from skmerc._training import Moments


class TotalsHolder:
    """Mixin of estimators that remember counts and moments of all data they saw."""

    def _begin_totals(self, resume, passes):
        """Go on with those of earlier calls, or begin anew."""
        known = self._totals if resume else {}
        if not passes:
            # A warm start keeps the scales that the network was trained with.
            known = {n: kept for n, kept in known.items() if isinstance(kept, Moments)}
        self._totals = known

    def _total(self, name, found):
        """Add what was found in the data of this call to that of earlier calls."""
        total = self._totals[name] + found if name in self._totals else found
        self._totals = self._totals | {name: total}
        return total
