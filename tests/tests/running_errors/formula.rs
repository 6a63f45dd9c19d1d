//! The formula of `agop_core::ptk_error` with 640 fraction bits, from the same computed pre-activations and Jacobians.

use super::Case;
use agop_core::activation::{Activation, Bounded};
use agop_core::kernel::{self, Definition};
use agop_core::matrix::{MatMut, MatRef};
use agop_core::ptk_error::ReadError;
use agop_core::scalar::{Real, Scalar};
use agop_tests::Fixed;

fn number(n: usize) -> Fixed {
    Fixed::from_integer(n as i64)
}

fn gamma<T: Real>(n: usize) -> Fixed {
    let nu = number(n) * Fixed::from_f64(T::UNIT_ROUNDOFF);
    nu.clone() / (Fixed::one() - nu)
}

fn norm<'x, T: Real>(x: impl IntoIterator<Item = &'x T>) -> Fixed {
    let squares = x.into_iter().map(|x| Fixed::from_f64(x.to_f64())).map(|x| x.clone() * x);
    squares.fold(Fixed::zero(), |sum, square| sum + square).sqrt()
}

fn largest(x: impl IntoIterator<Item = Fixed>) -> Fixed {
    x.into_iter().fold(Fixed::zero(), Ord::max)
}

struct Layer<T> {
    d: usize,
    k: usize,
    w: Vec<T>,
    bias: Vec<T>,
    frobenius: Fixed,
    /// `sqrt(|W^T W| + gamma |W|^2) + rho |W|`, or `|W| (1 + rho)` if that is less.
    spectral: Fixed,
}

fn layers<T: Real>(case: &Case, parameters: &[T], rho: &Fixed) -> Vec<Layer<T>> {
    let mut rest = parameters;
    let pairs = case.widths.iter().zip(&case.widths[1..]);
    pairs
        .map(|(&d, &k)| {
            let (w, after) = rest.split_at(k * d);
            let (bias, after) = after.split_at(if case.bias { k } else { 0 });
            rest = after;
            let wide: Vec<f64> = w.iter().map(|x| x.to_f64()).collect();
            let view = MatRef::new(&wide, k, d).unwrap();
            let (x, side, inner) = if k < d { (view.t(), k, d) } else { (view, d, k) };
            let mut gram = vec![0.0; side * side];
            kernel::outer(Definition, MatMut::new(&mut gram, side, side).unwrap(), x).unwrap();
            let frobenius = norm(w);
            let square = norm(&gram) + gamma::<f64>(inner) * frobenius.clone() * frobenius.clone();
            let spectral = Ord::min(square.sqrt(), frobenius.clone()) + rho.clone() * frobenius.clone();
            Layer { d, k, w: w.to_vec(), bias: bias.to_vec(), frobenius, spectral }
        })
        .collect()
}

/// Errors of one sample's slopes: for each hidden layer `max |phi'|`, sigma, and the uncertain units.
type Slopes = Vec<(Fixed, Fixed, Vec<bool>)>;

fn forward<T: Real, A: Activation<T> + Bounded>(
    layers: &[Layer<T>],
    activation: A,
    read: ReadError,
    sample: &[T],
) -> (Slopes, Vec<Vec<T>>) {
    let (rho, u) = (Fixed::from_f64(read.weights), Fixed::from_f64(T::UNIT_ROUNDOFF));
    let constants = activation.sensitivity(0.0);
    let (mut x, mut error, mut doubt) = (sample.to_vec(), Fixed::from_f64(read.inputs) * norm(sample), false);
    let (mut found, mut slopes) = (Vec::new(), Vec::new());
    for (index, layer) in layers[..layers.len() - 1].iter().enumerate() {
        if index > 0 {
            error = error + Fixed::from_f64(constants.value_error) * u.clone() * norm(&x);
        }
        let spread = gamma::<T>(layer.d + 1) + rho.clone();
        let t = spread.clone() * norm(&x);
        let offset = |i: usize| match layer.bias.get(i) {
            Some(b) => spread.clone() * Fixed::from_f64(b.to_f64()).abs(),
            None => Fixed::zero(),
        };
        let row = |i: usize| (Fixed::one() + rho.clone()) * norm(&layer.w[i * layer.d..(i + 1) * layer.d]);
        let reach = t.clone() + error.clone();
        let offsets: Vec<Fixed> = (0..layer.k).map(offset).collect();
        let square = offsets.iter().fold(Fixed::zero(), |sum, o| sum + o.clone() * o.clone());
        let whole = layer.frobenius.clone() * t + layer.spectral.clone() * error + square.sqrt();
        let worst = largest((0..layer.k).map(row)) * reach.clone() + largest(offsets.iter().cloned());
        let worst = Ord::min(worst, whole.clone());
        let mut h = vec![T::zero(); layer.k];
        let (left, right) =
            (MatRef::new(&x, 1, layer.d).unwrap(), MatRef::new(&layer.w, layer.k, layer.d).unwrap().t());
        let out = MatMut::new(&mut h, 1, layer.k).unwrap();
        if layer.bias.is_empty() {
            kernel::product(Definition, out, left, right).unwrap();
        } else {
            kernel::affine(Definition, out, left, right, &layer.bias).unwrap();
        }
        let wide = |x: &T| Fixed::from_f64(x.to_f64());
        let range = largest(h.iter().map(|h| wide(h).abs())) + worst.clone();
        let sensitivity = activation.sensitivity(range.to_f64());
        let sigma =
            Fixed::from_f64(sensitivity.bend) * worst + Fixed::from_f64(sensitivity.slope_error) * u.clone();
        let uncertain: Vec<bool> = (0..layer.k)
            .map(|i| {
                let margin = row(i) * reach.clone() + offsets[i].clone();
                let h = wide(&h[i]);
                let products = layer.w[i * layer.d..(i + 1) * layer.d].iter().zip(&x);
                let exact_x = read.inputs == 0.0 && !doubt;
                let nothing = read.weights == 0.0
                    && products.into_iter().all(|(w, x)| *w == T::zero() || exact_x && *x == T::zero())
                    && layer.bias.get(i).is_none_or(|b| *b == T::zero());
                // A margin of nothing still has room for underflow.
                let close = !(h > margin || h <= -margin) || h.to_f64() == 0.0;
                sensitivity.kink && close && !nothing
            })
            .collect();
        doubt |= uncertain.contains(&true);
        let slope: Vec<T> = h.iter().map(|h| activation.derivative(h)).collect();
        x = h.iter().map(|h| activation.value(h)).collect();
        error = Fixed::from_f64(sensitivity.slope) * whole;
        found.push((Fixed::from_f64(sensitivity.slope), sigma, uncertain));
        slopes.push(slope);
    }
    (found, slopes)
}

