//! Standardisation: inputs with mean zero and deviation one, by the statistics of the training samples.

use super::Rows;
use crate::error::{Error, Result};
use crate::memory::{collected, filled};
use agop_core::kernel::Definition;
use agop_core::reduce::{SampleTree, buffers};
use serde::{Deserialize, Serialize};

/// Whose mean and deviation standardise an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standardise {
    /// No one's: inputs stay as they are.
    #[default]
    None,
    /// Those of its column.
    Feature,
    /// Those of all inputs.
    Global,
}

impl Standardise {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::Feature, Self::Global];

    /// Name as options spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Feature => "feature",
            Self::Global => "global",
        }
    }
}

/// The statistics of a training set.
///
/// **Arithmetic** in `f64`, two passes, over n samples of d columns. `S_j = sum_a x_aj` in the sample tree of
/// [`agop_core::reduce`]; the mean is `m_j = S_j / n`, or of all inputs `m = (sum_j S_j) / (n d)`, j ascending. `Q_j = sum_a
/// (x_aj - m_j)^2` in the same tree, the square rounded before it is added; the deviation is that of the population,
/// `s_j = sqrt(Q_j / n)`, or `s = sqrt((sum_j Q_j) / (n d))`. An input becomes `(x - m) / s`, rounded after each operation, and
/// then once to the scalar in use. Columns in which all training samples agree have s = 0 and become 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Standard {
    /// m of each column.
    pub mean: Vec<f64>,
    /// s of each column.
    pub deviation: Vec<f64>,
}

impl Standard {
    /// The statistics of training inputs; `None` where nothing is to be standardised.
    ///
    /// # Errors
    /// At the first column of which a statistic overflows; those of reading.
    pub fn of(kind: Standardise, inputs: impl Rows<f64, Error = Error>) -> Result<Option<Self>> {
        if kind == Standardise::None {
            return Ok(None);
        }
        let (n, d) = inputs.shape();
        let mut reference = Vec::new();
        inputs.each(0..Ord::min(n, 1), &mut Vec::new(), &mut |_, x| {
            reference = x.elements().copied().collect();
            Ok(())
        })?;
        if let (Standardise::Global, Some(first)) = (kind, reference.first().copied()) {
            reference.fill(first);
        }
        let sums = column_sums(&inputs, 2 * d, |sums, row| {
            let (sums, others) = sums.split_at_mut_checked(d).unwrap_or_default();
            sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            let differs = row.iter().zip(&reference).map(|(x, first)| f64::from(u8::from(x != first)));
            others.iter_mut().zip(differs).for_each(|(others, differs)| *others += differs);
        })?;
        let (sums, others) = sums.split_at_checked(d).unwrap_or_default();
        let over = |sums: &[f64]| match kind {
            Standardise::Global => {
                let mean = sums.iter().fold(0.0, |all, sum| all + sum) / (n as f64 * d as f64);
                filled("statistics", d, mean)
            }
            _ => collected("statistics", d, sums.iter().map(|sum| sum / n as f64)),
        };
        let mean = over(sums)?;
        let squares = column_sums(&inputs, d, |squares, row| {
            for ((square, x), mean) in squares.iter_mut().zip(row).zip(&mean) {
                *square += (x - mean) * (x - mean);
            }
        })?;
        let mut deviation = over(&squares)?;
        let all_agree = others.iter().all(|others| *others == 0.0);
        for (s, others) in deviation.iter_mut().zip(others) {
            // A mean is rounded: the deviation of equal numbers need not come out as zero.
            let agree = if kind == Standardise::Global { all_agree } else { *others == 0.0 };
            *s = if agree { 0.0 } else { s.sqrt() };
        }
        let finite = |(m, s): (&f64, &f64)| m.is_finite() && s.is_finite();
        if let Some(column) = mean.iter().zip(&deviation).position(|pair| !finite(pair)) {
            let reason = format!("column {column}: its mean or its deviation overflows f64");
            return Err(Error::Message(format!("--standardise {}: {reason}", kind.name())));
        }
        Ok(Some(Self { mean, deviation }))
    }

    /// Standardises rows.
    pub fn apply(&self, rows: &mut [f64]) {
        for row in rows.chunks_exact_mut(self.mean.len().max(1)) {
            for ((x, m), s) in row.iter_mut().zip(&self.mean).zip(&self.deviation) {
                let standard = (*x - m) / s;
                *x = if *s > 0.0 { standard } else { 0.0 };
            }
        }
    }

    /// Columns that become zero.
    pub fn constant(&self) -> usize {
        self.deviation.iter().filter(|s| **s == 0.0).count()
    }

    /// Mean and deviation of each column, in the shortest digits that give the same bits.
    pub fn lines(&self) -> Vec<String> {
        self.mean
            .iter()
            .zip(&self.deviation)
            .map(|(mean, deviation)| format!("{mean:?} {deviation:?}"))
            .collect()
    }
}

/// Sums of `length` values over samples, in the sample tree: `add` adds a row to the open block.
fn column_sums(
    inputs: &impl Rows<f64, Error = Error>,
    length: usize,
    add: impl Fn(&mut [f64], &[f64]),
) -> Result<Vec<f64>> {
    let buffers = buffers(inputs.rows() as u64);
    let mut storage = filled("statistics", buffers.saturating_mul(length), 0.0)?;
    let mut tree = SampleTree::new(&mut storage, length, 0)?;
    inputs.each(0..inputs.rows(), &mut Vec::new(), &mut |_, x| {
        for row in 0..x.rows() {
            add(tree.open_block(), x.row_slice(row).unwrap_or_default());
            tree.advance(Definition, 1)?;
        }
        Ok(())
    })?;
    collected("statistics", length, tree.finish(Definition).iter().copied())
}
