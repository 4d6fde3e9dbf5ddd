"""Batch scoring: a job's parts, what a worker does with each, and how they become one table.

job          runs a planned scoring over an engine, and tells what became of the table
worker       scores fragments, a block of rows at a time
parts        formats: written block by block, joined without being read into memory
destination  a file or a folder in which nothing shows until all of it does
"""

from distml.lifecycle.scoring.job import Progress, Scored, ScoringJob

__all__ = ["Progress", "Scored", "ScoringJob"]
