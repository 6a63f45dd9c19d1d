//! Files and options in, samples and labels out: the one way from data files into the program.

use super::bytes::Bytes;
use super::labels::{Column, Labels};
use super::npz::Archive;
use super::options::file_and_array;
use super::source::Part;
use super::{Array, Format, Paths, Reading, Source, cifar, csv, idx, npy};
use crate::error::{Error, Result, quote};
use crate::recognise::{self, Wanted};
use std::path::Path;

/// The role of a set of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Samples for training, measurement or prediction.
    Train,
    /// Samples for the test of a trained network.
    Test,
}

/// A set of samples whose inputs have not been read.
#[derive(Debug)]
pub struct Opened {
    /// Inputs, one row for each sample.
    pub inputs: Source,
    /// Labels, one row for each sample; `None` if no file and no option gives them.
    pub labels: Option<Labels>,
    /// How ambiguous files were interpreted, one clause for each choice.
    pub taken: Vec<String>,
}

/// Names of arrays that are always inputs, and names that are always labels. A test set has its own names.
const INPUTS: [&str; 6] = ["x", "data", "inputs", "images", "features", "samples"];
const LABELS: [&str; 6] = ["y", "label", "labels", "target", "targets", "classes"];

/// Which arrays of a file are read.
#[derive(Clone, Copy)]
struct Want<'r> {
    reading: &'r Reading,
    role: Role,
    /// Whether labels in the same file are read too.
    labels: bool,
}

/// A file of inputs.
struct Held {
    inputs: Part,
    label: Option<Column>,
    names: Option<Vec<String>>,
    taken: Option<String>,
}

/// The samples in the bytes of a whole file of any format, as from [`open`]. `name` is for messages only.
///
/// **Errors** as [`open`].
pub fn parse(name: &Path, bytes: Vec<u8>, reading: &Reading) -> Result<Opened> {
    let mut bytes = Bytes::of(name, bytes).plain()?;
    let format = format(&mut bytes, reading)?;
    let want = Want { reading, role: Role::Train, labels: true };
    let Held { inputs, label, names, taken } = inputs(bytes, format, None, want)?;
    let labels = Labels::new(label.map(|label| (name.to_path_buf(), label)).into_iter().collect())?;
    Ok(Opened { inputs: Source::new(vec![inputs], names)?, labels, taken: taken.into_iter().collect() })
}

/// Opens the files of a set and reads the labels; inputs are read from [`Opened::inputs`].
///
/// **Errors** all that reading can say; options that no file of the set has a use for.
pub fn open(data: &Paths, labels: Option<&Paths>, reading: &Reading, role: Role) -> Result<Opened> {
    let want = Want { reading, role, labels: labels.is_none() };
    let (mut parts, mut columns, mut taken) = (Vec::new(), Vec::new(), Vec::new());
    let mut formats = Vec::new();
    let mut names: Option<Vec<String>> = None;
    for path in data.iter() {
        let (path, array) = file_and_array(path);
        let mut bytes = Bytes::open(&path)?;
        let format = format(&mut bytes, reading)?;
        let held = inputs(bytes, format, array.as_deref(), want)?;
        if parts.is_empty() {
            names = held.names;
        } else if held.names != names {
            return Err(Error::input(path, "row 0", "other names of columns than in the first file"));
        }
        formats.push(format);
        columns.extend(held.label.map(|column| (path, column)));
        taken.extend(held.taken.filter(|new| !taken.contains(new)));
        parts.push(held.inputs);
    }
    if !columns.is_empty() && columns.len() < parts.len() {
        return Err(Error::input(data.first(), "labels", "some files of the set hold labels, others do not"));
    }
    for path in labels.into_iter().flat_map(Paths::iter) {
        let (path, array) = file_and_array(path);
        let mut bytes = Bytes::open(&path)?;
        // The format that is given is that of the inputs.
        let format = match recognised(&mut bytes, &Reading::default()) {
            Ok(Some(format)) => format,
            _ => format(&mut bytes, reading)?,
        };
        let (column, clause) = column(bytes, format, array.as_deref(), want)?;
        formats.push(format);
        columns.push((path, column));
        taken.extend(clause.filter(|new| !taken.contains(new)));
    }
    unused(reading, &formats, labels.is_some())?;
    let inputs = Source::new(parts, names)?;
    if let [_, _, ..] = inputs.shape() {
        let shape: Vec<String> = inputs.shape().iter().map(ToString::to_string).collect();
        taken.push(format!("samples of {} flattened to {} inputs", shape.join(" x "), inputs.dimension()));
    }
    Ok(Opened { inputs, labels: Labels::new(columns)?, taken })
}

