"""A benchmark with known truth: simulated labels, networks that learned them, what TCAV finds.

``simulation`` draws sequences and labels, ``networks`` and ``train`` the networks, ``concepts`` and
``evaluate`` compute every statistic of every motif and null, ``published`` has the published
package score the same networks, ``report`` and ``nulls`` compare all with the truth, ``figures``
draws it.
"""
