//! Curves of measurements against steps.

use super::Row;
use super::curves::{Plot, Series, draw};
use super::page::{Figure, Section};
use super::picture::{Picture, number};
use crate::error::Result;

/// Measurements of one training, and what was predicted of it.
#[derive(Debug)]
pub(super) struct Course<'r> {
    pub(super) name: String,
    /// Its colour and mark in every picture.
    pub(super) style: usize,
    pub(super) rows: &'r [Row],
    /// Of the C-NFC of each hidden layer.
    pub(super) forecasts: Vec<Option<Forecast>>,
}

/// C-NFC as training starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forecast {
    pub(super) value: f64,
    /// Its change a step, where the rule follows the gradient flow.
    pub(super) slope: Option<f64>,
}

/// Keys of correlations, their names, what stands in their formula.
pub(super) const MEASURES: [(&str, &str, &str); 3] = [
    ("uncentered", "UC-NFC", "W, K"),
    ("centered", "C-NFC", "W - W₀, K"),
    ("double_centered", "DC-NFC", "W - W₀, K - K₀"),
];

/// Keys of a run's own numbers, their names, whether they take a logarithmic axis.
pub(super) const LOSSES: [(&str, &str, bool); 4] = [
    ("train_loss", "training loss", true),
    ("test_loss", "test loss", true),
    ("test_accuracy", "test accuracy", false),
    ("feature_alignment", "feature alignment", false),
];

/// Points of a curve: no page shows more.
const MOST_POINTS: usize = 2000;

