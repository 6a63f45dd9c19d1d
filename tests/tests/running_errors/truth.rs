//! The exact features and correlations of a small network.

use agop_core::activation::Activation;
use agop_core::feature;
use agop_core::kernel::Definition;
use agop_core::matrix::MatRef;
use agop_core::network::{Network, Shape, jacobian_workspace, ptk_values};
use agop_core::reduce::{SampleTree, buffers};
use agop_core::scalar::{Ordered, Scalar};
use agop_tests::Fixed;

pub type Rows = Vec<Vec<Fixed>>;

/// PTK features of every hidden layer, one after another.
pub fn exact_features<S: Scalar, A: Activation<S>>(
    (widths, bias): (&[usize], bool),
    activation: A,
    parameters: &[S],
    x: &[S],
) -> Vec<S> {
    let (shape, samples) = (Shape::new(widths, bias).unwrap(), x.len() / widths[0]);
    let network = Network::new(shape, activation, parameters).unwrap();
    let mut storage = vec![S::zero(); buffers(samples as u64) * ptk_values(widths)];
    let mut sum = SampleTree::new(&mut storage, ptk_values(widths), 0).unwrap();
    let mut work = vec![S::zero(); jacobian_workspace(widths, samples)];
    let x = MatRef::new(x, samples, widths[0]).unwrap();
    network.accumulate_ptk(Definition, x, &mut sum, &mut work).unwrap();
    feature::finish_ptk(Definition, shape, &mut sum).unwrap().to_vec()
}

pub fn minus(a: &Rows, b: &Rows) -> Rows {
    let row =
        |(a, b): (&Vec<Fixed>, &Vec<Fixed>)| a.iter().zip(b).map(|(a, b)| a.clone() - b.clone()).collect();
    a.iter().zip(b).map(row).collect()
}

fn sum(terms: impl Iterator<Item = Fixed>) -> Fixed {
    terms.fold(Fixed::zero(), |total, term| total + term)
}

/// `a^T b`.
fn product(a: &Rows, b: &Rows) -> Rows {
    let element = |i: usize, j: usize| sum(a.iter().zip(b).map(|(a, b)| a[i].clone() * b[j].clone()));
    (0..a[0].len()).map(|i| (0..b[0].len()).map(|j| element(i, j)).collect()).collect()
}

pub fn inner(a: &Rows, b: &Rows) -> Fixed {
    sum(a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| a.clone() * b.clone()))
}

/// The cosine of two matrices; `None` where a norm is too near zero to tell.
fn cosine(a: &Rows, b: &Rows) -> Option<Fixed> {
    let (aa, bb) = (inner(a, a).sqrt(), inner(b, b).sqrt());
    let norm = aa * bb;
    (norm.to_f64() > 1e-130).then(|| inner(a, b) / norm)
}

/// The matrix less the mean of its entries.
fn centered(a: &Rows) -> Rows {
    let n = Fixed::from_integer((a.len() * a[0].len()) as i64);
    let mean = sum(a.iter().flatten().cloned()) / n;
    a.iter().map(|row| row.iter().map(|x| x.clone() - mean.clone()).collect()).collect()
}

/// The root of a matrix without negative eigenvalues, by Jacobi's rotations.
fn root(matrix: &Rows) -> Rows {
    let n = matrix.len();
    let mut a = matrix.clone();
    // Rows of z are eigenvectors.
    let one = |i, j| if i == j { Fixed::one() } else { Fixed::zero() };
    let mut z: Rows = (0..n).map(|i| (0..n).map(|j| one(i, j)).collect()).collect();
    for _ in 0..14 {
        for p in 0..n {
            for q in p + 1..n {
                if a[p][q].abs().to_f64() < 1e-180 {
                    continue;
                }
                let theta = (a[q][q].clone() - a[p][p].clone()) / (a[p][q].clone() + a[p][q].clone());
                let steep = theta.abs() + (theta.clone() * theta.clone() + Fixed::one()).sqrt();
                let t = Fixed::one() / steep;
                let t = if theta.is_positive() { t } else { -t };
                let c = Fixed::one() / (t.clone() * t.clone() + Fixed::one()).sqrt();
                let s = t * c.clone();
                let rotate = |x: &mut Fixed, y: &mut Fixed| {
                    let (old_x, old_y) = (x.clone(), y.clone());
                    *x = c.clone() * old_x.clone() - s.clone() * old_y.clone();
                    *y = s.clone() * old_x + c.clone() * old_y;
                };
                for matrix in [&mut a, &mut z] {
                    let (above, below) = matrix.split_at_mut(q);
                    above[p].iter_mut().zip(&mut below[0]).for_each(|(x, y)| rotate(x, y));
                }
                for row in &mut a {
                    let (left, right) = row.split_at_mut(q);
                    rotate(&mut left[p], &mut right[0]);
                }
            }
        }
    }
    let scaled: Rows = z
        .iter()
        .enumerate()
        .map(|(i, row)| row.iter().map(|x| a[i][i].sqrt().sqrt() * x.clone()).collect())
        .collect();
    product(&scaled, &scaled)
}

/// Cosine and Pearson, and the same with the root.
pub fn correlations(w: &Rows, k: &Rows, roots: bool) -> [Option<Fixed>; 4] {
    let f = product(w, w);
    let kw = product(k, w);
    let g = product(w, &kw);
    let pair = |g: &Rows| {
        let pearson = if f.len() > 1 { cosine(&centered(&f), &centered(g)) } else { None };
        [cosine(&f, g), pearson]
    };
    let [a, b] = pair(&g);
    let [c, d] = if roots { pair(&root(&g)) } else { [None, None] };
    [a, b, c, d]
}
