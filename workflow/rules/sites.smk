# CAVs + multipliers + model  →  results/{model}/{layer}/sites/{target}.tsv: the target regions that
# speak most for each concept, and which of their bases do


rule sites:
    input:
        genome=genome_file,
        regions=target_files,
        exclude=exclude_bed(),
        model=model_files,
        attributions=rules.attributions.output,
        scaling=rules.scaling.output,
        cavs=lambda wildcards: layer_files(
            wildcards.model, wildcards.layer, "cavs", nulls=False
        ),
    output:
        parquet=f"{RESULTS}/{{model}}/{{layer}}/sites/{{target}}.parquet",
        tsv=f"{RESULTS}/{{model}}/{{layer}}/sites/{{target}}.tsv",
    log:
        f"{RESULTS}/logs/{{model}}/{{layer}}/sites/{{target}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/sites/{{model}}/{{layer}}/{{target}}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: THREADS
    resources:
        mem_mb=megabytes(4000, per_input=3),
        runtime=minutes(120),
        gpu=gpu,
    params:
        model=model_json,
        target=target_json,
        sampling=sampling_options("chromosomes", "exclude"),
        seed=SEED,
        concepts=CONFIG["sites"]["concepts"],
        regions=CONFIG["sites"]["regions"],
        tolerance=CONFIG["attributions"]["tolerance"],
        threads=THREADS,
        code=code_digest("sites"),
    shell:
        "printf '%s\\0' --cavs {input.cavs:q} |"
        " python3 -m tpcav_core sites @- --model {params.model:q} --layer {wildcards.layer:q}"
        " --threads {params.threads} --genome {input.genome:q} --target {params.target:q}"
        " --sampling {params.sampling:q} --seed {params.seed} --attributions {input.attributions:q}"
        " --scaling {input.scaling:q} --concepts {params.concepts} --regions {params.regions}"
        " --tolerance {params.tolerance}"
        " --output {output.parquet:q} --log {log:q}"
