#![doc = include_str!("same_bits.md")]
