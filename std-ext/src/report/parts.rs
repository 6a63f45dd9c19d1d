//! What stands in the page: its sections, with pictures and captions.

use super::computed::{Layer, SEPARATED};
use super::course::{self, Course, Forecast, MEASURES};
use super::curves::{Plot, Series, draw};
use super::heat;
use super::page::{Figure, Section, Table};
use super::source::RuleSource;
use super::{Row, Shown, tables};
use crate::error::Result;
use crate::measure::Block;
use crate::notes::number;
use crate::run::config::RuleName;
use agop_core::correlation::Undefined;

/// Eigenvalues below this part of the largest are not drawn: they are zero but for rounding.
const SMALLEST: f64 = 1e-8;

/// One rule of one run.
pub(super) struct Track<'s> {
    run: &'s Shown<'s>,
    pub(super) rule: &'s RuleSource,
    layers: &'s [Layer],
    pub(super) name: String,
    style: usize,
}

fn tracks<'s>(runs: &'s [Shown<'s>]) -> Vec<Track<'s>> {
    let mut all = Vec::new();
    for run in runs {
        for (index, rule) in run.source.rules.iter().enumerate() {
            let layers = run.computed.rules.get(index).map(Vec::as_slice).unwrap_or_default();
            let name = named(run, rule.rule.name());
            all.push(Track { run, rule, layers, name, style: all.len() });
        }
    }
    all
}

fn named(run: &Shown<'_>, what: &str) -> String {
    if run.name.is_empty() { what.to_owned() } else { format!("{}: {what}", run.name) }
}

/// What the page says first: what ran, and what is missing.
pub(super) fn head(runs: &[Shown<'_>]) -> (Vec<String>, Vec<String>) {
    let (mut summary, mut notes) = (Vec::new(), Vec::new());
    for run in runs {
        let data = run.computed.data.as_ref().map(|data| format!(" Data: {data}.")).unwrap_or_default();
        summary.push(named(run, &(run.source.summary() + "." + &data)));
        notes.extend(run.source.notes.iter().map(|note| named(run, note)));
        if let Some(reason) = &run.computed.missing {
            let text = "Left out are predictions, G, K, spectra of them, leading subspaces and bounds";
            notes.push(named(run, &format!("{reason}. {text}.")));
        }
    }
    if runs.iter().flat_map(|run| &run.source.rules).any(|rule| rule.rule == RuleName::Slo) {
        summary.push("gd is gradient descent, slo Speed Limited Optimization.".to_owned());
    }
    (summary, notes)
}

/// All sections of the report of runs.
pub(super) fn sections(runs: &[Shown<'_>]) -> Result<Vec<Section>> {
    let tracks = tracks(runs);
    let courses: Vec<Course<'_>> = tracks.iter().map(course).collect();
    Ok(vec![
        results(&tracks),
        course::losses(&courses)?,
        course::correlations(&courses)?,
        predictions(runs),
        matrices(&tracks),
        spectra(&tracks)?,
        course::changes(&courses)?,
        tables::measurements(&tracks),
        tables::configuration(runs),
        tables::repeat(),
    ])
}

/// The sections of the course of one network.
pub(super) fn course_of(rows: &[Row]) -> Result<Vec<Section>> {
    let courses = [Course { name: "network".to_owned(), style: 0, rows, forecasts: Vec::new() }];
    let mut table =
        Table { caption: "Every measurement.".to_owned(), words: 0, headings: Vec::new(), rows: Vec::new() };
    tables::fill(&mut table, rows);
    let all = Section {
        id: "measurements",
        heading: "All measurements",
        tables: vec![table],
        ..Section::default()
    };
    Ok(vec![course::correlations(&courses)?, course::changes(&courses)?, all])
}

fn course<'s>(track: &Track<'s>) -> Course<'s> {
    let training = &track.run.source.config.training;
    let forecasts = match &track.run.computed.limit {
        Some(Ok(limit)) => limit.rho.iter().zip(&limit.rate).map(|(value, rate)| {
            // The rate is that of gradient flow, of which a step of plain gradient descent is a piece of known length.
            let plain = track.rule.rule == RuleName::Gd && training.momentum == 0.0 && training.decay == 0.0;
            let slope = rate.ok().filter(|_| plain).map(|rate| rate * training.rate);
            value.ok().map(|value| Forecast { value, slope })
        }),
        _ => {
            return Course {
                name: track.name.clone(),
                style: track.style,
                rows: &track.rule.rows,
                forecasts: Vec::new(),
            };
        }
    };
    Course {
        name: track.name.clone(),
        style: track.style,
        rows: &track.rule.rows,
        forecasts: forecasts.collect(),
    }
}

fn results(tracks: &[Track<'_>]) -> Section {
    let mut ends = Table::new(1, "Where each training ended.", &["training", "step"]);
    ends.headings.extend(course::LOSSES.iter().map(|(_, name, _)| (*name).to_owned()));
    let caption = "The hidden layers there. The first numbers are those of the training, in its scalar. The others are \
                   measured again in f64, each with a proved bound of its error (? where there is none); a dash \
                   where a correlation is undefined or there are no samples.";
    let mut layers = Table::new(1, caption, &["training", "layer", "shape"]);
    layers.headings.extend(MEASURES.iter().map(|(_, name, _)| (*name).to_owned()));
    layers.headings.push("change".to_owned());
    layers.headings.extend(MEASURES.iter().map(|(_, name, _)| format!("{name} in f64")));
    for track in tracks {
        let Some(row) = track.rule.rows.last() else { continue };
        let values = course::LOSSES.iter().map(|(key, ..)| number(row.values.get(*key).copied(), 6));
        ends.rows.push([track.name.clone(), row.step.to_string()].into_iter().chain(values).collect());
        for (layer, measures) in row.layers.iter().enumerate() {
            let shape = track.rule.initial.as_ref().and_then(|network| network.layers.get(layer));
            let shape =
                shape.map_or_else(|| "-".to_owned(), |layer| format!("{}x{}", layer.outputs, layer.inputs));
            let mut cells = vec![track.name.clone(), layer.to_string(), shape];
            let keys = MEASURES.iter().map(|(block, ..)| format!("{block}_cosine"));
            let keys = keys.chain(["relative_change".to_owned()]);
            cells.extend(keys.map(|key| number(measures.get(&key).copied(), 6)));
            let again = track.layers.get(layer).and_then(|layer| layer.measures.as_ref());
            let blocks = again.map(|again| [&again.uncentered, &again.centered, &again.double_centered]);
            let shown = |block: &Block| {
                let bound = block.bound.cosine.map_or_else(|| "?".to_owned(), |bound| format!("{bound:.0e}"));
                let cosine = block.cosine.map(|x| format!("{} ± {bound}", number(Some(x), 6)));
                cosine.unwrap_or_else(|| "-".to_owned())
            };
            match blocks {
                Some(blocks) => cells.extend(blocks.map(shown)),
                None => cells.extend(MEASURES.map(|_| "-".to_owned())),
            }
            layers.rows.push(cells);
        }
    }
    Section { id: "results", heading: "Results", tables: vec![ends, layers], ..Section::default() }
}

fn predictions(runs: &[Shown<'_>]) -> Section {
    let caption = "C-NFC before training: predicted as t goes to 0 at the initial weights, its rate a unit of gradient-flow \
                   time (for plain gradient descent: a step times the step size), and after one small step of gradient \
                   descent, predicted and measured. Good: the last two agree, and the first measurement of the training \
                   is near them.";
    let headings = [
        "run",
        "layer",
        "predicted",
        "rate",
        "predicted at a small step",
        "measured there",
        "first measured",
    ];
    let mut table = Table::new(1, caption, &headings);
    let mut text = Vec::new();
    for run in runs {
        let limit = match &run.computed.limit {
            Some(Ok(limit)) => limit,
            Some(Err(reason)) => {
                text.push(named(run, &format!("no prediction: {reason}")));
                continue;
            }
            None => continue,
        };
        for layer in 0..limit.rho.len() {
            let of =
                |all: &[std::result::Result<f64, Undefined>]| number(all.get(layer).and_then(|x| x.ok()), 6);
            let first = run.source.rules.first().and_then(|rule| {
                rule.rows
                    .iter()
                    .find_map(|row| Some((row.step, *row.layers.get(layer)?.get("centered_cosine")?)))
            });
            let first = first
                .map_or_else(|| "-".to_owned(), |(step, x)| format!("{} at step {step}", number(Some(x), 6)));
            let name = if run.name.is_empty() { "this run" } else { &run.name };
            let (expected, measured) = (of(&limit.expected), of(&limit.measured));
            let cells = [
                name.to_owned(),
                layer.to_string(),
                of(&limit.rho),
                of(&limit.rate),
                expected,
                measured,
                first,
            ];
            table.rows.push(cells.into());
        }
    }
    let tables = if table.rows.is_empty() { Vec::new() } else { vec![table] };
    Section {
        id: "predictions",
        heading: "Predictions from before training",
        text,
        tables,
        ..Section::default()
    }
}

fn matrices(tracks: &[Track<'_>]) -> Section {
    let mut figures = Vec::new();
    for track in tracks {
        for (index, layer) in track.layers.iter().enumerate() {
            let of = format!("layer {index}, {}", track.name);
            let file = |name: &str| format!("report-map-{}-layer{index}-{name}", track.style);
            let mut pictures: Vec<_> = layer
                .maps
                .iter()
                .zip(["f", "g", "root"])
                .map(|((name, matrix), short)| heat::draw(&file(short), name, &of, matrix))
                .collect();
            let truth = track.run.computed.truth.as_ref().filter(|_| index == 0);
            pictures.extend(truth.map(|truth| heat::draw(&file("truth"), "true G", &of, truth)));
            let block = layer.maps.first().map_or(1, |(_, matrix)| matrix.block());
            let mut caption = format!(
                "{}, layer {index} after training: F = WᵀW, the average gradient outer product G = WᵀKW and its root",
                track.name
            );
            caption +=
                if truth.is_some() { ", and the task's expected gradient outer product." } else { "." };
            if layer.maps.len() == 1 {
                caption = format!("{}, layer {index} after training: F = WᵀW.", track.name);
            }
            if block > 1 {
                caption += &format!(" Each cell is one of the block means of {block} by {block} entries.");
            }
            caption += " Blue is negative, white zero, vermilion positive, each on the scale of its largest cell. \
                        Good: the pictures look alike; then the weights have the features that the gradients ask for.";
            figures.push(Figure { caption, pictures });
        }
    }
    Section { id: "matrices", heading: "Feature matrices", figures, ..Section::default() }
}

fn spectra(tracks: &[Track<'_>]) -> Result<Section> {
    let caption = "Leading subspaces of F and G: cosines of the principal angles between their first r eigenvectors, r \
                   the least of outputs, units and inputs. Good: all near 1. A gap is eigenvalue r less eigenvalue r + 1, \
                   as a part of the largest; where it is below a thousandth they are not separated, and the subspace is \
                   one of many.";
    let headings = ["training", "layer", "r", "cosines", "gap of F", "gap of G", "separated"];
    let mut table = Table::new(1, caption, &headings);
    let mut pictures = Vec::new();
    for track in tracks {
        for (index, layer) in track.layers.iter().enumerate() {
            let mut series = Vec::new();
            for (style, (name, values)) in layer.spectra.iter().enumerate() {
                let largest = values.first().copied().unwrap_or_default();
                let parts =
                    values.iter().zip(1_u32..).map(|(value, place)| (f64::from(place), value / largest));
                let points = parts.filter(|(_, part)| *part >= SMALLEST).collect();
                series.push(Series { name: (*name).to_owned(), style, points, ..Series::default() });
            }
            pictures.extend(draw(&Plot {
                file: format!("report-spectrum-{}-layer{index}", track.style),
                title: format!("Spectra of layer {index}, {}", track.name),
                description: "Eigenvalues against their index, each as a part of the largest.".to_owned(),
                x: "index",
                y: "part of the largest",
                logarithmic: true,
                steps: Vec::new(),
                shows: Some((SMALLEST, 1.0)),
                series,
            })?);
            let Some(angles) = &layer.angles else { continue };
            let cosines: Vec<String> = angles.cosines.iter().take(12).map(|x| number(Some(*x), 4)).collect();
            let more = if angles.cosines.len() > 12 { ", ..." } else { "" };
            let gap = |gap: Option<f64>| gap.map_or_else(|| "none".to_owned(), |gap| number(Some(gap), 4));
            let [f, g] = angles.gaps;
            let close: Vec<&str> = [("F", f), ("G", g)]
                .into_iter()
                .filter(|(_, gap)| gap.is_some_and(|gap| gap < SEPARATED))
                .map(|(name, _)| name)
                .collect();
            let separated =
                if close.is_empty() { "yes".to_owned() } else { format!("not in {}", close.join(" and ")) };
            let (name, rank) = (track.name.clone(), angles.cosines.len().to_string());
            let cosines = cosines.join(", ") + more;
            table.rows.push(vec![name, index.to_string(), rank, cosines, gap(f), gap(g), separated]);
        }
    }
    let caption = "Eigenvalues of F, K and G after training, each spectrum as parts of its largest, down to 1e-8. Good: F \
                   falls where G falls, so that the layer keeps the directions that the outputs depend on; where G \
                   falls at once, few directions matter."
        .to_owned();
    let figures = if pictures.is_empty() { Vec::new() } else { vec![Figure { caption, pictures }] };
    let tables = if table.rows.is_empty() { Vec::new() } else { vec![table] };
    Ok(Section {
        id: "spectra",
        heading: "Spectra and leading subspaces",
        figures,
        tables,
        ..Section::default()
    })
}
