//! The `f32` functions: the value, whether it is correctly rounded, and the proof over all inputs.

use crate::{canonical, hex, oracle, pairs, power_of_two};
use agop_core::elementary::{
    exp_f32, gelu_f32, ln_f32, normal_density_f32, normal_distribution_f32, sigmoid_f32, silu_f32,
    softplus_f32, tanh_f32,
};
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicU32, Ordering};

/// The doubles half way from `y` to its neighbours; what lies between rounds to `y`.
fn midpoints(y: f32) -> (f64, f64) {
    let wide =
        |y: f32| if y.is_infinite() { f64::from(y.signum()) * power_of_two(128) } else { f64::from(y) };
    let below =
        if y == f32::NEG_INFINITY { f64::NEG_INFINITY } else { (wide(y) + wide(y.next_down())) / 2.0 };
    let above = if y == f32::INFINITY { f64::INFINITY } else { (wide(y) + wide(y.next_up())) / 2.0 };
    (below, above)
}

/// Whether `y` is the float nearest to `high + low`, or `None` if the error of the pair leaves it open.
fn decide(y: f32, (high, low): (f64, f64)) -> Option<bool> {
    let (below, above) = midpoints(y);
    let error = pairs::ERROR * high.abs();
    let (from_below, to_above) = ((high - below) + low, (above - high) - low);
    if from_below > error && to_above > error {
        Some(true)
    } else if from_below < -error || to_above < -error {
        Some(false)
    } else {
        None
    }
}

/// Whether `y` is the correctly rounded value, by the oracle. The true value is never a midpoint: it is transcendental.
fn decide_exactly(y: f32, minus: impl Fn(f64) -> oracle::Difference) -> bool {
    let (below, above) = midpoints(y);
    (below.is_infinite() || minus(below).is_positive())
        && (above.is_infinite() || !minus(above).is_positive())
}

/// What lies above `x / 2` by less than a 2^-30th of it: only `x / 2` itself can be a midpoint (of two subnormals).
fn above_half(x: f32) -> f32 {
    (0.5 * f64::from(x)).next_up() as f32
}

#[derive(Clone, Copy, Debug)]
pub enum Function {
    Exp,
    Ln,
    Tanh,
    Sigmoid,
    Silu,
    Softplus,
    Normal,
    Gelu,
    Density,
}

impl Function {
    pub const ALL: [Self; 9] = [
        Self::Exp,
        Self::Ln,
        Self::Tanh,
        Self::Sigmoid,
        Self::Silu,
        Self::Softplus,
        Self::Normal,
        Self::Gelu,
        Self::Density,
    ];

    pub fn value(self, x: f32) -> f32 {
        match self {
            Self::Exp => exp_f32(x),
            Self::Ln => ln_f32(x),
            Self::Tanh => tanh_f32(x),
            Self::Sigmoid => sigmoid_f32(x),
            Self::Silu => silu_f32(x),
            Self::Softplus => softplus_f32(x),
            Self::Normal => normal_distribution_f32(x),
            Self::Gelu => gelu_f32(x),
            Self::Density => normal_density_f32(x),
        }
    }

    /// The value where it is algebraic, infinite, or the same for all further arguments.
    fn plain(self, x: f32) -> Option<f32> {
        match self {
            _ if x.is_nan() => Some(f32::NAN),
            Self::Exp if x == 0.0 => Some(1.0),
            Self::Exp if x > 100.0 => Some(f32::INFINITY),
            Self::Exp if x < -109.0 => Some(0.0),
            Self::Ln if x < 0.0 => Some(f32::NAN),
            Self::Ln if x == 0.0 => Some(f32::NEG_INFINITY),
            Self::Ln if x == 1.0 => Some(0.0),
            Self::Ln if x == f32::INFINITY => Some(x),
            Self::Tanh if x == 0.0 => Some(x),
            Self::Tanh if x.abs() > 19.0 => Some(1f32.copysign(x)),
            Self::Sigmoid if x == 0.0 => Some(0.5),
            Self::Sigmoid if x > 18.0 => Some(1.0), // e^-18 < 2^-25
            Self::Sigmoid | Self::Softplus if x < -109.0 => Some(0.0),
            Self::Silu if x == 0.0 => Some(x),
            Self::Silu if x.abs() < 1e-12 => Some(above_half(x)),
            Self::Silu if x > 20.0 => Some(x),
            Self::Silu if x < -115.0 => Some(-0.0),
            Self::Softplus if x > 18.0 => Some(x),
            Self::Normal if x == 0.0 => Some(0.5),
            Self::Normal if x > 6.0 => Some(1.0), // Phi(-6) < 2^-29
            Self::Normal if x < -14.9 => Some(0.0),
            Self::Density if x.abs() > 14.9 => Some(0.0),
            Self::Gelu if x == 0.0 => Some(x),
            Self::Gelu if x.abs() < 1e-12 => Some(above_half(x)),
            Self::Gelu if x > 7.0 => Some(x),
            Self::Gelu if x < -14.9 => Some(-0.0),
            _ => None,
        }
    }

