"""The embedded demo: a simulated genome, labels with a known truth, a network trained on them.

``genome`` makes sequence of human-like composition, ``simulation`` plants motifs into it and draws
labels from them, ``model`` is the network and ``training`` fits it. The same seed gives the same
bytes, whatever the number of cores.
"""
