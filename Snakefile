# TPCAV: which concepts a layer of a trained network encodes and uses, and which way they push.
# The steps, in the order in which data flows through them; see docs/ and config/README.md.
from snakemake.utils import min_version

min_version("9.9")


report: "workflow/report/workflow.rst"


# A configuration given on the command line replaces the embedded one, it is not mixed into it.
if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/files.smk"
include: "workflow/rules/layer_files.smk"
include: "workflow/rules/shown.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/demo.smk"
include: "workflow/rules/genome.smk"
include: "workflow/rules/preflight.smk"
include: "workflow/rules/concepts.smk"
include: "workflow/rules/activations.smk"
include: "workflow/rules/basis.smk"
include: "workflow/rules/cavs.smk"
include: "workflow/rules/nulls.smk"
include: "workflow/rules/similarity.smk"
include: "workflow/rules/attributions.smk"
include: "workflow/rules/contributions.smk"
include: "workflow/rules/planting.smk"
include: "workflow/rules/scores.smk"
include: "workflow/rules/sites.smk"
include: "workflow/rules/methods.smk"
include: "workflow/rules/summary.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"


# The top of the verdict, and where the rest is; whatever was run, if it is there.
onsuccess:
    if Path(f"{RESULTS}/report.html").is_file():
        shell("python3 -m tpcav_core show {RESULTS:q} --top 12")


rule all:
    default_target: True
    input:
        rules.summary.output,
        rules.figures.output if CONFIG["figures"] else [],
        rules.report.output,
        [f"{RESULTS}/{model}/{layer}/probe.tsv" for model, layer in JOBS.places()],
        contribution_results(),