/// Bounds of `|dK|` for every hidden layer: plain (`None` where a slope is uncertain) and certified.
pub fn bounds<T: Real, A: Activation<T> + Bounded>(
    case: &Case,
    (activation, read): (A, ReadError),
    (parameters, x, features): (&[T], &[T], &[T]),
) -> Vec<(Option<Fixed>, Fixed)> {
    let (rho, u) = (Fixed::from_f64(read.weights), Fixed::from_f64(T::UNIT_ROUNDOFF));
    let layers = layers(case, parameters, &rho);
    let hidden = layers.len() - 1;
    let c = layers[hidden].k;
    let samples: Vec<&[T]> = x.chunks(layers[0].d).collect();
    let passes: Vec<_> = samples.iter().map(|x| forward(&layers, activation, read, x)).collect();
    let two = || number(2);
    // Chain, tree over one block, division.
    let m = gamma::<T>(samples.len() * c + 3);
    let mut first = 0;
    let traces: Vec<Fixed> = (0..hidden)
        .map(|layer| {
            let k = layers[layer].k;
            let diagonal = (0..k).map(|i| Fixed::from_f64(features[first + i * k + i].to_f64()));
            let trace = diagonal.fold(Fixed::zero(), |sum, x| sum + x);
            first += k * k;
            trace * (Fixed::one() + two() * m.clone())
        })
        .collect();
    let pulled = |layer: usize, above: &Fixed, error: &Fixed| {
        let up = &layers[layer + 1];
        if layer + 1 == hidden {
            return (up.frobenius.clone(), rho.clone() * up.frobenius.clone());
        }
        let rounding = up.frobenius.clone() * gamma::<T>(up.k) * above.clone();
        let read = up.frobenius.clone() * rho.clone() * above.clone();
        (
            up.spectral.clone() * above.clone() + rounding.clone(),
            rounding + read + up.spectral.clone() * error.clone(),
        )
    };
    let over_samples = |layer: usize| {
        let all = || passes.iter().map(|(found, _)| &found[layer]);
        (
            largest(all().map(|f| f.0.clone())),
            largest(all().map(|f| f.1.clone())),
            all().any(|f| f.2.contains(&true)),
        )
    };
    let (mut above, mut above_error, mut certain) = (Fixed::zero(), Fixed::zero(), true);
    let mut plain = vec![None; hidden];
    for layer in (0..hidden).rev() {
        let (p, p_error) = pulled(layer, &above, &above_error);
        let (slope, sigma, uncertain) = over_samples(layer);
        let j = traces[layer].sqrt();
        let error = slope * p_error + sigma * p + u.clone() * j.clone();
        certain &= !uncertain;
        let moved = two() * j.clone() * error.clone() + error.clone() * error.clone();
        plain[layer] = certain.then(|| moved + m.clone() * traces[layer].clone());
        (above, above_error) = (j, error);
    }
    let mut moved = vec![Fixed::zero(); hidden];
    for (found, slopes) in &passes {
        let (mut jacobian, mut size, mut size_error): (Vec<T>, _, _) =
            (Vec::new(), Fixed::zero(), Fixed::zero());
        for layer in (0..hidden).rev() {
            let (up, k) = (&layers[layer + 1], layers[layer].k);
            let mut p = up.w.clone();
            if layer + 1 < hidden {
                p = vec![T::zero(); c * k];
                let (a, b) = (MatRef::new(&jacobian, c, up.k).unwrap(), MatRef::new(&up.w, up.k, k).unwrap());
                kernel::product(Definition, MatMut::new(&mut p, c, k).unwrap(), a, b).unwrap();
            }
            let (_, p_error) = pulled(layer, &size, &size_error);
            let (slope, sigma, _) = over_samples(layer);
            let flagged = p.iter().enumerate().filter(|(index, _)| found[layer].2[index % k]).map(|(_, p)| p);
            let error = slope * p_error + sigma * norm(&p) + norm(flagged);
            jacobian = p.iter().enumerate().map(|(index, p)| *p * slopes[layer][index % k]).collect();
            size = norm(&jacobian);
            size_error = error + u.clone() * size.clone();
            moved[layer] = moved[layer].clone()
                + two() * size.clone() * size_error.clone()
                + size_error.clone() * size_error.clone();
        }
    }
    let certified = moved.iter().zip(&traces);
    let certified =
        certified.map(|(sum, trace)| sum.clone() / number(samples.len()) + m.clone() * trace.clone());
    plain.into_iter().zip(certified).collect()
}
