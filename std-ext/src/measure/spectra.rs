//! What the eigenvectors of a layer tell: its correlations with any power of G, and the angles between leading subspaces.

use super::{Block, LayerReport, NamedLayer};
use crate::error::Result;
use crate::memory::filled;
use crate::notes::{Reasons, cut, number};
use crate::table::Table;
use agop_core::correlation::{
    GivenErrors, LayerSpectrum, PtkSpectrum, Undefined, angles_workspace, layer_spectrum_length,
    ptk_spectrum_length, spectrum_workspace,
};
use agop_core::matrix::MatRef;
use agop_core::scalar::Real;
use agop_core::simd::Level;
use serde::Serialize;
use std::collections::BTreeMap;

/// What is asked of the eigenvectors.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spectral<'a> {
    /// Powers s of G, in (0, 1].
    pub powers: &'a [f64],
    /// Dimension r of the leading subspaces: the outputs of the network without it, none with 0; at most k and d.
    pub rank: Option<usize>,
}

/// Correlations of F with `G^s`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PowerReport {
    /// s.
    pub power: f64,
    /// Of W and K.
    pub uncentered: PowerOfPair,
    /// Of `W - W_0` and K.
    pub centered: PowerOfPair,
    /// Of `W - W_0` and `K - K_0`: powers other than 1 have no meaning there.
    pub double_centered: PowerOfPair,
}

/// Those of one pair.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PowerOfPair {
    /// Cosine of F and `G^s`.
    pub cosine: Option<f64>,
    /// Pearson over entries.
    pub pearson: Option<f64>,
    /// Why a number is missing, by its key.
    pub why: BTreeMap<String, String>,
}

/// Cosines of principal angles between leading subspaces.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Angles {
    /// Their dimension r.
    pub rank: Option<usize>,
    /// Of W and K.
    pub uncentered: AnglesOfPair,
    /// Of `W - W_0` and K.
    pub centered: AnglesOfPair,
    /// Why the rank is missing.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub why: BTreeMap<&'static str, &'static str>,
}

/// Those of one pair, descending.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AnglesOfPair {
    /// Leading eigenvectors of F with those of G.
    pub nfm_agop: Option<Vec<f64>>,
    /// Leading left singular vectors of W with the leading eigenvectors of K.
    pub weights_ptk: Option<Vec<f64>>,
    /// By how much they can be off.
    pub error: AngleErrors,
    /// Why cosines are missing, by their key.
    pub why: BTreeMap<String, String>,
}

/// Errors of cosines, by estimates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct AngleErrors {
    /// Of `nfm_agop`.
    pub nfm_agop: Option<f64>,
    /// Of `weights_ptk`.
    pub weights_ptk: Option<f64>,
}

/// Why there are no angles where the rank is unknown.
const NEEDS_RANK: &str = "needs the number of outputs: `outputs` in the manifest, a Jacobian, or --rank";
const KEYS: [&str; 2] = ["nfm_agop", "weights_ptk"];

impl PowerOfPair {
    fn new(found: [std::result::Result<f64, String>; 2]) -> Self {
        let mut why = BTreeMap::new();
        let [cosine, pearson] = found;
        let mut value = |key: &str, found: std::result::Result<f64, String>| {
            found.map_err(|reason| why.insert(key.to_owned(), reason)).ok()
        };
        Self { cosine: value("cosine", cosine), pearson: value("pearson", pearson), why }
    }

    pub(super) fn missing(reason: &str) -> Self {
        Self::new([Err(reason.to_owned()), Err(reason.to_owned())])
    }

    /// The power that a block has already.
    fn of_block(block: &Block, keys: [&str; 2]) -> Self {
        let value = |key: &str| match key {
            "cosine" => block.cosine,
            "pearson" => block.pearson,
            "cosine_sqrt" => block.cosine_sqrt,
            _ => block.pearson_sqrt,
        };
        let reason = |key: &str| block.why.get(key).cloned().unwrap_or_default();
        Self::new(keys.map(|key| value(key).ok_or_else(|| reason(key))))
    }
}