    pub fn is_correct_by_oracle(self, x: f32, y: f32) -> bool {
        let wide = f64::from(x);
        match self {
            _ if let Some(plain) = self.plain(x) => canonical(plain) == canonical(y),
            Self::Exp => decide_exactly(y, |t| oracle::exp_minus(wide, t)),
            Self::Ln => decide_exactly(y, |t| oracle::ln_minus(wide, t)),
            // |tanh x - x| < |x|^3 / 3: far less than the way to a midpoint, towards zero at a power of two too.
            Self::Tanh if wide.abs() < power_of_two(-14) => y == x,
            Self::Tanh => decide_exactly(y, |t| oracle::tanh_minus(wide, t)),
            Self::Sigmoid => decide_exactly(y, |t| oracle::sigmoid_minus(wide, t)),
            Self::Silu => decide_exactly(y, |t| oracle::silu_minus(wide, t)),
            Self::Softplus => decide_exactly(y, |t| oracle::softplus_minus(wide, t)),
            Self::Normal => decide_exactly(y, |t| oracle::normal_minus(wide, t)),
            Self::Gelu => decide_exactly(y, |t| oracle::gelu_minus(wide, t)),
            Self::Density => decide_exactly(y, |t| oracle::density_minus(wide, t)),
        }
    }

    /// By a pair, and by the oracle only where the pair leaves it open (counted).
    pub fn is_correct(self, tables: &pairs::Tables, x: f32, y: f32, undecided: &AtomicU32) -> bool {
        if let Some(plain) = self.plain(x) {
            return canonical(plain) == canonical(y);
        }
        let wide = f64::from(x);
        let pair = match self {
            Self::Exp => tables.exp(wide),
            Self::Ln => tables.ln(wide),
            Self::Tanh => {
                let (high, low) = tables.tanh(wide.abs());
                if x < 0.0 { (-high, -low) } else { (high, low) }
            }
            Self::Sigmoid => tables.sigmoid(wide),
            Self::Silu => tables.silu(wide),
            Self::Softplus => tables.softplus(wide),
            Self::Normal => tables.normal(wide),
            Self::Gelu => tables.gelu(wide),
            Self::Density => tables.density(wide),
        };
        decide(y, pair).unwrap_or_else(|| {
            undecided.fetch_add(1, Ordering::Relaxed);
            self.is_correct_by_oracle(x, y)
        })
    }

    /// All 2^32 inputs: correct rounding, and the SHA-256 of the 256 SHA-256 of 2^24 outputs each.
    pub fn prove(self, expected: &str) {
        let tables = pairs::Tables::new();
        let (next, undecided, wrong) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
        let work = || {
            let mut digests = Vec::new();
            let mut buffer = Vec::with_capacity(1 << 18);
            loop {
                let block = next.fetch_add(1, Ordering::Relaxed);
                if block >= 256 {
                    return digests;
                }
                let mut hash = Sha256::new();
                for bits in (block << 24)..=(block << 24 | 0x00ff_ffff) {
                    let x = f32::from_bits(bits);
                    let y = self.value(x);
                    if !self.is_correct(&tables, x, y, &undecided) {
                        wrong.fetch_add(1, Ordering::Relaxed);
                        eprintln!("{self:?}: x = {x:e} = {bits:#010x} gives {y:e} = {:#010x}", y.to_bits());
                    }
                    buffer.extend_from_slice(&canonical(y).to_le_bytes());
                    if buffer.len() == 1 << 18 {
                        hash.update(&buffer);
                        buffer.clear();
                    }
                }
                digests.push((block, hash.finalize()));
            }
        };
        let mut digests = std::thread::scope(|scope| {
            let other = scope.spawn(work);
            let mut digests = work();
            digests.extend(other.join().unwrap());
            digests
        });
        digests.sort_unstable();
        let mut hash = Sha256::new();
        for (_, digest) in digests {
            hash.update(digest);
        }
        println!("{self:?}: the oracle was asked {} times", undecided.into_inner());
        assert_eq!(wrong.into_inner(), 0, "wrongly rounded");
        assert_eq!(hex(hash), expected);
    }
}
