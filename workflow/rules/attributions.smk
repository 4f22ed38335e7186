# target regions + model  →  results/{model}/{layer}/attributions/: multipliers at the layer


rule attributions:
    input:
        genome=genome_file,
        regions=target_files,
        exclude=exclude_bed(),
        model=model_files,
        functions=output_files,
        preflight=lambda wildcards: [
            f"{RESULTS}/{wildcards.model}/{wildcards.layer}/preflight.tsv",
            f"{RESULTS}/{wildcards.model}/targets/{EXPLAINED[wildcards.target][0]}.tsv",
        ],
    output:
        f"{RESULTS}/{{model}}/{{layer}}/attributions/{{target}}.pt",
    log:
        f"{RESULTS}/logs/{{model}}/{{layer}}/attributions/{{target}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/attributions/{{model}}/{{layer}}/{{target}}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: THREADS
    resources:
        mem_mb=megabytes(8000),
        runtime=minutes(120),
        gpu=gpu,
    params:
        model=model_json,
        target=target_json,
        readout=lambda wildcards: JOBS.outputs(wildcards.model)[
            EXPLAINED[wildcards.target][1]
        ],
        sampling=sampling_options("chromosomes", "exclude"),
        method=CONFIG["attributions"]["method"],
        tolerance=CONFIG["attributions"]["tolerance"],
        force="--force" if CONFIG["attributions"]["force"] else "",
        threads=THREADS,
        seed=SEED,
        code=code_digest("attributions"),
    shell:
        "python3 -m tpcav_core attributions --model {params.model:q} --layer {wildcards.layer:q}"
        " --threads {params.threads} --genome {input.genome:q} --target {params.target:q}"
        " --readout {params.readout:q} --sampling {params.sampling:q} --method {params.method}"
        " --tolerance {params.tolerance} {params.force} --seed {params.seed}"
        " --output {output:q} --log {log:q}"
