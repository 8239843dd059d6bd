"""Measures the systems beside floors and rivals: one command for each study.

    python examples/benchmark/run.py systems --data iemocap6_ta.npz --seeds 5

* ``run.py`` makes the runs of a study, each in a process of its own
* ``studies`` holds what is compared
* ``report.py`` makes tables and pictures of ``results/*.csv``
* ``compare.py`` tells which differences are more than chance
* ``speed.py`` measures time and memory
* ``make_table.py`` writes an ``.npz`` table from the files of a corpus
"""
