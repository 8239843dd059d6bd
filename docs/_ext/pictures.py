"""Pictures of the benchmark's results, drawn from them as the site is built."""

import sys
from pathlib import Path

from docutils.parsers.rst.directives.images import Image

DOCS = Path(__file__).resolve().parents[1]
sys.path.append(str(DOCS.parent / "examples"))


class ResultsPicture(Image):
    """``.. picture-of-results:: contrast iemocap6_ta, 40``: a study on a corpus."""

    def run(self):
        """Draw it, and show the file."""
        import matplotlib

        matplotlib.use("agg")
        from benchmark.report import picture

        study, _, place = self.arguments[0].partition(" ")
        path = picture(study, place, DOCS / "generated" / "results")
        self.arguments[0] = f"/{path.relative_to(DOCS).as_posix()}"
        self.options.setdefault("alt", f"Results of the study {study} on {place}.")
        return super().run()


def setup(app):
    app.add_directive("picture-of-results", ResultsPicture)
    return {"parallel_read_safe": True}
