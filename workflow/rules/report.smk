# results/summary/  →  results/report.html: all of it in one file, readable without a network
# Sections of the configuration that change no table are left out, so that they rerun nothing here.
SHOWN_CONFIG = {
    **{
        key: value
        for key, value in CONFIG.items()
        if key not in ("contributions", "figures", "jobs")
    },
    "models": {model: CONFIG["models"][model] for model in MODELS},
}


rule report:
    input:
        tables=rules.summary.output,
        catalogue=rules.catalogue.output.parquet,
        places=[
            file(*place)
            for place in OWN_PLACES
            for file in (similarity_file, basis_file)
        ],
        sites=list(site_files().values()),
    output:
        report(
            f"{RESULTS}/report.html",
            caption="../report/report.rst",
            category="Report",
            labels={"page": "all results"},
        ),
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000, per_input=4),
        runtime=minutes(20),
    params:
        tables=lambda wildcards, input: os.path.dirname(input.tables[0]),
        places=report_options(),
        config=as_json(SHOWN_CONFIG),
        files=as_json(JOBS.input_files()),
        benchmarks=f"{RESULTS}/benchmarks",
        cache=CACHE,
        code=code_digest("report"),
    shell:
        "printf '%s\\0' {params.places:q} --config {params.config:q} --inputs {params.files:q} |"
        " python3 -m tpcav_core report @- --tables {params.tables:q}"
        " --catalogue {input.catalogue:q} --benchmarks {params.benchmarks:q}"
        " --cache {params.cache:q} --output {output:q} --log {log:q}"
