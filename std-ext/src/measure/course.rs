//! The measures of many checkpoints of one network, in the order of the numbers in their names: their course.

use super::{LayerReport, MeasureFiles, MeasureReport, NamedLayer, Proof};
use crate::error::{Error, Result, Shown};
use crate::machine::Machine;
use crate::notes::{cut, number};
use crate::table::Table;
use agop_core::activation::AnyActivation;
use agop_core::scalar::Real;
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The object that `agop measure --json` prints of many checkpoints.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MeasureCourse {
    /// `agop.measures/1`.
    pub schema: &'static str,
    /// What a reader of the numbers should know: in which order the checkpoints stand, where their names do not tell it.
    pub notes: Vec<String>,
    /// One for each file.
    pub checkpoints: Vec<Measured>,
}

/// A checkpoint with its measures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// The last number in the file's name; left out of the object where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<u64>,
    /// The file.
    pub file: String,
    /// Its measures.
    #[serde(flatten)]
    pub report: MeasureReport,
}

/// Whether what was given for weights is one file, not a folder, a pattern or several.
pub fn is_one(given: &[PathBuf]) -> bool {
    matches!(given, [file] if !file.is_dir() && (file.exists() || !is_pattern(file)))
}

fn is_pattern(path: &Path) -> bool {
    path.to_str().is_some_and(|text| text.contains(['*', '?', '[']))
}

/// The files that are meant: a file itself, of a folder its `.safetensors` files, of a pattern all that fit.
fn expand(given: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for path in given {
        let before = all.len();
        if path.is_dir() {
            for entry in std::fs::read_dir(path).map_err(|error| Error::io(path, "list", error))? {
                let file = entry.map_err(|error| Error::io(path, "list", error))?.path();
                if file.extension().is_some_and(|extension| extension == "safetensors") {
                    all.push(file);
                }
            }
        } else if path.exists() || !is_pattern(path) {
            all.push(path.clone());
        } else {
            let wrong = |error: &dyn std::fmt::Display| {
                Error::Usage(format!("--weights {}: {error}", path.display()))
            };
            let pattern = path.to_str().unwrap_or_default();
            for file in glob::glob(pattern).map_err(|error| wrong(&error))? {
                all.push(file.map_err(|error| wrong(&error))?);
            }
        }
        if all.len() == before {
            return Err(Error::Usage(format!("--weights {}: no file is there", path.display())));
        }
    }
    Ok(all)
}

/// The last number in a file's name.
fn step(file: &Path) -> Option<u64> {
    let stem = file.file_stem()?.to_str()?;
    let number = stem.rsplit(|c: char| !c.is_ascii_digit()).find(|part| !part.is_empty())?;
    number.parse().ok()
}

/// A file with the number in its name.
type Numbered = (Option<u64>, PathBuf);

/// The files in their order, each with its number, and what is to be said of the order.
fn ordered(given: &[PathBuf]) -> Result<(Vec<Numbered>, Vec<String>)> {
    let mut files: Vec<_> = expand(given)?.into_iter().map(|file| (step(&file), file)).collect();
    files.sort();
    if let Some((_, file)) = files.iter().find(|(step, _)| step.is_none()) {
        let note = format!("{} has no number in its name: the order is that of the names", file.display());
        files.sort_by(|(_, a), (_, b)| a.cmp(b));
        return Ok((files, vec![Shown(note).to_string()]));
    }
    let pairs = files.iter().zip(files.iter().skip(1));
    match pairs.into_iter().find(|((a, _), (b, _))| a == b) {
        Some(((step, a), (_, b))) => {
            let (a, b, step) = (a.display(), b.display(), step.unwrap_or_default());
            Err(Error::Usage(format!("--weights: {a} and {b} have the same number {step}")))
        }
        None => Ok((files, Vec::new())),
    }
}

impl MeasureCourse {
    /// Measures each of the checkpoints that are `given`, files, folders and patterns, as `files` say beside that.
    ///
    /// # Errors
    /// What names no file; two files with the same number; those of [`MeasureReport::of_files`].
    pub fn of_files<T: Real>(
        machine: &Machine,
        given: &[PathBuf],
        files: MeasureFiles<'_>,
        activation: AnyActivation,
        proof: Proof,
    ) -> Result<Self> {
        let (ordered, notes) = ordered(given)?;
        let mut before = None;
        let measured = ordered.into_iter().map(|(step, file)| {
            let files = MeasureFiles { weights: &file, ..files };
            let report = MeasureReport::of_next::<T>(machine, files, activation, proof, &mut before)?;
            Ok(Measured { step, file: file.display().to_string(), report })
        });
        let checkpoints = measured.collect::<Result<_>>()?;
        Ok(Self { schema: "agop.measures/1", notes, checkpoints })
    }