impl AnglesOfPair {
    pub(super) fn missing(reason: &str) -> Self {
        let keys = KEYS.into_iter().flat_map(|key| [key.to_owned(), format!("error.{key}")]);
        Self { why: keys.map(|key| (key, reason.to_owned())).collect(), ..Self::default() }
    }

    fn set(&mut self, key: &str, found: std::result::Result<f64, Undefined>, cosines: &[f64]) {
        let (error, cosines) = match found {
            Ok(error) => (Some(error), Some(cosines.to_vec())),
            Err(reason) => {
                let help = if reason == Undefined::UncertainFeatures {
                    "; --certify counts it both ways"
                } else {
                    ""
                };
                for key in [key.to_owned(), format!("error.{key}")] {
                    self.why.insert(key, format!("{reason}{help}"));
                }
                (None, None)
            }
        };
        let slots = if key == "nfm_agop" {
            (&mut self.error.nfm_agop, &mut self.nfm_agop)
        } else {
            (&mut self.error.weights_ptk, &mut self.weights_ptk)
        };
        (*slots.0, *slots.1) = (error, cosines);
    }
}

impl Spectral<'_> {
    /// Adds to the report of a layer what is asked for.
    ///
    /// **Shapes** weights and initial (k x d), ptk (k x k); `outputs` of the network where they are known.
    ///
    /// # Errors
    /// As [`PtkSpectrum::new`], and when the memory cannot be had.
    pub(super) fn add<T: Real>(
        self,
        level: Level,
        report: &mut LayerReport,
        (weights, initial): (MatRef<'_, T>, Option<MatRef<'_, T>>),
        ptk: MatRef<'_, T>,
        given: GivenErrors,
        outputs: Option<usize>,
    ) -> Result<()> {
        let (k, d) = weights.shape();
        let side = if k < d { k } else { d };
        let rank = self.rank.or(outputs).map(|rank| if rank < side { rank } else { side });
        let spectra = self.powers.iter().any(|s| *s != 1.0 && *s != 0.5) || rank.is_some_and(|rank| rank > 0);
        let mut found = [None, None];
        let mut ptk_memory = filled("eigenvectors", if spectra { ptk_spectrum_length(k) } else { 0 }, 0.0)?;
        let mut memories: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
        if spectra {
            let mut work = filled("workspace", spectrum_workspace(k, d), 0.0)?;
            let ptk = PtkSpectrum::new(level, ptk, given.ptk, &mut ptk_memory, &mut work)?;
            let pairs = [Some(None), initial.map(Some)];
            for ((slot, memory), pair) in found.iter_mut().zip(&mut memories).zip(pairs) {
                let Some(initial) = pair else { continue };
                *memory = filled("eigenvectors", layer_spectrum_length(k, d), 0.0)?;
                let weights = (weights, initial);
                *slot = Some(LayerSpectrum::new(level, weights, given.weights, ptk, memory, &mut work)?);
            }
        }
        let power = |s: f64, spectrum: Option<LayerSpectrum<'_>>, block: &Block| -> Result<PowerOfPair> {
            let keys = if s == 1.0 { ["cosine", "pearson"] } else { ["cosine_sqrt", "pearson_sqrt"] };
            match spectrum.filter(|_| s != 1.0 && s != 0.5) {
                None => Ok(PowerOfPair::of_block(block, keys)),
                Some(spectrum) => {
                    let found = spectrum.power(s)?;
                    Ok(PowerOfPair::new(
                        [found.cosine, found.pearson].map(|x| x.map_err(|why| why.to_string())),
                    ))
                }
            }
        };
        for s in self.powers {
            let of = PowerReport {
                power: *s,
                uncentered: power(*s, found[0], &report.uncentered)?,
                centered: power(*s, found[1], &report.centered)?,
                double_centered: power(*s, None, &report.double_centered)?,
            };
            report.powers.push(of);
        }
        if rank == Some(0) {
            return Ok(());
        }
        let mut work = filled("workspace", angles_workspace(k, rank.unwrap_or(0)), 0.0)?;
        let mut angles = |spectrum: Option<LayerSpectrum<'_>>, block: &Block| -> Result<AnglesOfPair> {
            let Some(rank) = rank else { return Ok(AnglesOfPair::missing(NEEDS_RANK)) };
            let Some(spectrum) = spectrum else {
                return Ok(AnglesOfPair::missing(block.why.get("cosine").map_or("", String::as_str)));
            };
            let (mut cosines, mut of) = (vec![0.0; rank], AnglesOfPair::default());
            let error = spectrum.nfm_agop(level, &mut cosines, &mut work)?;
            of.set("nfm_agop", error, &cosines);
            let error = spectrum.weights_ptk(level, &mut cosines, &mut work)?;
            of.set("weights_ptk", error, &cosines);
            Ok(of)
        };
        report.angles = Some(Angles {
            rank,
            uncentered: angles(found[0], &report.uncentered)?,
            centered: angles(found[1], &report.centered)?,
            why: rank.is_none().then_some(("rank", NEEDS_RANK)).into_iter().collect(),
        });
        Ok(())
    }
}

