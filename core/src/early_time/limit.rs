//! The limit of the centred correlation as training time goes to zero.

use crate::correlation::{
    Correlations, InputError, Powers, Ptk, Route, Undefined, correlate_named, correlate_workspace,
};
use crate::error::Error;
use crate::kernel::Backend;
use crate::matrix::MatRef;
use crate::scalar::Real;

/// Values of workspace that [`limit`] needs for a layer of weights (k x d).
pub const fn limit_workspace(k: usize, d: usize) -> usize {
    correlate_workspace(k, d, Route::cheaper(k, d))
}

/// `C-NFC(t -> 0+) = rho(V^T V, V^T K_0 V)` with `V = dW/dt = -grad` at initialisation, for any network, loss and layer.
///
/// `W(0) - W_0 = 0`, so `t^2 V^T V` and `t^2 V^T K_0 V` are the leading terms of the two centred matrices.
///
/// **Shapes** gradient (k x d) of the layer's weights, ptk (k x k) at initialisation, workspace at least
/// [`limit_workspace`].
/// **Arithmetic** in `f64`, by the cheaper route; square roots as [`crate::correlation::measure_layer`]. The gradient
/// stands for V, because the sign cancels.
/// **Errors** as [`crate::correlation::correlate`]. With a zero gradient all correlations are [`Undefined`].
/// **Source** Beaglehole, Mitliagkas, Agarwala, *Feature learning as alignment*, arXiv 2402.05271.
pub fn limit<T: Real, B: Backend<f64>>(
    backend: B,
    gradient: MatRef<'_, T>,
    ptk: MatRef<'_, T>,
    powers: Powers,
    workspace: &mut [f64],
) -> Result<Correlations, Error> {
    let (k, d) = gradient.shape();
    let (way, ptk) = (("gradient", gradient), Ptk { name: "features", matrix: ptk, gram: true });
    let mut found =
        correlate_named(backend, way, ptk, InputError::default(), Route::cheaper(k, d), powers, workspace)?;
    let Correlations { cosine, pearson, cosine_sqrt, pearson_sqrt, .. } = &mut found;
    for value in [cosine, pearson, cosine_sqrt, pearson_sqrt] {
        if *value == Err(Undefined::ZeroWeights) {
            *value = Err(Undefined::ZeroLossGradient);
        }
    }
    Ok(found)
}
