//! Correct rounding of the `f32` functions.

use super::function::Function;
use super::{COUNT, Random, canonical, hex, pairs};
use sha2::{Digest, Sha256};
use std::sync::atomic::AtomicU32;

/// Random inputs decided by the oracle alone; the pairs must agree, and both must refuse the neighbours of the answer.
#[test]
fn f32_rounding_by_the_oracle_and_by_pairs() {
    let tables = pairs::Tables::new();
    let mut random = Random(16);
    for function in Function::ALL {
        let undecided = AtomicU32::new(0);
        for _ in 0..COUNT / 2 {
            let low = if matches!(function, Function::Ln) { -149 } else { -30 };
            let high = if matches!(function, Function::Ln) { 127 } else { 7 };
            let sign = if matches!(function, Function::Ln) { 1.0 } else { random.sign() };
            let x = (sign * random.magnitude(low, high)) as f32;
            let y = function.value(x);
            assert!(function.is_correct_by_oracle(x, y), "{function:?}({x:e}) = {y:e}");
            for wrong in [y.next_up(), y.next_down()].into_iter().filter(|&wrong| wrong != y) {
                assert!(!function.is_correct_by_oracle(x, wrong), "{function:?}({x:e}) is not {wrong:e}");
                assert!(
                    !function.is_correct(&tables, x, wrong, &undecided),
                    "{function:?}({x:e}) is not {wrong:e}"
                );
            }
            assert!(function.is_correct(&tables, x, y, &undecided));
        }
        assert_eq!(undecided.into_inner(), 0);
    }
}

/// A million inputs of each `f32` function, one in 4099: decided by pairs, and their bits fixed for good.
#[test]
fn f32_strided_inputs() {
    let tables = pairs::Tables::new();
    for (function, expected) in [
        (Function::Exp, "8092cc4a8e0e78319d2c647bb4fbc6070ab988d6a1daddeaafd72523668225d0"),
        (Function::Ln, "97defe6ca2cbff78a070919e56e30a6afb70ae899104c70c26bc8bdd39cfbf6f"),
        (Function::Tanh, "9f0f15aedb3e174c65646a1da79418551a181c0f8972ac97e2875bced6814144"),
        (Function::Sigmoid, "d77519131ae261276006261e44cbd46b1b44e1326cc026e1733afbb6df80afd4"),
        (Function::Silu, "c705a1d6905e75952087bf6e445e985144165c2dfa964c7e41a4408774e35e27"),
        (Function::Softplus, "4eebf590aa064372b9bb2423ec64902697249d2d6e52294e1bd3e409eca0e4c5"),
        (Function::Normal, "202aeb44a4a8a5b1ec9f9f4802334966530e4d72f3087cecfcc2e17e8037fef1"),
        (Function::Density, "8c8ee0944ddddf34a05a3fdbc17994f232cf7f63007814e073af8cb064af6d1c"),
        (Function::Gelu, "6c43813927e9b6bbc75596537fb7de1667f25b71b59922270bbcf6b2580f1319"),
    ] {
        let undecided = AtomicU32::new(0);
        let mut hash = Sha256::new();
        for bits in (0..=u32::MAX).step_by(4099) {
            let x = f32::from_bits(bits);
            let y = function.value(x);
            assert!(function.is_correct(&tables, x, y, &undecided), "{function:?}({x:e}) = {y:e}");
            hash.update(canonical(y).to_le_bytes());
        }
        assert_eq!(hex(hash), expected, "{function:?}");
    }
}

#[test]
#[ignore = "all 2^32 inputs: minutes in release on two cores"]
fn exp_f32_is_correctly_rounded_everywhere() {
    Function::Exp.prove("1504410ca3d7087583f44605a63b2cfaf40cc4361f0ec7e01d7fec2226e33032");
}

#[test]
#[ignore = "all 2^32 inputs: minutes in release on two cores"]
fn ln_f32_is_correctly_rounded_everywhere() {
    Function::Ln.prove("9eb582fd2aec8732471af4682596576421a25cc31870e886cbd2244753656163");
}

#[test]
#[ignore = "all 2^32 inputs: minutes in release on two cores"]
fn tanh_f32_is_correctly_rounded_everywhere() {
    Function::Tanh.prove("fd247bbd38c4e8d7a737c2012e3a60213528dd4a78fde67bea45c74db055b42a");
}

#[test]
#[ignore = "all 2^32 inputs: minutes in release on two cores"]
fn sigmoid_f32_is_correctly_rounded_everywhere() {
    Function::Sigmoid.prove("d5af640a21b0126dff360d938af392b96eb21a17a01754ec237ea9d18f87d16d");
}

#[test]
#[ignore = "all 2^32 inputs: minutes in release on two cores"]
fn silu_f32_is_correctly_rounded_everywhere() {
    Function::Silu.prove("4321d7902812f0dd159546445be9dc19e4511d0ceef0826e502e132d8181d5f2");
}

#[test]
#[ignore = "all 2^32 inputs: minutes in release on two cores"]
fn softplus_f32_is_correctly_rounded_everywhere() {
    Function::Softplus.prove("919d7a9410f19d67a3c8683176b37418ef605d7769d05004d61ef2164ee67e02");
}

#[test]
#[ignore = "all 2^32 inputs: minutes in release on two cores"]
fn normal_distribution_f32_is_correctly_rounded_everywhere() {
    Function::Normal.prove("c3366fb5b168c2264fc712da647473900fd5eef202a2edb488145f5577606463");
}

#[test]
#[ignore = "all 2^32 inputs: minutes in release on two cores"]
fn gelu_f32_is_correctly_rounded_everywhere() {
    Function::Gelu.prove("ab5383036a666f56ea025daa79dabf9c8ad36dffd72a946b20d94e2331f456cb");
}

#[test]
#[ignore = "all 2^32 inputs: minutes in release on two cores"]
fn normal_density_f32_is_correctly_rounded_everywhere() {
    Function::Density.prove("ad592ccaa92dfa780d36fa83a4f3f25779ffb983ae002046cb91cf780a742a95");
}