/// Tables for people of what [`Spectral`] added, and why something is missing; empty where nothing was.
pub(super) fn tables(layers: &[NamedLayer], reasons: &mut Reasons) -> String {
    let mut powers = Table::new(2, ["layer", "weights", "power", "cosine", "pearson"]);
    let mut angles =
        Table::new(2, ["layer", "weights", "rank", "F, G: largest", "smallest", "W, K: largest", "smallest"]);
    let (mut has_powers, mut has_angles) = (false, false);
    for NamedLayer { name, measures, .. } in layers {
        let name = cut(name, 20);
        // What the correlations say already is not said twice.
        let said = |block: &Block| block.why.get("cosine").cloned();
        let blocks = [("uncentered", said(&measures.uncentered)), ("centered", said(&measures.centered))];
        for report in &measures.powers {
            for ((weights, said), of) in blocks.iter().zip([&report.uncentered, &report.centered]) {
                if of.cosine.is_none() && of.why.get("cosine") == said.as_ref() {
                    continue;
                }
                let columns = [("cosine", "cosine of a power"), ("pearson", "pearson of a power")];
                reasons.add_block(weights, &name, &of.why, &columns);
                let numbers = [of.cosine, of.pearson].map(|x| number(x, 6));
                let cells = [name.clone(), (*weights).to_owned(), format!("{:.4}", report.power)];
                powers.row(cells.into_iter().chain(numbers));
                has_powers = true;
            }
        }
        let Some(Angles { rank, uncentered, centered, .. }) = &measures.angles else { continue };
        for ((weights, said), of) in blocks.iter().zip([uncentered, centered]) {
            if of.why.get("nfm_agop").is_some_and(|why| Some(why) == said.as_ref()) {
                continue;
            }
            reasons.add_block(
                weights,
                &name,
                &of.why,
                &[("nfm_agop", "angles F, G"), ("weights_ptk", "angles W, K")],
            );
            if rank.is_none() {
                continue;
            }
            let ends = |cosines: &Option<Vec<f64>>| {
                let cosines = cosines.as_deref().unwrap_or_default();
                [cosines.first(), cosines.last()].map(|x| number(x.copied(), 6))
            };
            let rank = rank.map(|rank| rank.to_string()).unwrap_or_default();
            let cells = [name.clone(), (*weights).to_owned(), rank];
            angles.row(cells.into_iter().chain(ends(&of.nfm_agop)).chain(ends(&of.weights_ptk)));
            has_angles = true;
        }
    }
    let powers = if has_powers { format!("correlations with G^power\n{powers}\n") } else { String::new() };
    let angles = if has_angles {
        format!("cosines of the principal angles between leading subspaces (all of them: --json)\n{angles}\n")
    } else {
        String::new()
    };
    powers + &angles
}
