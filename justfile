# The quick checks: format, lints, pages, golden digests, kernels (under five minutes).
quick:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo test -p agop-tests --test pages --test golden --test kernels --test command_errors

# Everything.
ci:
    .ci/run

# All benches, and the instruction counts.
bench:
    cargo bench -p agop-benches
    benches/instructions

# The golden workload on every level and on this processor as a target.
golden:
    cargo test -p agop-tests --test golden
    tests/targets/run x86_64
