"""Memory that a CAV job needs, from the numbers it works on; the workflow asks for as much."""

from __future__ import annotations

from .coordinates import is_primal

#: Python with numpy, scipy, pyarrow and scikit-learn, and buffers of reading and standardising, MB
BASE = 500


def cav_job_memory(n: int, d: int, *, replicates: int, variants: int, norm: str = "l2") -> float:
    """Return the memory of a CAV job in MB, all it holds at its largest.

    Args:
        n: examples of a variant, and of a replicate of the control.
        d: features of an example.
        replicates: of the control.
        variants: of all concepts of the job.
        norm: of the classifier's penalty.
    """
    vectors = 8 * d * 2 * replicates * (variants + 2)
    own = 4 * n * d
    if is_primal(n, d, norm):
        # all replicates, and one problem with a working copy or two
        held = 4 * replicates * n * d + 3 * 8 * 2 * n * d
    else:
        # inner products with all replicates; one problem's Gram matrix, its factor, working copies
        held = 8 * n * n * (1 + replicates) + 7 * 8 * (2 * n) ** 2
    return BASE + (own + held + vectors) / 1e6


def null_job_memory(n: int, d: int, *, replicates: int, nulls: int, norm: str = "l2") -> float:
    """Return the memory in MB of a job that trains nulls.

    Args:
        n: examples of a null, and of a replicate of its control.
        d: features of an example.
        replicates: of the control.
        nulls: that the job trains, of all sizes.
        norm: of the classifier's penalty.
    """
    pool = n * (replicates + 1)
    # one problem with working copies, see `cav_job_memory`
    problem = 3 * 8 * 2 * n * d if is_primal(n, d, norm) else 7 * 8 * (2 * n) ** 2
    # all examples (twice while they are read), their inner products, one problem, the results
    held = 2 * 4 * pool * d + 8 * pool * pool + problem
    return BASE + (held + 2 * nulls * (8 * pool + 3 * 8 * d)) / 1e6
