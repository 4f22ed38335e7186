# results/{model}/{layer}/preflight.tsv and results/{model}/targets/: can the model and its layers be
# used? Found in seconds and on a CPU, before activations, CAVs and attributions.


# One check per layer and one per target, so that a new layer or target reruns no other. They go
# first where anything else could run too. Whatever changes a check also changes the steps after it: none of these
# inputs may be ancient(), since Snakemake 9 does not look for the own reasons of jobs downstream of
# a job that has to run, and passes nothing on to them through ancient files. And none has the digest
# of its code as a parameter: an edited message would rerun all that comes after it.
rule preflight:
    input:
        genome=genome_file,
        exclude=exclude_bed(),
        model=model_files,
    output:
        tsv=f"{RESULTS}/{{model}}/{{layer}}/preflight.tsv",
        parquet=f"{RESULTS}/{{model}}/{{layer}}/preflight.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/{{layer}}/preflight.log",
    benchmark:
        f"{RESULTS}/benchmarks/preflight/{{model}}/{{layer}}.tsv"
    priority: 100
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(4000),
        runtime=minutes(20),
    params:
        models=lambda wildcards: preflight_model(wildcards.model, [wildcards.layer]),
        call=preflight_call(),
        sampling=sampling_options(),
        examples=CONFIG["examples"]["per_concept"],
        seed=SEED,
    shell:
        "python3 -m tpcav_core preflight --genome {input.genome:q} {params.call:q}"
        " --models {params.models:q} --targets '{{}}' --sampling {params.sampling:q}"
        " --examples {params.examples} --seed {params.seed} --output {output.tsv:q} --log {log:q}"


rule preflight_target:
    input:
        genome=genome_file,
        exclude=exclude_bed(),
        regions=target_files,
        model=model_files,
    output:
        tsv=f"{RESULTS}/{{model}}/targets/{{target}}.tsv",
        parquet=f"{RESULTS}/{{model}}/targets/{{target}}.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/targets/{{target}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/preflight_target/{{model}}/{{target}}.tsv"
    priority: 100
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(4000),
        runtime=minutes(20),
    params:
        models=lambda wildcards: preflight_model(wildcards.model, []),
        call=preflight_call(),
        targets=lambda wildcards: as_json({wildcards.target: target_options(wildcards)}),
        sampling=sampling_options(),
        examples=CONFIG["examples"]["per_concept"],
        seed=SEED,
    shell:
        "python3 -m tpcav_core preflight --genome {input.genome:q} {params.call:q}"
        " --models {params.models:q} --targets {params.targets:q} --sampling {params.sampling:q}"
        " --examples {params.examples} --seed {params.seed} --output {output.tsv:q} --log {log:q}"


# Tries to explain each layer on a few examples, in the first seconds of a run. Nothing depends on
# it: another method or one more concept must not rerun what came after it.
rule probe:
    input:
        genome=genome_file,
        exclude=exclude_bed(),
        model=model_files,
        functions=output_files,
        preflight=rules.preflight.output.tsv,
    output:
        tsv=f"{RESULTS}/{{model}}/{{layer}}/probe.tsv",
        parquet=f"{RESULTS}/{{model}}/{{layer}}/probe.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/{{layer}}/probe.log",
    benchmark:
        f"{RESULTS}/benchmarks/probe/{{model}}/{{layer}}.tsv"
    priority: 100
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(4000),
        runtime=minutes(20),
    params:
        model=lambda wildcards: as_json(cpu_model(wildcards.model)),
        outputs=lambda wildcards: as_json(JOBS.outputs(wildcards.model)),
        call=preflight_call(),
        sampling=sampling_options(),
        examples=CONFIG["examples"]["per_concept"],
        attributions=as_json(CONFIG["attributions"]),
        sets=sets_on_disk,
        memory=cav_memory_options,
        seed=SEED,
        code=code_digest("probe"),
    shell:
        "python3 -m tpcav_core probe --genome {input.genome:q} {params.call:q}"
        " --model {params.model:q} --layer {wildcards.layer:q} --outputs {params.outputs:q}"
        " --sampling {params.sampling:q} --attributions {params.attributions:q}"
        " --examples {params.examples} --sets {params.sets} --cav-memory {params.memory:q}"
        " --seed {params.seed} --output {output.tsv:q} --log {log:q}"
