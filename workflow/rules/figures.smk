# results/summary/  →  results/figures/: the main figures as SVG and PDF, for papers


rule figures:
    input:
        tables=rules.summary.output,
        similarity=[similarity_file(*place) for place in OWN_PLACES],
    output:
        [figure_file(figure) for figure in FIGURES],
        expand(
            f"{RESULTS}/figures/{{stem}}.pdf", stem=[figure.stem for figure in FIGURES]
        ),
    log:
        f"{RESULTS}/logs/figures.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1500, per_input=4),
        runtime=minutes(30),
    params:
        tables=lambda wildcards, input: os.path.dirname(input.tables[0]),
        files=figure_options(),
        # a function, since --lint takes a plain prefix of outputs for a mistake
        folder=lambda wildcards: f"{RESULTS}/figures",
        code=code_digest("figures"),
    shell:
        "python3 -m tpcav_core figures --tables {params.tables:q} {params.files:q}"
        " --output {params.folder:q} --log {log:q}"
