# planted and bare backgrounds  →  results/{model}/planting/: what planting a motif does to the output


rule planting:
    input:
        recipes=f"{RESULTS}/{{model}}/concepts/{{chunk}}.parquet",
        genome=genome_file,
        model=model_files,
        functions=output_files,
    output:
        f"{RESULTS}/{{model}}/planting/{{chunk}}.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/planting/{{chunk}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/planting/{{model}}/{{chunk}}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: THREADS
    resources:
        mem_mb=megabytes(6000),
        runtime=minutes(60),
        gpu=gpu,
    params:
        model=model_json,
        outputs=lambda wildcards: as_json(JOBS.outputs(wildcards.model)),
        ids=lambda wildcards: ids(planted(wildcards)),
        threads=THREADS,
        seed=SEED,
        code=code_digest("planting"),
    shell:
        "python3 -m tpcav_core planting --model {params.model:q} --threads {params.threads}"
        " --outputs {params.outputs:q}"
        " --genome {input.genome:q} --recipes {input.recipes:q} --ids {params.ids:q}"
        " --seed {params.seed} --output {output:q} --log {log:q}"
