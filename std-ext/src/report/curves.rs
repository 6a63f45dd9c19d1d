//! Curves as SVG.
//!
//! Drawn by plotters: of the crates that plot it is the one that writes SVG without fonts, threads or a browser, has
//! logarithmic axes, and gives the same bytes for the same numbers. Its colours are attributes, which a style sheet
//! overrides for dark pages.

use super::picture::{Picture, number};
use crate::error::{Error, Result};
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Okabe and Ito's colours, which readers of every colour vision tell apart; the page turns black into its text's colour.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];
const GREY: RGBColor = RGBColor(136, 136, 136);
const WIDTH: u32 = 480;
const HEIGHT: u32 = 264;
/// Height of a line of text.
const LINE: u32 = 20;
/// Beyond so many points not each has a mark.
const MOST_MARKS: usize = 26;

/// A curve.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    pub(super) name: String,
    /// Colour and mark: curves of one place have the same in all pictures.
    pub(super) style: usize,
    pub(super) points: Vec<(f64, f64)>,
    /// How far each point can be from the truth; none where it is not known.
    pub(super) bounds: Vec<f64>,
    /// A prediction: without marks, dashed.
    pub(super) dashed: bool,
}

/// What is drawn.
#[derive(Clone, Debug, Default)]
pub(super) struct Plot {
    /// Name of the file without its ending; ids are made of it.
    pub(super) file: String,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) x: &'static str,
    pub(super) y: &'static str,
    /// Logarithmic, if all values are positive and range widely.
    pub(super) logarithmic: bool,
    /// What the other axis shows at least.
    pub(super) steps: Vec<f64>,
    /// What the axis of values shows at least.
    pub(super) shows: Option<(f64, f64)>,
    pub(super) series: Vec<Series>,
}

/// The picture; `None` where there is no point.
pub(super) fn draw(plot: &Plot) -> Result<Option<Picture>> {
    let points = || plot.series.iter().flat_map(|series| &series.points);
    if points().next().is_none() {
        return Ok(None);
    }
    let places = points().map(|(x, _)| *x).chain(plot.steps.iter().copied());
    let Some((first_x, last_x)) = range(places) else { return Ok(None) };
    let bounds = plot.series.iter().flat_map(|series| {
        series.points.iter().zip(&series.bounds).flat_map(|((_, y), bound)| [y - bound, y + bound])
    });
    let values = points().map(|(_, y)| *y).chain(bounds);
    let shown = plot.shows.map(|(low, high)| [low, high]);
    let Some((low, high)) = range(values.chain(shown.into_iter().flatten())) else { return Ok(None) };
    let mut body = String::new();
    let lines = plot.series.iter().filter(|series| !series.dashed).count() as u32 + 1;
    let height = HEIGHT + LINE * lines + 4;
    {
        let root = SVGBackend::with_string(&mut body, (WIDTH, height)).into_drawing_area();
        let (head, area) = root.split_vertically(height - HEIGHT);
        legend(&head, plot).map_err(failed)?;
        let mut builder = ChartBuilder::on(&area);
        builder.margin(6).margin_right(16).x_label_area_size(44).y_label_area_size(66);
        // One step alone stands at the left of ten.
        let x = padded(first_x, if last_x > first_x { last_x } else { first_x + 10.0 }, 0.02);
        // Below that a logarithmic axis has hardly a number to show.
        if plot.logarithmic && low > 0.0 && high / low > 4.0 {
            let spread = (high / low).sqrt().sqrt().sqrt().sqrt();
            let (low, high) =
                if low < high { (low / spread, high * spread) } else { (low / 2.0, high * 2.0) };
            let y = (low..high).log_scale().with_key_points(ticks(low, high));
            curves(builder.build_cartesian_2d(x, y).map_err(failed)?, plot)
        } else {
            let y = padded(low, high, 0.04);
            curves(builder.build_cartesian_2d(x, y).map_err(failed)?, plot)
        }
        .map_err(failed)?;
        root.present().map_err(failed)?;
    }
    Ok(Some(Picture::new(&plot.file, &plot.title, &plot.description, (WIDTH, height), &body)))
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Drawn = std::result::Result<(), DrawingAreaErrorKind<std::io::Error>>;

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Message(format!("a picture could not be drawn: {error}"))
}

