//! Matrices as heat maps. One path for each colour: a rectangle for each entry, as plotting crates draw them, takes ten
//! times the bytes.

use super::picture::{Picture, number};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A square matrix, row-major.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Square {
    pub(super) size: usize,
    pub(super) values: Vec<f64>,
}

/// Matrices of more rows are drawn as means of blocks, ...
pub(super) const MOST_ROWS: usize = 128;
/// ... at most so many a row.
const BLOCKS: usize = 64;
/// Steps from zero to the strongest colour.
const STEPS: i32 = 15;
/// Width of the picture, and height of its title.
const SIDE: u32 = 256;
const TITLE: u32 = 30;

impl Square {
    /// The rows of a block whose mean is one cell.
    pub(super) fn block(&self) -> usize {
        if self.size > MOST_ROWS { self.size.div_ceil(BLOCKS) } else { 1 }
    }

    /// The mean entry of each block.
    fn cells(&self) -> Self {
        let (block, size) = (self.block(), self.size.div_ceil(self.block()));
        let mut sums = vec![(0.0, 0.0); size * size];
        for (row, entries) in self.values.chunks(self.size.max(1)).enumerate() {
            for (column, x) in entries.iter().enumerate() {
                if let Some((sum, count)) = sums.get_mut(row / block * size + column / block) {
                    *sum += x;
                    *count += 1.0;
                }
            }
        }
        Self { size, values: sums.iter().map(|(sum, count)| sum / count).collect() }
    }
}

/// The picture of a matrix, each entry on the scale of the largest.
pub(super) fn draw(file: &str, name: &str, of: &str, matrix: &Square) -> Picture {
    let cells = matrix.cells();
    let largest = cells.values.iter().fold(0.0, |most, x| if x.abs() > most { x.abs() } else { most });
    let mut paths: BTreeMap<i32, String> = BTreeMap::new();
    for (y, row) in cells.values.chunks(cells.size.max(1)).enumerate() {
        let level = |x: &f64| (x / largest * f64::from(STEPS)).round() as i32;
        let mut x = 0;
        for equal in row.chunk_by(|a, b| level(a) == level(b)) {
            let (level, width) = (equal.first().map_or(0, level), equal.len());
            if level != 0 {
                let _ = write!(paths.entry(level).or_default(), "M{x} {y}h{width}v1h-{width}z");
            }
            x += width;
        }
    }
    let scale = f64::from(SIDE - 2) / cells.size.max(1) as f64;
    let title = format!("{name}, largest {}", number(largest));
    let mut drawing =
        format!("<text x=\"2\" y=\"20\" font-family=\"sans-serif\" font-size=\"17\">{title}</text>");
    let _ = write!(
        drawing,
        "<g transform=\"translate(1 {TITLE}) scale({scale})\" shape-rendering=\"crispEdges\">\
         <path fill=\"#ffffff\" d=\"M0 0h{0}v{0}h-{0}z\"/>",
        cells.size
    );
    for (level, path) in paths {
        let _ = write!(drawing, "<path fill=\"{}\" d=\"{path}\"/>", colour(level));
    }
    let side = SIDE - 2;
    drawing +=
        &format!("</g><path fill=\"none\" stroke=\"#888888\" d=\"M1 {TITLE}h{side}v{side}h-{side}z\"/>");
    let mean = match matrix.block() {
        1 => String::new(),
        block => format!(" Each cell is the mean of a block of {block} by {block} entries."),
    };
    let size = matrix.size;
    let description = format!("Heat map of {name} of {of}, {size} by {size}.{mean}");
    Picture::new(file, &format!("{name} of {of}"), &description, (SIDE, SIDE + TITLE), &drawing)
}

/// White at zero; to blue below, to vermilion above, as readers of every colour vision tell them apart.
fn colour(level: i32) -> String {
    let (red, green, blue) = if level < 0 { (0, 114, 178) } else { (213, 94, 0) };
    let mixed = |strong: i32| 255 - (255 - strong) * level.abs() / STEPS;
    format!("#{:02x}{:02x}{:02x}", mixed(red), mixed(green), mixed(blue))
}