/// As [`open`], for a use that needs labels: inputs, labels and what was taken.
///
/// **Errors** when there are none; as [`open`].
pub fn with_labels(
    data: &Paths,
    labels: Option<&Paths>,
    reading: &Reading,
    role: Role,
) -> Result<(Source, Labels, Vec<String>)> {
    let Opened { inputs, labels, taken } = open(data, labels, reading, role)?;
    let Some(labels) = labels else {
        let option = if role == Role::Train { "--labels" } else { "--test-labels" };
        let column = inputs.names().map_or(String::new(), |names| {
            let shown: Vec<String> = names.iter().take(8).map(|name| quote(name)).collect();
            let more = if names.len() > 8 { ", ..." } else { "" };
            format!(", or --label the column: {}{more}", shown.join(", "))
        });
        let reason = format!("none are known: {option} names the file that holds them{column}");
        return Err(Error::input(data.first(), "labels", reason));
    };
    Ok((inputs, labels, taken))
}

/// The same reading; of a table without a named label, the only column of text is that. To say what a file holds is no
/// choice that a computation depends on.
///
/// **Errors** all that reading can say.
pub fn text_as_label(path: &Path, reading: &Reading) -> Result<Reading> {
    let mut reading = reading.clone();
    let (path, _) = file_and_array(path);
    let mut bytes = Bytes::open(&path)?;
    if reading.label.is_none() && recognised(&mut bytes, &reading)? == Some(Format::Csv) {
        let column = csv::text_column(&mut bytes, &reading)?;
        reading.label = column.map(|column| column.to_string());
    }
    Ok(reading)
}