/// Losses, accuracy, alignment.
pub(super) fn losses(courses: &[Course<'_>]) -> Result<Section> {
    let mut pictures = Vec::new();
    for (key, name, logarithmic) in LOSSES {
        let value = |row: &Row| row.values.get(key).copied();
        let shows = (!logarithmic).then_some((0.0, 1.0));
        pictures.extend(picture(&key.replace('_', "-"), name, name, courses, &value, |plot| Plot {
            logarithmic,
            shows,
            ..plot
        })?);
    }
    let caption = "Loss on the samples of the training and on those of the test, a mean over samples, on logarithmic axes where they range \
                   widely; \
                   accuracy where there are classes; feature alignment, the cosine of the first layer's F with the task's \
                   expected gradient outer product, where that is known. Good: the test loss falls with the training loss \
                   and does not turn up again; accuracy and alignment go to 1.";
    Ok(section("losses", "Losses", caption, pictures))
}

/// UC-, C- and DC-NFC of every layer.
pub(super) fn correlations(courses: &[Course<'_>]) -> Result<Section> {
    let mut pictures = Vec::new();
    for layer in 0..hidden(courses) {
        for (block, name, _) in MEASURES {
            let (cosine, bound) = (format!("{block}_cosine"), format!("{block}_bound"));
            let of = |row: &Row, key: &str| row.layers.get(layer)?.get(key).copied();
            let file = format!("{}-layer{layer}", name.to_lowercase());
            let title = format!("{name}, layer {layer}");
            let value = |row: &Row| of(row, &cosine);
            pictures.extend(picture(&file, &title, name, courses, &value, |mut plot| {
                for (series, course) in plot.series.iter_mut().zip(courses) {
                    let defined = course.rows.iter().filter(|row| value(row).is_some());
                    series.bounds = defined.map_while(|row| of(row, &bound)).collect();
                }
                if block == "centered" {
                    let measured = plot.series.len();
                    plot.series.extend(courses.iter().filter_map(|course| forecast(course, layer)));
                    if plot.series.len() > measured {
                        plot.title += "; dashed: predicted";
                    }
                }
                Plot { shows: Some((0.0, 1.0)), ..plot }
            })?);
        }
    }
    let dashed = courses.iter().any(|course| course.forecasts.iter().any(Option::is_some));
    let mut caption = "Neural feature correlations of each hidden layer against steps: UC-NFC, the cosine of WᵀW and WᵀKW; \
                       C-NFC, the same with W - W₀ for W; DC-NFC, also with K - K₀ for K. A band is a proved bound of the \
                       error where one was kept; most are thinner than the line. "
        .to_owned();
    if dashed {
        caption += "Dashed: C-NFC as predicted from the initial weights, its value at the start and, for plain gradient \
                    descent, its slope. ";
    }
    caption += "Good: C-NFC near 1 from the start, which means that the weights move along the gradient outer product; \
                UC-NFC that rises, which means that this movement outgrows the random initial weights; dashed lines that \
                touch the measured ones where they start.";
    Ok(section("correlations", "Neural feature correlations", &caption, pictures))
}

/// Relative change of every layer.
pub(super) fn changes(courses: &[Course<'_>]) -> Result<Section> {
    let mut pictures = Vec::new();
    for layer in 0..hidden(courses) {
        let value = |row: &Row| row.layers.get(layer)?.get("relative_change").copied();
        let title = format!("Relative change, layer {layer}");
        pictures.extend(picture(
            &format!("change-layer{layer}"),
            &title,
            "|W - W₀| / |W|",
            courses,
            &value,
            |plot| Plot { shows: Some((0.0, 0.0)), ..plot },
        )?);
    }
    let caption = "How far the weights of each layer have moved, as a part of their Frobenius norm. Near 0 the layer still \
                   has its random initial features (the lazy regime); good for learning features: a clear rise in the \
                   layers that are to learn them.";
    Ok(section("change", "Relative change", caption, pictures))
}

fn section(id: &'static str, heading: &'static str, caption: &str, pictures: Vec<Picture>) -> Section {
    let caption = caption.to_owned();
    let figures = if pictures.is_empty() { Vec::new() } else { vec![Figure { caption, pictures }] };
    Section { id, heading, figures, ..Section::default() }
}

fn hidden(courses: &[Course<'_>]) -> usize {
    let layers = courses.iter().flat_map(|course| course.rows).map(|row| row.layers.len());
    layers.max().unwrap_or(0)
}

/// A value of every course against steps; `None` where it is nowhere defined.
fn picture(
    file: &str,
    title: &str,
    y: &'static str,
    courses: &[Course<'_>],
    value: &dyn Fn(&Row) -> Option<f64>,
    change: impl FnOnce(Plot) -> Plot,
) -> Result<Option<Picture>> {
    let mut description = format!("{title} against steps.");
    let mut series = Vec::new();
    for course in courses {
        let defined = || course.rows.iter().filter_map(|row| Some((row.step as f64, value(row)?)));
        let every = defined().count().div_ceil(MOST_POINTS).max(1);
        let mut points: Vec<(f64, f64)> = defined().step_by(every).collect();
        if every > 1 {
            points.extend(defined().last());
            description +=
                &format!(" Of {}, one of {every} measurements is drawn, and the last.", course.name);
        }
        if let (Some((x, y)), Some((last_x, last_y))) = (points.first(), points.last()) {
            let (start, end) = (number(*y), number(*last_y));
            description += &format!(" {}: {start} at step {x}, {end} at step {last_x}.", course.name);
        }
        series.push(Series { name: course.name.clone(), style: course.style, points, ..Series::default() });
    }
    let file = format!("report-{file}");
    // The same axis for all, wherever a value is defined.
    let steps = courses.iter().flat_map(|course| course.rows).map(|row| row.step as f64).collect();
    let plot =
        Plot { steps, file, title: title.to_owned(), description, x: "step", y, series, ..Plot::default() };
    draw(&change(plot))
}

/// The start of the predicted curve: no longer than it is a start, and no further than C-NFC can go.
fn forecast(course: &Course<'_>, layer: usize) -> Option<Series> {
    const MOST: f64 = 0.25;
    let Forecast { value, slope } = course.forecasts.get(layer).copied().flatten()?;
    let last = course.rows.last()?.step as f64;
    let end = match slope {
        Some(slope) if slope > 0.0 => (1.05 - value) / slope,
        Some(slope) if slope < 0.0 => MOST / -slope,
        Some(_) => last,
        None => 0.05 * last,
    };
    let end = if end > 0.3 * last { 0.3 * last } else { end };
    let points = vec![(0.0, value), (end, value + slope.unwrap_or(0.0) * end)];
    Some(Series { style: course.style, points, dashed: true, ..Series::default() })
}
