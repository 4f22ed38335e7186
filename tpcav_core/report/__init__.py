"""``results/report.html``: one file that shows what a run found, readable without a network."""
