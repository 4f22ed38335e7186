"""``results/figures/``: the main figures as SVG and PDF, in the sizes that journals print."""
