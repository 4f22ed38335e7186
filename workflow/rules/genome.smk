# FASTA  →  results/genome/genome.arrow, from which windows are cut without reading the rest


rule genome:
    input:
        fasta=(CONFIG["genome"] or {}).get("fasta", []),
    output:
        f"{RESULTS}/genome/genome.arrow",
    log:
        f"{RESULTS}/logs/genome.log",
    benchmark:
        f"{RESULTS}/benchmarks/genome.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1000, per_input=10),
        runtime=minutes(30),
    params:
        code=code_digest("genome"),
    shell:
        "python3 -m tpcav_core genome --fasta {input.fasta:q} --output {output:q} --log {log:q}"
