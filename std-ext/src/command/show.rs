//! `agop show`.

use super::data::ReadingOptions;
use super::{DONE, write, write_json};
use crate::checkpoint;
use crate::dataset::{self, Paths, Reading, Role, Values};
use crate::error::{Error, Result, Shown, shape_text};
use crate::half;
use crate::notes::{cut, number};
use crate::report::Source;
use crate::table::Table;
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Say what a file or a folder holds: samples or labels, weights, a run
///
/// Of every array: shape, type, least and largest number, how many are NaN or infinite. Of data also what they are as
/// samples and as labels, of weights the network that they make, of a run what it did and how far it came.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  agop show X.npy my.csv\n  agop show runs/0001 runs/0001/gd/final.safetensors"
)]
pub(super) struct Options {
    /// Files of data or weights, folders of runs
    #[arg(id = "data", required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reading: ReadingOptions,
}

#[derive(Serialize)]
struct Report {
    schema: &'static str,
    files: Vec<Content>,
}

/// The content of a file.
#[derive(Serialize)]
struct Content {
    file: String,
    arrays: Vec<Array>,
    /// What the file can be used for, or why it cannot.
    says: Vec<String>,
}

/// One array; what is counted is `None` for a type that is not decoded.
#[derive(Serialize)]
struct Array {
    name: String,
    shape: Vec<usize>,
    dtype: String,
    least: Option<f64>,
    largest: Option<f64>,
    nan: Option<usize>,
    infinite: Option<usize>,
}

impl Array {
    fn new(name: String, shape: Vec<usize>, dtype: String, values: Option<&Values>) -> Self {
        let (mut least, mut largest) = (None, None);
        let (mut nan, mut infinite) = (0, 0);
        for x in values.into_iter().flat_map(Values::floats) {
            if x.is_finite() {
                least = least.filter(|least| *least <= x).or(Some(x));
                largest = largest.filter(|largest| *largest >= x).or(Some(x));
            } else if x.is_nan() {
                nan += 1;
            } else {
                infinite += 1;
            }
        }
        let counted = |count: usize| values.map(|_| count);
        Self { name, shape, dtype, least, largest, nan: counted(nan), infinite: counted(infinite) }
    }
}

/// Of a file of data; `None` if it is none.
fn of_data(path: &Path, reading: &Reading) -> Result<Option<Content>> {
    let reading = &dataset::text_as_label(path, reading)?;
    let Some(found) = dataset::arrays(path, reading)? else { return Ok(None) };
    let (mut arrays, mut says) = (Vec::new(), Vec::new());
    // Why it cannot be opened is said below, array by array.
    let opened = dataset::open(&Paths::from(path), None, reading, Role::Train).ok();
    // Labels of text have names, which their numbers alone do not tell.
    let labels = opened.as_ref().and_then(|opened| opened.labels.as_ref());
    let alone = found.len() == 1;
    for (name, (array, bits)) in found {
        let dtype = bits.unwrap_or(match array.values {
            Values::F32(_) => "F32",
            Values::F64(_) => "F64",
            Values::Integers(_) => "integer",
        });
        let array = match (array.values, bits) {
            (Values::Integers(bits), Some("F16")) => {
                let values = bits.iter().map(|bits| half::binary16(*bits as u16)).collect();
                dataset::Array { values: Values::F32(values), ..array }
            }
            (values, _) => dataset::Array { values, ..array },
        };
        let decoded = bits.is_none_or(|bits| bits == "F16");
        let of = if alone { String::new() } else { format!("{name} ") };
        // Where a file tells inputs from labels, each serves for one thing only.
        if decoded && name != "labels" {
            says.push(match array.matrix::<f64>() {
                Ok((rows, columns, _)) => format!("{of}as samples: {rows} of {columns} numbers"),
                Err(error) => format!("{of}no samples: {error}"),
            });
        }
        if decoded && name != "inputs" {
            let rows = array.shape.first().copied().unwrap_or_default();
            let targets = match labels.filter(|_| name == "labels") {
                Some(labels) => labels.targets::<f64>(rows, None).map_err(|error| error.to_string()),
                None => array.targets::<f64>(rows, None).map_err(|error| error.to_string()),
            };
            says.push(match targets {
                Ok(targets) => format!("{of}as labels: {}", targets.meaning),
                Err(error) => format!("{of}no labels: {error}"),
            });
        }
        let values = Some(&array.values).filter(|_| decoded);
        arrays.push(Array::new(name, array.shape.clone(), dtype.to_owned(), values));
    }
    if let Some(opened) = opened {
        says.extend(opened.inputs.names().map(|names| format!("columns: {}", names.join(", "))));
        says.extend(opened.taken.iter().map(|taken| format!("taken: {taken}")));
    }
    Ok(Some(Content { file: path.display().to_string(), arrays, says }))
}

fn of_weights(path: &Path) -> Result<Content> {
    let network = match checkpoint::read(path) {
        Ok(network) => {
            let widths: Vec<String> = network.widths().iter().map(ToString::to_string).collect();
            let biases = if network.has_bias() { "biases" } else { "no biases" };
            format!("network: widths {}, {biases}, {}", widths.join("-"), network.scalar.name())
        }
        Err(Error::Input { place, reason, .. }) => format!("no network: {place}: {reason}"),
        Err(error) => return Err(error),
    };
    let arrays = checkpoint::describe(path)?.into_iter();
    let arrays = arrays.map(|found| Array::new(found.name, found.shape, found.dtype, found.values.as_ref()));
    Ok(Content { file: path.display().to_string(), arrays: arrays.collect(), says: vec![network] })
}

fn content(path: &Path, reading: &Reading) -> Result<Content> {
    if path.is_dir() {
        let says = Source::read(path)?.says();
        return Ok(Content { file: path.display().to_string(), arrays: Vec::new(), says });
    }
    match of_data(path, reading)? {
        Some(content) => Ok(content),
        None => of_weights(path),
    }
}

pub(super) fn run(options: &Options, output: &mut dyn Write) -> Result<u8> {
    let reading = options.reading.reading();
    let files = options.files.iter().map(|path| content(path, &reading)).collect::<Result<_>>()?;
    let report = Report { schema: "agop.show/1", files };
    if options.json {
        write_json(output, &report)?;
        return Ok(DONE);
    }
    let mut text = String::new();
    for (index, file) in report.files.iter().enumerate() {
        let gap = if index == 0 { "" } else { "\n" };
        text += &format!("{gap}{}\n", Shown(&file.file));
        let mut table = Table::new(3, ["array", "shape", "type", "least", "largest", "NaN", "infinite"]);
        let count = |count: Option<usize>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
        for array in &file.arrays {
            let name = if array.name.is_empty() { "-".to_owned() } else { cut(&array.name, 60) };
            let (least, largest) = (number(array.least, 4), number(array.largest, 4));
            let shape = shape_text(&array.shape);
            let counts = [count(array.nan), count(array.infinite)];
            table.row([name, shape, array.dtype.clone(), least, largest].into_iter().chain(counts));
        }
        if !file.arrays.is_empty() {
            text += &table.to_string();
        }
        file.says.iter().for_each(|line| text += &format!("{}\n", Shown(line)));
    }
    write(output, &text)?;
    Ok(DONE)
}
