# CAVs × multipliers  →  results/{model}/{layer}/scores/{target}.parquet


rule scores:
    input:
        cavs=lambda wildcards: layer_cavs(wildcards.model, wildcards.layer),
        attributions=rules.attributions.output,
        scaling=rules.scaling.output,
        components=rules.components.output.components,
        nulls=lambda wildcards: [
            *random_nulls(wildcards.model, wildcards.layer),
            *layer_shuffled(wildcards.model, wildcards.layer),
        ],
        control=gc_control,
    output:
        f"{RESULTS}/{{model}}/{{layer}}/scores/{{target}}.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/{{layer}}/scores/{{target}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/scores/{{model}}/{{layer}}/{{target}}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: THREADS
    resources:
        mem_mb=megabytes(2000, per_input=4),
        runtime=minutes(60),
    params:
        threads=THREADS,
        seed=SEED,
        code=code_digest("scores"),
    shell:
        "printf '%s\\0' --cavs {input.cavs:q} --nulls {input.nulls:q} |"
        " python3 -m tpcav_core scores @- --target {wildcards.target:q}"
        " --attributions {input.attributions:q} --control {input.control:q} --seed {params.seed}"
        " --scaling {input.scaling:q} --components {input.components:q}"
        " --threads {params.threads} --output {output:q} --log {log:q}"
