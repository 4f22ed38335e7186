# CAVs + multipliers + model  →  results/{model}/{layer}/contributions/{target}.{set}.*: what each base
# of a target region contributes along the chosen concepts; only where contributions are configured
SETS = CONFIG["contributions"]


rule contributions:
    input:
        genome=genome_file,
        regions=target_files,
        exclude=exclude_bed(),
        model=model_files,
        attributions=rules.attributions.output,
        scaling=rules.scaling.output,
        cavs=contribution_cavs,
    output:
        f"{RESULTS}/{{model}}/{{layer}}/contributions/{{target}}.{{set}}.pt",
    log:
        f"{RESULTS}/logs/{{model}}/{{layer}}/contributions/{{target}}.{{set}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/contributions/{{model}}/{{layer}}/{{target}}.{{set}}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: THREADS
    resources:
        mem_mb=megabytes(8000, per_input=1),
        runtime=minutes(120),
        gpu=gpu,
    params:
        model=model_json,
        set=lambda wildcards: as_json(
            {
                "name": wildcards.set,
                **{
                    key: SETS[wildcards.set][key]
                    for key in ("complement", "hypothetical", "correct_off_simplex")
                },
            }
        ),
        target=target_json,
        sampling=sampling_options("chromosomes", "exclude"),
        seed=SEED,
        concepts=lambda wildcards: as_json(contribution_concepts(wildcards)),
        tolerance=CONFIG["attributions"]["tolerance"],
        force="--force" if CONFIG["attributions"]["force"] else "",
        threads=THREADS,
        code=code_digest("contributions"),
    shell:
        "printf '%s\\0' --cavs {input.cavs:q} --concepts {params.concepts:q} |"
        " python3 -m tpcav_core contributions @- --model {params.model:q}"
        " --layer {wildcards.layer:q} --threads {params.threads} --genome {input.genome:q}"
        " --set {params.set:q} --target {params.target:q} --sampling {params.sampling:q}"
        " --seed {params.seed} --attributions {input.attributions:q} --scaling {input.scaling:q}"
        " --tolerance {params.tolerance} {params.force} --output {output:q} --log {log:q}"


rule contribution_files:
    input:
        genome=genome_file,
        contributions=rules.contributions.output,
    output:
        bigwig=f"{RESULTS}/{{model}}/{{layer}}/contributions/{{target}}.{{set}}.bw",
        tsv=f"{RESULTS}/{{model}}/{{layer}}/contributions/{{target}}.{{set}}.tsv",
        parquet=f"{RESULTS}/{{model}}/{{layer}}/contributions/{{target}}.{{set}}.parquet",
        bed=f"{RESULTS}/{{model}}/{{layer}}/contributions/{{target}}.{{set}}.bed",
        svg=f"{RESULTS}/{{model}}/{{layer}}/contributions/{{target}}.{{set}}.svg",
    log:
        f"{RESULTS}/logs/{{model}}/{{layer}}/contributions/{{target}}.{{set}}.files.log",
    benchmark:
        f"{RESULTS}/benchmarks/contribution_files/{{model}}/{{layer}}/{{target}}.{{set}}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000, per_input=4),
        runtime=minutes(30),
    params:
        title="{set}: {target}, {model} {layer}",
        logos=lambda wildcards: SETS[wildcards.set]["logos"],
        code=code_digest("contribution_files"),
    shell:
        "python3 -m tpcav_core contribution_files --genome {input.genome:q}"
        " --contributions {input.contributions:q} --title {params.title:q}"
        " --logos {params.logos} --bigwig {output.bigwig:q} --sites {output.tsv:q}"
        " --bed {output.bed:q} --svg {output.svg:q} --log {log:q}"


rule modisco_files:
    input:
        genome=genome_file,
        contributions=rules.contributions.output,
    output:
        sequences=f"{RESULTS}/{{model}}/{{layer}}/contributions/{{target}}.{{set}}.ohe.npz",
        attributions=f"{RESULTS}/{{model}}/{{layer}}/contributions/{{target}}.{{set}}.contribs.npz",
    log:
        f"{RESULTS}/logs/{{model}}/{{layer}}/contributions/{{target}}.{{set}}.modisco.log",
    benchmark:
        f"{RESULTS}/benchmarks/modisco_files/{{model}}/{{layer}}/{{target}}.{{set}}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000, per_input=4),
        runtime=minutes(30),
    params:
        code=code_digest("modisco_files"),
    shell:
        "python3 -m tpcav_core modisco_files --genome {input.genome:q}"
        " --contributions {input.contributions:q} --sequences {output.sequences:q}"
        " --attributions {output.attributions:q} --log {log:q}"
