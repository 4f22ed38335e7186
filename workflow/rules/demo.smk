# config/demo/  →  resources/demo/: a simulated genome, a network trained on it, and the truth


rule demo:
    input:
        motifs=str(ROOT / "config/demo/motifs.meme"),
        roles=str(ROOT / "config/demo/roles.tsv"),
    output:
        "resources/demo/genome.fa.gz",
        "resources/demo/peaks.bed",
        "resources/demo/weights.pt",
        "resources/demo/truth.tsv",
        "resources/demo/training.json",
    log:
        "logs/demo.log",
    benchmark:
        "benchmarks/demo.tsv"
    threads: 2
    resources:
        mem_mb=megabytes(3000),
        runtime=minutes(10),
    params:
        folder="resources/demo",
        code=code_digest("demo"),
    conda:
        "../envs/torch.yaml"
    shell:
        "{STEP} demo --motifs {input.motifs:q} --roles {input.roles:q} --seed 1"
        " --output {params.folder:q} --log {log:q}"
