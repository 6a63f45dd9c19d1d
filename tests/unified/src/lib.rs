//! Nothing but a test.

#[cfg(test)]
mod tests {
    use agop_core::golden::{NUMBERS, WIDE, run};
    use agop_core::scalar::Real;
    use agop_core::simd::Level;
    use std::process::Command;

    fn lines<T: Real>(level: Level) -> String {
        let (mut numbers, mut wide, mut text) = ([T::zero(); NUMBERS], [0.0; WIDE], String::new());
        let all = run(level, &mut numbers, &mut wide, |stage, digest| {
            text += &format!("{} {} {digest}\n", T::NAME, stage.name());
        });
        text + &format!("{} all {}\n", T::NAME, all.unwrap())
    }

    #[test]
    fn the_digests_are_those_without_the_features() {
        let file = include_str!("../../golden/digests.txt");
        let expected: String =
            file.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
        for level in Level::available() {
            assert_eq!(lines::<f32>(level) + &lines::<f64>(level), expected, "on {}", level.name());
        }
        assert_ne!(
            lines::<f32>(Level::scalar()).replace("f32", "f64") + &lines::<f64>(Level::scalar()),
            expected
        );
    }

    /// The control: the core's own dependency is compiled with the feature, and num-traits does use `std` here.
    #[test]
    fn the_features_are_on() {
        let tree = Command::new(env!("CARGO"))
            .args(["tree", "--edges", "features", "--manifest-path"])
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
            .output()
            .unwrap();
        let tree = String::from_utf8(tree.stdout).unwrap();
        for feature in ["libm feature \"arch\"", "num-traits feature \"std\"", "sha2 feature \"zeroize\""] {
            assert!(tree.contains(feature), "{feature} is not on:\n{tree}");
        }
    }
}
