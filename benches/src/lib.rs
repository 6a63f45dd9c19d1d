//! Criterion benchmarks of agop; see `benches/`.