/// An array, and the type of its elements where [`Values`](super::Values) holds their bits alone ([`npy::read_bits`]).
pub(crate) type Bits = (Array, Option<&'static str>);

/// All arrays of a data file by name, without one where the format has none; labels apart from inputs where a file holds
/// both. `None` for a file of no such format.
///
/// **Errors** all that reading can say.
pub(crate) fn arrays(path: &Path, reading: &Reading) -> Result<Option<Vec<(String, Bits)>>> {
    let (path, array) = file_and_array(path);
    let mut bytes = Bytes::open(&path)?;
    let Some(format) = recognised(&mut bytes, reading)? else { return Ok(None) };
    unused(reading, &[format], false)?;
    if reading.label_array.is_some() {
        return Err(Error::Usage(
            "--label-array: a digest is of all arrays, or of the one that --array names".into(),
        ));
    }
    only_archives(&path, format, array.as_deref())?;
    if format == Format::Npy {
        return Ok(Some(vec![(String::new(), npy::read_bits(&mut bytes)?)]));
    }
    if format == Format::Npz {
        let mut archive = Archive::open(bytes)?;
        let names = match array.as_deref().or(reading.array.as_deref()) {
            Some(name) => vec![choose(&archive, &path, Some(name), &[], Role::Train, "--array")?],
            None => archive.names().map(str::to_owned).collect(),
        };
        let read = |name: String| Ok((npy::read_bits(&mut archive.array(&name)?)?, name));
        let arrays: Vec<(Bits, String)> = names.into_iter().map(read).collect::<Result<_>>()?;
        return Ok(Some(arrays.into_iter().map(|(array, name)| (name, array)).collect()));
    }
    let Held { mut inputs, label, .. } =
        inputs(bytes, format, None, Want { reading, role: Role::Train, labels: true })?;
    let inputs = (inputs.array()?, None);
    Ok(Some(match label {
        None => vec![(String::new(), inputs)],
        Some(label) => vec![("inputs".into(), inputs), ("labels".into(), (label.into_array(), None))],
    }))
}

/// The format of data, by option or by content.
fn format(bytes: &mut Bytes, reading: &Reading) -> Result<Format> {
    if let Some(format) = recognised(bytes, reading)? {
        return Ok(format);
    }
    let start = bytes.read(0, bytes.length().min(recognise::ENOUGH))?;
    let path = bytes.path();
    recognise::check(&start, Wanted::Data).map_err(|error| error.in_file(path))?;
    let known: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
    let reason = format!("the format is none that is read ({}); --format says which it is", known.join(", "));
    Err(Error::input(path, "byte 0", reason))
}

fn recognised(bytes: &mut Bytes, reading: &Reading) -> Result<Option<Format>> {
    if bytes.length() == 0 {
        return Err(Error::input(bytes.path(), "byte 0", "the file is empty"));
    }
    if reading.format.is_some() {
        return Ok(reading.format);
    }
    let start = bytes.read(0, bytes.length().min(recognise::ENOUGH))?;
    if start.starts_with(&npy::MAGIC) {
        return Ok(Some(Format::Npy));
    }
    if recognise::is_npz(&start) {
        return Ok(Some(Format::Npz));
    }
    let cifar = cifar::fits(bytes)?;
    match (idx::begins(&start), cifar) {
        (true, true) => {
            let reason = "it may be an IDX file or a CIFAR-10 batch: --format says which";
            Err(Error::input(bytes.path(), "byte 0", reason))
        }
        (true, false) => Ok(Some(Format::Idx)),
        (false, true) => Ok(Some(Format::Cifar10)),
        (false, false) => Ok(recognise::is_table(&start).then_some(Format::Csv)),
    }
}

/// What a file of inputs holds.
fn inputs(mut bytes: Bytes, format: Format, array: Option<&str>, want: Want<'_>) -> Result<Held> {
    let path = bytes.path().to_path_buf();
    only_archives(&path, format, array)?;
    let plain = |inputs| Held { inputs, label: None, names: None, taken: None };
    match format {
        Format::Npy => npy::open(bytes).map(plain),
        Format::Idx => idx::open(bytes).map(plain),
        Format::Cifar10 => {
            let (inputs, labels) = cifar::open(bytes)?;
            let own = if want.labels { "with labels" } else { "whose labels are left out" };
            let taken = Some(format!("CIFAR-10 batches of 3 x 32 x 32 pixels {own}"));
            let label = want.labels.then_some(Column::Numbers(labels));
            Ok(Held { label, taken, ..plain(inputs) })
        }
        Format::Csv => {
            let csv::Table { inputs, label, columns, names, taken } = csv::read(&mut bytes, want.reading)?;
            let inputs = Part::of_table(&path, inputs, columns)?;
            Ok(Held { inputs, label, names, taken: Some(taken) })
        }
        Format::Npz => {
            let mut archive = Archive::open(bytes)?;
            let reading = want.reading;
            let chosen =
                choose(&archive, &path, array.or(reading.array.as_deref()), &INPUTS, want.role, "--array")?;
            let mut taken = format!("inputs from array {}", quote(&chosen));
            let mut label = None;
            if want.labels {
                let others = matching(&archive, &LABELS, want.role).iter().any(|name| *name != chosen);
                if reading.label_array.is_some() || others {
                    let option = reading.label_array.as_deref();
                    let name = choose(&archive, &path, option, &LABELS, want.role, "--label-array")?;
                    label = Some(npy::labels(archive.array(&name)?)?);
                    taken += &format!(", labels from {}", quote(&name));
                }
            }
            Ok(Held { inputs: npy::open(archive.array(&chosen)?)?, label, names: None, taken: Some(taken) })
        }
    }
}

/// The labels in a file of their own.
fn column(
    mut bytes: Bytes,
    format: Format,
    array: Option<&str>,
    want: Want<'_>,
) -> Result<(Column, Option<String>)> {
    let path = bytes.path().to_path_buf();
    only_archives(&path, format, array)?;
    let numbers = |mut part: Part| Ok((Column::Numbers(part.array()?), None));
    match format {
        Format::Npy => Ok((npy::labels(bytes)?, None)),
        Format::Idx => numbers(idx::open(bytes)?),
        Format::Cifar10 => Ok((Column::Numbers(cifar::open(bytes)?.1), None)),
        Format::Csv => csv::labels(&mut bytes, want.reading).map(|(column, taken)| (column, Some(taken))),
        Format::Npz => {
            let mut archive = Archive::open(bytes)?;
            let option = array.or(want.reading.label_array.as_deref());
            let name = choose(&archive, &path, option, &LABELS, want.role, "--label-array")?;
            let labels = npy::labels(archive.array(&name)?)?;
            Ok((labels, Some(format!("labels from array {}", quote(&name)))))
        }
    }
}

/// The arrays whose names are among the obvious ones for a role: `x`, `X_train`, `labels`.
fn matching(archive: &Archive, obvious: &[&str], role: Role) -> Vec<String> {
    let (own, other) = if role == Role::Train { ("train", "test") } else { ("test", "train") };
    let fits = |name: &&str| {
        let name = name.to_lowercase();
        let bare =
            name.strip_suffix(own).or_else(|| name.strip_prefix(own)).unwrap_or(&name).trim_matches('_');
        !name.contains(other) && obvious.contains(&bare)
    };
    archive.names().filter(fits).map(str::to_owned).collect()
}

/// The name of the array that an option names, that is alone, or that has an obvious name.
fn choose(
    archive: &Archive,
    path: &Path,
    named: Option<&str>,
    obvious: &[&str],
    role: Role,
    option: &str,
) -> Result<String> {
    let all: Vec<&str> = archive.names().collect();
    let listed = || {
        let shown: Vec<String> = all.iter().take(16).map(|name| quote(name)).collect();
        shown.join(", ") + if all.len() > 16 { ", ..." } else { "" }
    };
    let wrong = |reason: String| Err(Error::input(path, "arrays", reason));
    if let Some(name) = named {
        return match all.iter().find(|known| **known == name) {
            Some(name) => Ok((*name).to_owned()),
            None => wrong(format!("no array {}: there are {}", quote(name), listed())),
        };
    }
    if let [only] = all.as_slice() {
        return Ok((*only).to_owned());
    }
    match matching(archive, obvious, role).as_slice() {
        [only] => Ok(only.clone()),
        _ => wrong(format!("{option} says which of {}", listed())),
    }
}

/// Refuses an array's name after the name of a file that has no arrays with names.
fn only_archives(path: &Path, format: Format, array: Option<&str>) -> Result<()> {
    match array {
        Some(array) if format != Format::Npz => {
            let reason =
                format!("{} names an array of an .npz archive, this is {}", quote(array), format.name());
            Err(Error::input(path, "arrays", reason))
        }
        _ => Ok(()),
    }
}

/// Refuses options for which the files have no use.
fn unused(reading: &Reading, formats: &[Format], labels: bool) -> Result<()> {
    let Reading { array, label_array, label, separator, header, .. } = reading;
    let (table, archive) = ("a table of text", "an .npz archive");
    for (option, given, format, what) in [
        ("--array", array.is_some(), Format::Npz, archive),
        ("--label-array", label_array.is_some(), Format::Npz, archive),
        ("--label", label.is_some(), Format::Csv, table),
        ("--separator", separator.is_some(), Format::Csv, table),
        ("--header", header.is_some(), Format::Csv, table),
    ] {
        if given && !formats.contains(&format) {
            return Err(Error::Usage(format!("{option}: no data file is {what}")));
        }
    }
    if labels && label.is_some() {
        return Err(Error::Usage("--label and --labels: the labels are a column or a file, not both".into()));
    }
    Ok(())
}
