"""Testing with PCA-projected Concept Activation Vectors: the compute package.

``tpcav_core.commands`` has a module for each step of the workflow, which reads and writes the files
between steps. What it computes is in the modules beside that folder: their functions take arrays
and return values, or read files that users give; `notebook` and `interchange` exchange files with a
run. Importing this package imports nothing heavy.
"""

__version__ = "0.1.0"
