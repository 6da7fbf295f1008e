"""The steps that bring a database to the present schema, oldest first.

One file a step in `versions`, named `NNNN_what.py`; `NNNN` is its revision and names its order. A step that the running
version can live with before it is replaced is called `NNNN_pre_what.py` (add a table, a nullable column); one that may
only run after every process is new is called `NNNN_post_what.py` (drop a column). A step says everything itself: it
imports neither the schema nor any other code of Holdfast, which will have changed by the time it runs.

Refused: a released step is never edited, and there is no way down. Whoever must go back restores a back-up.
"""
