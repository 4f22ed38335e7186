"""Testing with PCA-projected Concept Activation Vectors: the compute package.

One module per step of the workflow. Functions take arrays and return values; only
``tpcav_core.commands`` touches paths. Importing this package imports nothing heavy.
"""

__version__ = "0.1.0"
