//! What changes no bit, and the bits themselves.

use super::{decompose, random_symmetric, tridiagonal, wilkinson};
use agop_core::eigen::{eigen_workspace, symmetric_eigen};
use agop_core::simd::Level;
use agop_tests::SplitMix64;

/// Only the lower triangle is read, and a power of two changes no bit of the vectors.
#[test]
fn the_upper_triangle_and_powers_of_two_do_not_matter() {
    let mut rng = SplitMix64::new(9);
    for n in [5, 13, 40] {
        let a = random_symmetric(&mut rng, n);
        let (values, vectors) = decompose(&a, n).unwrap();
        // Large enough to matter if it were scaled along.
        let mut lower = a.clone();
        for i in 0..n {
            lower[i * n + i + 1..(i + 1) * n].fill(1e300);
        }
        assert_eq!(decompose(&lower, n).unwrap(), (values.clone(), vectors.clone()));
        // Negative control: the lower triangle does matter.
        lower[(n - 1) * n] += 0.125;
        assert_ne!(decompose(&lower, n).unwrap().1, vectors);
        for factor in [-900, -1, 10, 1000].map(|q: i64| f64::from_bits(((1023 + q) as u64) << 52)) {
            let scaled: Vec<f64> = a.iter().map(|x| x * factor).collect();
            let expected: Vec<f64> = values.iter().map(|x| x * factor).collect();
            assert_eq!(decompose(&scaled, n).unwrap(), (expected, vectors.clone()), "{factor:e}");
        }
        // Negative control: a factor that is no power of two does change bits.
        let scaled: Vec<f64> = a.iter().map(|x| x * 1.1).collect();
        assert_ne!(decompose(&scaled, n).unwrap().1, vectors);
    }
}

/// Neither the backend nor what a workspace holds or is too long by moves a bit; control: another matrix does. Blocks that
/// hardly couple part in the course of the iteration: sweeps then end, and begin, at different rows, and rows are set aside.
#[test]
fn levels_and_workspaces_agree_to_the_bit() {
    let mut rng = SplitMix64::new(6);
    for n in [1, 2, 7, 8, 33, 64, 65, 130, 200] {
        let mut a = random_symmetric(&mut rng, n);
        if n > 33 {
            for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
                a[i * n + j] *= match (i.abs_diff(j), i / 7 == j / 7) {
                    (0, _) | (1, true) => 1.0,
                    (1, false) => 1e-6,
                    _ => 0.0,
                };
            }
        }
        let bits = |level: Level, spare: usize, a: &[f64]| {
            let (mut vectors, mut values) = (a.to_vec(), vec![f64::NAN; n]);
            let mut workspace = vec![f64::NAN; eigen_workspace(n) + spare];
            symmetric_eigen(level, &mut vectors, &mut values, &mut workspace).unwrap();
            values.iter().chain(&vectors).map(|x| x.to_bits()).collect::<Vec<_>>()
        };
        let reference = bits(Level::scalar(), 0, &a);
        for level in Level::available() {
            for spare in [0, 1, 500] {
                assert_eq!(bits(level, spare, &a), reference, "{} {n} {spare}", level.name());
            }
        }
        let other: Vec<f64> = a.iter().map(|x| x * 3.0).collect();
        assert_ne!(bits(Level::scalar(), 0, &other), reference);
    }
}

/// FNV-1a over little-endian bits.
fn hash<'a>(numbers: impl IntoIterator<Item = &'a f64>) -> u64 {
    let bytes = numbers.into_iter().flat_map(|x| x.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// Eigenvalues, then eigenvectors, of [`golden_bits`]' first matrix.
const GOLDEN_3X3: [u64; 12] = [
    0xbff1_fccb_6538_2d86, // -1.124
    0x3ff8_1705_e342_c070, // 1.506
    0x400c_f2e2_c0fa_b689, // 3.619
    0xbfc8_4eac_047d_5913,
    0xbfba_ef81_d044_6483,
    0x3fef_3c9c_fd68_6a02,
    0x3fea_7c7c_c785_0a71,
    0x3fe0_9031_7fd1_8f45,
    0x3fcb_c07e_744c_1044,
    0xbfe0_e5f0_7ada_832e,
    0x3feb_2c0d_cf7d_fecd,
    0xbf86_f2c5_5be2_a33f,
];

/// The same bits on every target and in every build profile. All constants were found twice: by this crate and by index loops
/// in Python, whose floats are fused only where the C library's fma is called. The last two set rows aside and turn some.
#[test]
fn golden_bits() {
    let (values, vectors) = decompose(&[2.0, -1.0, 0.5, -1.0, 3.0, 0.25, 0.5, 0.25, -1.0], 3).unwrap();
    for (x, bits) in values.iter().chain(&vectors).zip(GOLDEN_3X3) {
        assert_eq!(x.to_bits(), bits, "found {:#018x}", x.to_bits());
    }
    let mut digests = Vec::new();
    for n in [1, 2, 3, 4, 17, 40, 128] {
        let a = random_symmetric(&mut SplitMix64::new(n as u64), n);
        let (values, vectors) = decompose(&a, n).unwrap();
        digests.push(hash(values.iter().chain(&vectors)));
    }
    let constant = tridiagonal(64, |_| 1.0, |_| -1.0);
    let glued = tridiagonal(64, wilkinson, |i| if i % 21 == 20 { -1e-8 } else { 1.0 });
    for a in [constant, glued] {
        let (values, vectors) = decompose(&a, 64).unwrap();
        digests.push(hash(values.iter().chain(&vectors)));
    }
    let golden = [
        0x7435_2818_8954_7c53,
        0x8811_2a4d_2595_ca53,
        0x5cec_9a49_587f_5e83,
        0xdf29_8b41_01c3_0812,
        0x306a_7765_1fe4_8880,
        0x0597_cf7d_0bd4_8811,
        0x7dd2_7714_f8f9_0c85,
        0x2fcb_8efc_4d22_2679,
        0x22f5_004f_0e75_56e9,
    ];
    assert_eq!(digests, golden);
}
