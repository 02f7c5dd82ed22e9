"""HTML report of an evaluated run.

`render(run)` of a section renders its part, or a sentence where the run lacks the data.
"""
