//! Inputs as a network may have taken them: each column scaled and shifted.

use crate::error::Error;
use crate::samples::Rows;
use agop_core::scalar::Real;

/// Factor and offset of each column.
pub(super) type Scaling = Vec<(f64, f64)>;

/// The usual scalings, each with what it does to the inputs.
pub(super) fn causes<T: Real>(x: &dyn Rows<T, Error = Error>) -> Vec<(String, Scaling)> {
    let columns = Column::all(x);
    let whole = Column::whole(&columns);
    let all = |factor: f64, offset: f64| vec![(factor, offset); columns.len()];
    let each = |scale: &dyn Fn(&Column) -> (f64, f64)| columns.iter().map(scale).collect();
    let unbiased = |column: &Column| column.standard(1.0);
    let biased = |column: &Column| column.standard(0.0);
    let largest = if whole.high > -whole.low { whole.high } else { -whole.low };
    let largest = if largest > 0.0 { largest } else { 1.0 };
    let (a, b) = whole.standard(0.0);
    let (c, d) = whole.standard(1.0);
    let (e, f) = whole.unit();
    let mut causes: Vec<(&str, Scaling)> = vec![
        ("divided by 255", all(1.0 / 255.0, 0.0)),
        ("multiplied by 255", all(255.0, 0.0)),
        ("divided by 16", all(1.0 / 16.0, 0.0)),
        ("divided by their largest absolute value", all(1.0 / largest, 0.0)),
        ("taken from 0..1 to -1..1", all(2.0, -1.0)),
        ("taken from 0..255 to -1..1", all(1.0 / 127.5, -1.0)),
        ("taken from -1..1 to 0..1", all(0.5, 0.5)),
        ("standardised, each column by its mean and standard deviation", each(&biased)),
        ("standardised, each column by its mean and standard deviation (n - 1)", each(&unbiased)),
        ("standardised, all by one mean and standard deviation", all(a, b)),
        ("standardised, all by one mean and standard deviation (n - 1)", all(c, d)),
        ("centred, each column by its mean", each(&|column| (1.0, -column.mean))),
        ("taken to 0..1, each column by its range", each(&Column::unit)),
        ("taken to 0..1, all by one range", all(e, f)),
        ("normalised as (x - 0.1307) / 0.3081", all(1.0 / 0.3081, -0.1307 / 0.3081)),
        ("normalised as (x / 255 - 0.1307) / 0.3081", all(1.0 / 0.3081 / 255.0, -0.1307 / 0.3081)),
    ];
    causes
        .drain(..)
        .map(|(says, scaling)| {
            (format!("the inputs are {says} (give --data as the network takes them)"), scaling)
        })
        .collect()
}

/// What scalings ask of a column.
#[derive(Clone)]
struct Column {
    count: f64,
    mean: f64,
    /// Sum of squared distances from the mean.
    squares: f64,
    low: f64,
    high: f64,
}

impl Column {
    /// Every column; none where the inputs cannot be read again.
    fn all<T: Real>(x: &dyn Rows<T, Error = Error>) -> Vec<Self> {
        let (rows, columns) = x.shape();
        let count = rows as f64;
        let empty = Self { count, mean: 0.0, squares: 0.0, low: f64::INFINITY, high: f64::NEG_INFINITY };
        let mut all = vec![empty; columns];
        let each = |all: &mut Vec<Self>, add: fn(&mut Self, f64)| {
            x.each(0..rows, &mut Vec::new(), &mut |_, run| {
                for row in 0..run.rows() {
                    all.iter_mut().zip(run.row(row)).for_each(|(column, x)| add(column, x.to_f64()));
                }
                Ok(())
            })
            .is_ok()
        };
        let read = each(&mut all, |column, x| {
            column.mean += x;
            column.low = if x < column.low { x } else { column.low };
            column.high = if x > column.high { x } else { column.high };
        });
        all.iter_mut().for_each(|column| column.mean /= count);
        let read =
            read && each(&mut all, |column, x| column.squares += (x - column.mean) * (x - column.mean));
        if read { all } else { Vec::new() }
    }

    /// All columns as one.
    fn whole(columns: &[Self]) -> Self {
        let count = columns.iter().map(|column| column.count).sum::<f64>();
        let mean = columns.iter().map(|column| column.count * column.mean).sum::<f64>() / count;
        let from_mean =
            |column: &Self| column.squares + column.count * (column.mean - mean) * (column.mean - mean);
        let squares = columns.iter().map(from_mean).sum();
        let (low, high) = columns.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), column| {
            (
                if column.low < low { column.low } else { low },
                if column.high > high { column.high } else { high },
            )
        });
        Self { count, mean, squares, low, high }
    }

    /// To mean 0 and variance 1, with `n - less` in the variance; a constant column is centred only.
    fn standard(&self, less: f64) -> (f64, f64) {
        let deviation = (self.squares / (self.count - less)).sqrt();
        let factor = if deviation > 0.0 { 1.0 / deviation } else { 1.0 };
        (factor, -self.mean * factor)
    }

    /// To 0..1; a constant column is shifted only.
    fn unit(&self) -> (f64, f64) {
        let range = self.high - self.low;
        let factor = if range > 0.0 { 1.0 / range } else { 1.0 };
        (factor, -self.low * factor)
    }
}
