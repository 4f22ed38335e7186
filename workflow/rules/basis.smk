# a sample of activations  →  results/{model}/{layer}/basis/: μ and σ (scaling), V (components).
# CAVs need the scaling only; another number of components neither runs the model nor retrains.


rule sample:
    input:
        recipes=sampled_recipes,
        genome=genome_file,
        model=model_files,
        preflight=rules.preflight.output.tsv,
    output:
        f"{RESULTS}/{{model}}/{{layer}}/basis/sample.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/{{layer}}/basis/sample.log",
    benchmark:
        f"{RESULTS}/benchmarks/sample/{{model}}/{{layer}}.tsv"
    # see control_activations
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
        ids=sampled_ids,
        per_variant=(
            CONFIG["basis"]["samples_per_concept"]
            if FIT_ON_CONCEPTS
            else CONFIG["examples"]["per_concept"]
        ),
        at_most=CONFIG["basis"]["max_samples"],
        threads=THREADS,
        code=code_digest("activations"),
    shell:
        "printf '%s\\0' --recipes {input.recipes:q} --ids {params.ids:q} |"
        " python3 -m tpcav_core activations @- --model {params.model:q} --layer {wildcards.layer:q}"
        " --threads {params.threads} --genome {input.genome:q}"
        " --per-variant {params.per_variant} --at-most {params.at_most}"
        " --output {output:q} --log {log:q}"


rule scaling:
    input:
        sample=rules.sample.output,
    output:
        f"{RESULTS}/{{model}}/{{layer}}/basis/scaling.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/{{layer}}/basis/scaling.log",
    benchmark:
        f"{RESULTS}/benchmarks/scaling/{{model}}/{{layer}}.tsv"
    priority: 3
    conda:
        "../envs/numpy.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1000, per_input=2),
        runtime=minutes(20),
    params:
        plain="",
        code=code_digest("scaling"),
    shell:
        "python3 -m tpcav_core scaling --sample {input.sample:q} {params.plain}"
        " --output {output:q} --log {log:q}"


rule components:
    input:
        sample=rules.sample.output,
        scaling=rules.scaling.output,
    output:
        components=f"{RESULTS}/{{model}}/{{layer}}/basis/components.pt",
        variance=basis_file("{model}", "{layer}"),
        tsv=f"{RESULTS}/{{model}}/{{layer}}/basis/variance.tsv",
    log:
        f"{RESULTS}/logs/{{model}}/{{layer}}/basis/components.log",
    benchmark:
        f"{RESULTS}/benchmarks/components/{{model}}/{{layer}}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: THREADS
    resources:
        mem_mb=megabytes(2000, per_input=4),
        runtime=minutes(60),
    params:
        number=CONFIG["basis"]["components"],
        threads=THREADS,
        code=code_digest("components"),
    shell:
        "python3 -m tpcav_core components --sample {input.sample:q} --scaling {input.scaling:q}"
        " --number {params.number} --threads {params.threads} --output {output.components:q}"
        " --variance {output.variance:q} --log {log:q}"
