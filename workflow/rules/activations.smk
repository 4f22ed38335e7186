# recipes + model  →  results/{model}/{layer}/activations/: one forward pass, stopped at the layer.
# The largest files of the workflow: each is removed when the CAVs of its concepts are trained.


rule activations:
    input:
        recipes=f"{RESULTS}/{{model}}/concepts/{{chunk}}.parquet",
        genome=genome_file,
        model=model_files,
        preflight=rules.preflight.output.tsv,
    output:
        temp(f"{RESULTS}/{{model}}/{{layer}}/activations/{{chunk}}.parquet"),
    log:
        f"{RESULTS}/logs/{{model}}/{{layer}}/activations/{{chunk}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/activations/{{model}}/{{layer}}/{{chunk}}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: THREADS
    resources:
        mem_mb=megabytes(6000),
        runtime=minutes(60),
        gpu=gpu,
    params:
        model=model_json,
        ids=lambda wildcards: ids(
            CHUNKS[wildcards.model, wildcards.layer][wildcards.chunk]
        ),
        threads=THREADS,
        code=code_digest("activations"),
    shell:
        "python3 -m tpcav_core activations --model {params.model:q} --layer {wildcards.layer:q}"
        " --threads {params.threads} --genome {input.genome:q} --recipes {input.recipes:q}"
        " --ids {params.ids:q} --output {output:q} --log {log:q}"


# Kept: every CAV of the layer needs them, also those of concepts added later.
rule control_activations:
    input:
        recipes=f"{RESULTS}/{{model}}/controls/{{control}}.parquet",
        genome=genome_file,
        model=model_files,
        preflight=rules.preflight.output.tsv,
    output:
        f"{RESULTS}/{{model}}/{{layer}}/controls/{{control}}/activations.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/{{layer}}/controls/{{control}}/activations.log",
    benchmark:
        f"{RESULTS}/benchmarks/control_activations/{{model}}/{{layer}}/{{control}}.tsv"
    # what every CAV needs comes first: else all concepts' activations would wait for it on the disk
    priority: 4
    conda:
        "../envs/torch.yaml"
    threads: THREADS
    resources:
        mem_mb=megabytes(6000),
        runtime=minutes(60),
        gpu=gpu,
    params:
        model=model_json,
        threads=THREADS,
        code=code_digest("activations"),
    shell:
        "python3 -m tpcav_core activations --model {params.model:q} --layer {wildcards.layer:q}"
        " --threads {params.threads} --genome {input.genome:q} --recipes {input.recipes:q}"
        " --output {output:q} --log {log:q}"