/// Title and names, each on a line of its own above the curves.
fn legend(area: &Area<'_>, plot: &Plot) -> Drawn {
    let font = |size: u32| ("sans-serif", size).into_font();
    let style = |size| TextStyle::from(font(size)).pos(Pos::new(HPos::Left, VPos::Center));
    let bold = style(21).color(&BLACK);
    area.draw(&Text::new(plot.title.as_str(), (8, 12), bold))?;
    for (series, line) in plot.series.iter().filter(|series| !series.dashed).zip(1_i32..) {
        let y = 11 + line * LINE as i32;
        area.draw(&PathElement::new(vec![(10, y), (32, y)], colour(series.style).stroke_width(2)))?;
        area.draw(&mark(series.style, (21, y)))?;
        area.draw(&Text::new(series.name.as_str(), (38, y), style(19).color(&BLACK)))?;
    }
    Ok(())
}

fn curves<'a, Y>(
    mut chart: ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, Y>>,
    plot: &Plot,
) -> Drawn
where
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let text = || ("sans-serif", 18).into_font().color(&BLACK);
    chart
        .configure_mesh()
        .x_desc(plot.x)
        .y_desc(plot.y)
        .x_labels(6)
        .y_labels(6)
        .x_label_formatter(&|x| number(*x))
        .y_label_formatter(&|y| number(*y))
        .label_style(text())
        .axis_desc_style(text())
        .axis_style(GREY)
        .bold_line_style(GREY.mix(0.3))
        .light_line_style(TRANSPARENT)
        .draw()?;
    for series in &plot.series {
        let colour = colour(series.style);
        if series.dashed {
            let line = series.points.iter().copied();
            chart.draw_series(DashedLineSeries::new(line, 8, 5, colour.stroke_width(2)))?;
            continue;
        }
        if series.bounds.len() == series.points.len() {
            let pairs = || series.points.iter().zip(&series.bounds);
            let upper = pairs().map(|((x, y), bound)| (*x, y + bound));
            let lower = pairs().rev().map(|((x, y), bound)| (*x, y - bound));
            let band: Vec<(f64, f64)> = upper.chain(lower).collect();
            chart.draw_series([Polygon::new(band, colour.mix(0.25).filled())])?;
        }
        chart.draw_series(LineSeries::new(series.points.iter().copied(), colour.stroke_width(2)))?;
        let every = series.points.len().div_ceil(MOST_MARKS).max(1);
        let marked = series
            .points
            .iter()
            .step_by(every)
            .map(|point| EmptyElement::at(*point) + mark(series.style, (0, 0)));
        chart.draw_series(marked)?;
    }
    Ok(())
}

fn colour(style: usize) -> RGBColor {
    COLOURS.get(style % COLOURS.len()).copied().unwrap_or(BLACK)
}

/// A mark of the style: where colours come again, another form goes with them.
fn mark(style: usize, (x, y): (i32, i32)) -> Polygon<(i32, i32)> {
    const FORMS: [&[(i32, i32)]; 4] = [
        &[(-1, -4), (1, -4), (4, -1), (4, 1), (1, 4), (-1, 4), (-4, 1), (-4, -1)],
        &[(0, -5), (5, 4), (-5, 4)],
        &[(-3, -3), (3, -3), (3, 3), (-3, 3)],
        &[(0, -5), (5, 0), (0, 5), (-5, 0)],
    ];
    let form = FORMS.get(style % FORMS.len()).copied().unwrap_or_default();
    let corners: Vec<(i32, i32)> = form.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
    Polygon::new(corners, colour(style).filled())
}

/// Where a logarithmic axis has its numbers: at 1, 2 and 5 times the powers of ten, at these alone where they are many,
/// at few of them where these are.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let exponents = || {
        (-320..=308_i32)
            .filter_map(|exponent| format!("1e{exponent}").parse::<f64>().ok().zip(Some(exponent)))
    };
    let inside = |x: &f64| (low..=high).contains(x);
    let fine: Vec<f64> =
        exponents().flat_map(|(power, _)| [power, 2.0 * power, 5.0 * power]).filter(inside).collect();
    if fine.len() <= 7 {
        return fine;
    }
    let powers = exponents().filter(|(power, _)| inside(power));
    let every = (powers.clone().count() as i32 / 6).max(1);
    powers.filter(|(_, exponent)| exponent % every == 0).map(|(power, _)| power).collect()
}

/// Least and largest of the numbers that are finite.
fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|x| x.is_finite()).fold(None, |range, x| match range {
        None => Some((x, x)),
        Some((low, high)) => Some((if x < low { x } else { low }, if x > high { x } else { high })),
    })
}

fn padded(low: f64, high: f64, part: f64) -> <std::ops::Range<f64> as AsRangedCoord>::CoordDescType {
    let more = if high > low { part * (high - low) } else { 0.5 * high.abs() + 1e-3 };
    (low - more..high + more).into()
}
