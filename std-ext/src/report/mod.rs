//! Runs as a page that one looks at, with a picture of everything that was measured.
//!
//! The page is one HTML file; each picture also stands beside it as an SVG. Equal runs give equal bytes: there are no
//! times, no paths, and ids are counted. Words and numbers from files are escaped by the template crate.

mod computed;
mod course;
mod curves;
mod heat;
mod page;
mod parts;
mod picture;
mod settings;
mod source;
mod tables;

pub use picture::Picture;
pub use source::{Row, RuleSource, Source};

use crate::error::Result;
use crate::file;
use crate::machine::Machine;
use crate::measure::{Block, LayerReport};
use computed::Computed;
use page::{Section, page};
use std::collections::BTreeMap;
use std::path::Path;

/// A page with its pictures.
#[derive(Clone, Debug)]
pub struct Report {
    /// The HTML.
    pub html: String,
    /// The pictures that stand in it.
    pub pictures: Vec<Picture>,
}

/// Name of the page in the folder of a run.
pub const PAGE: &str = "report.html";

/// A run with all that is drawn of it.
struct Shown<'s> {
    source: &'s Source,
    computed: Computed,
    settings: BTreeMap<String, String>,
    /// What tells it from the others; empty for a single run.
    name: String,
}

impl Report {
    /// The report of one run, or of several compared.
    ///
    /// # Errors
    /// As the kernels, and when the memory cannot be had. What needs samples that are not there is left out, and said.
    pub fn of_runs(machine: &Machine, sources: &[Source]) -> Result<Self> {
        let all =
            sources.iter().map(|source| settings::settings(&source.config)).collect::<Result<Vec<_>>>()?;
        let mut runs = Vec::new();
        for ((source, settings), name) in sources.iter().zip(&all).zip(settings::names(&all)) {
            let computed = Computed::new(machine, source)?;
            runs.push(Shown { source, computed, settings: settings.clone(), name });
        }
        let title = match runs.len() {
            1 => "Report of a training run".to_owned(),
            count => format!("Comparison of {count} training runs"),
        };
        let (summary, notes) = parts::head(&runs);
        Ok(Self::new(&title, &summary, &notes, parts::sections(&runs)?))
    }

    /// The course of one network over many checkpoints.
    ///
    /// # Errors
    /// When a picture cannot be drawn.
    pub fn of_course(title: &str, rows: &[Row]) -> Result<Self> {
        Ok(Self::new(title, &[], &[], parts::course_of(rows)?))
    }

    fn new(title: &str, summary: &[String], notes: &[String], sections: Vec<Section>) -> Self {
        let html = page(title, summary, notes, &sections);
        let figures = sections.into_iter().flat_map(|section| section.figures);
        Self { html, pictures: figures.flat_map(|figure| figure.pictures).collect() }
    }

    /// Writes the page, and its pictures beside it.
    ///
    /// # Errors
    /// What cannot be written; each file stands as it was or whole.
    pub fn write(&self, path: &Path) -> Result<()> {
        let folder = file::directory_of(path);
        for picture in &self.pictures {
            file::replace(folder.join(picture.file()), picture.standalone().as_bytes())?;
        }
        file::replace(path, self.html.as_bytes())
    }
}

impl Row {
    /// The measures of a network at a step.
    pub fn new(step: u64, layers: &[LayerReport]) -> Self {
        let layers = layers.iter().map(|layer| {
            let blocks = [
                ("uncentered", &layer.uncentered),
                ("centered", &layer.centered),
                ("double_centered", &layer.double_centered),
            ];
            let numbers = blocks.into_iter().flat_map(|(name, block): (_, &Block)| {
                let numbers =
                    [("cosine", block.cosine), ("pearson", block.pearson), ("bound", block.bound.cosine)];
                numbers.map(|(key, number)| (format!("{name}_{key}"), number))
            });
            let all = numbers.chain([("relative_change".to_owned(), layer.relative_change)]);
            all.filter_map(|(key, number)| Some((key, number?))).collect()
        });
        Self { step, layers: layers.collect(), ..Self::default() }
    }
}