    /// A table for people.
    pub fn table(&self) -> String {
        let mut out = String::new();
        if let Some(Measured { report, .. }) = self.checkpoints.first() {
            let MeasureReport { samples, scalar, network, .. } = report;
            let samples = samples.unwrap_or_default();
            let _ = writeln!(out, "{samples} samples, {scalar}, {network}\n");
        }
        let headings = ["file", "layer", "step", "UC-NFC", "C-NFC", "DC-NFC", "change"];
        let mut table = Table::new(2, headings);
        for Measured { step, file, report } in &self.checkpoints {
            let step = step.map_or_else(|| "-".to_owned(), |step| step.to_string());
            for NamedLayer { name, measures: layer, .. } in &report.layers {
                let blocks = [&layer.uncentered, &layer.centered, &layer.double_centered];
                let [uc, c, dc] = blocks.map(|block| number(block.cosine, 6));
                let change = number(layer.relative_change, 4);
                table.row([cut(file, 60), cut(name, 20), step.clone(), uc, c, dc, change]);
            }
        }
        out += &table.to_string();
        out.push('\n');
        // Of one network the same is often to be said.
        let notes: std::collections::BTreeSet<&String> =
            self.notes.iter().chain(self.checkpoints.iter().flat_map(|point| &point.report.notes)).collect();
        notes.into_iter().for_each(|note| out += &format!("note: {note}\n"));
        out + "All measures with their bounds, and why one is missing: --json; one row a checkpoint: --csv.\n"
    }

    /// One row a checkpoint, the columns of a layer one after another, numbers in shortest round-trip digits, empty where
    /// undefined.
    ///
    /// # Errors
    /// When the memory cannot be had.
    pub fn csv(&self) -> Result<Vec<u8>> {
        let mut rows = csv::Writer::from_writer(crate::memory::Growing::default());
        let failed = |error: csv::Error| Error::Message(format!("--csv: {error}"));
        let layers = self.checkpoints.first().map_or(0, |point| point.report.layers.len());
        let columns = (0..layers).flat_map(|layer| {
            let blocks = ["uncentered", "centered", "double_centered"]
                .into_iter()
                .flat_map(move |block| KEYS.map(|key| format!("layer{layer}_{block}_{key}")));
            std::iter::once(format!("layer{layer}_relative_change")).chain(blocks)
        });
        let ends = ["step", "file"].map(str::to_owned).into_iter().chain(columns);
        rows.write_record(ends.chain(["digest".to_owned()])).map_err(failed)?;
        let text = |x: Option<f64>| x.map(|x| x.to_string()).unwrap_or_default();
        for Measured { step, file, report } in &self.checkpoints {
            let mut row = vec![step.map(|step| step.to_string()).unwrap_or_default(), file.clone()];
            for LayerReport { relative_change, uncentered, centered, double_centered, .. } in
                report.layers.iter().map(|layer| &layer.measures)
            {
                row.push(text(*relative_change));
                for block in [uncentered, centered, double_centered] {
                    let values = [block.cosine, block.pearson, block.cosine_sqrt, block.pearson_sqrt];
                    row.extend(values.map(text));
                    row.extend([block.inner, block.bound.cosine, block.bound.pearson].map(text));
                }
            }
            row.push(report.digest.clone());
            rows.write_record(row).map_err(failed)?;
        }
        let bytes = rows.into_inner().map_err(|error| Error::Message(format!("--csv: {error}")))?;
        Ok(bytes.0)
    }
}

/// The columns of a block.
const KEYS: [&str; 7] =
    ["cosine", "pearson", "cosine_sqrt", "pearson_sqrt", "inner", "bound_cosine", "bound_pearson"];

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_are_numbers() {
        let cases = [
            ("step_2.safetensors", Some(2)),
            ("step_000010.safetensors", Some(10)),
            ("v2/epoch3-step7.safetensors", Some(7)),
            ("12.safetensors", Some(12)),
            ("a7b.safetensors", Some(7)),
            ("é7é.safetensors", Some(7)),
            ("run3/final.safetensors", None),
            ("step_99999999999999999999.safetensors", None),
        ];
        for (name, expected) in cases {
            assert_eq!(step(Path::new(name)), expected, "{name}");
        }
    }
}
