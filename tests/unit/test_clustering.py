from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import leaves_list

from tpcav_core.clustering import average_linkage


def test_equal_concepts_stand_beside_each_other():
    cosines = np.kron(np.ones((2, 2)), np.eye(3))  # 0 = 3, 1 = 4, 2 = 5
    order = leaves_list(average_linkage(cosines))
    assert sorted(order) == list(range(6))
    assert all(order[i] % 3 == order[i + 1] % 3 for i in (0, 2, 4))


def test_what_is_not_known_counts_as_unrelated():
    values = np.eye(4)
    values[0, 2] = values[2, 0] = 0.9
    unknown = np.where(values == 0, np.nan, values)
    np.testing.assert_array_equal(average_linkage(unknown), average_linkage(values))
