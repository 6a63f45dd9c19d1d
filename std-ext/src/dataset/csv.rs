//! Tables of text: one sample a row, fields divided by a comma or another separator.
//!
//! A field that is written as a whole number is one; a table with other numbers is `f64`. Every row must have as many
//! fields as the first. Rows and columns count from 0, names left out; lines of the file from 1.

use super::bytes::Bytes;
use super::csv_form::{Form, decimal_comma, number, shown};
use super::labels::{Column, TextClasses};
use super::options::Reading;
use super::{Array, Values};
use crate::error::{Error, Result, quote};
use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// Bytes from which separator and names are told.
const SAMPLE: u64 = 1 << 20;
/// A row of more bytes is a quote that was never closed, or no table.
const LONGEST_ROW: u64 = 1 << 26;
/// Stands after the last byte of a file, as a row of its own unless a quote is open.
const END: &[u8] = b"\n\0\n";
/// Closest names that a refusal shows.
const NEAREST: usize = 5;
const TOO_LARGE: &str = "the table does not fit the memory";
/// Marks UTF-8 at the start of a file.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// A table as read.
#[derive(Debug)]
pub(super) struct Table {
    /// All columns but the labels and row numbers.
    pub(super) inputs: Array,
    /// The column of labels, if one was named.
    pub(super) label: Option<Column>,
    /// Index in the file of each input column.
    pub(super) columns: Vec<usize>,
    /// Names of the input columns, if the first row holds them.
    pub(super) names: Option<Vec<String>>,
    /// How the columns were interpreted, for messages.
    pub(super) taken: String,
}

/// A reader that allows rows of any length and trims blanks around fields.
pub(super) fn builder(separator: u8) -> ::csv::ReaderBuilder {
    let mut builder = ::csv::ReaderBuilder::new();
    builder.delimiter(separator).has_headers(false).flexible(true).trim(::csv::Trim::All);
    builder
}

/// A reader that refuses to fill a row without end.
struct Limited<R> {
    reader: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        let left = self.left.get().checked_sub(read as u64).ok_or_else(|| {
            io::Error::other(format!("a row of more than {LONGEST_ROW} bytes: is a quote never closed?"))
        })?;
        self.left.set(left);
        Ok(read)
    }
}

/// A column of numbers: integers until the first number that is not one.
struct Numbers(Values);

impl Default for Numbers {
    fn default() -> Self {
        Self(Values::Integers(Vec::new()))
    }
}

impl Numbers {
    /// **Errors** the reason why a field is not a finite number.
    fn push(&mut self, field: &str) -> std::result::Result<(), String> {
        if let Values::Integers(whole) = &mut self.0 {
            if let Ok(n) = field.parse() {
                room(whole)?;
                whole.push(n);
                return Ok(());
            }
            let mut floats: Vec<f64> = Vec::new();
            floats.try_reserve(whole.len()).map_err(|_| TOO_LARGE.to_owned())?;
            floats.extend(whole.iter().map(|n| *n as f64));
            self.0 = Values::F64(floats);
        }
        let x = number(field).ok_or_else(|| no_number(field))?;
        if !x.is_finite() {
            return Err(format!("the value is {}", if x.is_nan() { "NaN" } else { "infinite" }));
        }
        if let Values::F64(floats) = &mut self.0 {
            room(floats)?;
            floats.push(x);
        }
        Ok(())
    }
}

fn no_number(field: &str) -> String {
    match field {
        "" => "the field is empty".to_owned(),
        _ if decimal_comma(field) => {
            format!("{} has a decimal comma; numbers are read with a point", quote(field))
        }
        _ => format!("{} is no number", quote(field)),
    }
}

/// A table's columns apart: its inputs, and the one that is named as the label.
///
/// **Errors** at `row R, column C (line L, "name")` for text among the inputs, an empty field, and a row of another
/// length; at `separator`, `header` or `label` for what could be understood in two ways or not at all.
pub(super) fn read(bytes: &mut Bytes, reading: &Reading) -> Result<Table> {
    read_as(bytes, reading, false)
}

/// The labels in a table of their own: its only column, or all of them as numbers; and what was taken for what.
///
/// **Errors** as [`read`].
pub(super) fn labels(bytes: &mut Bytes, reading: &Reading) -> Result<(Column, String)> {
    let Table { inputs, label, taken, .. } = read_as(bytes, reading, true)?;
    Ok((label.unwrap_or(Column::Numbers(inputs)), taken))
}

/// The only column of text in the first rows, which can only be labels.
///
/// **Errors** for what could be understood in two ways.
pub(super) fn text_column(bytes: &mut Bytes, reading: &Reading) -> Result<Option<usize>> {
    let (start, form) = form(bytes, reading)?;
    Ok(form.text_column(&start, bytes.length() <= SAMPLE))
}

/// The form of a table, and its first bytes.
fn form(bytes: &mut Bytes, reading: &Reading) -> Result<(Vec<u8>, Form)> {
    let mut start = bytes.read(0, bytes.length().min(SAMPLE))?;
    if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        return Err(Error::input(bytes.path(), "byte 0", "UTF-16 text: save the table as UTF-8"));
    }
    if start.starts_with(BOM) {
        start.drain(..BOM.len());
    }
    let form = Form::find(&start, bytes.length() <= SAMPLE, reading);
    let form = form.map_err(|reason| Error::input(bytes.path(), "row 0", reason))?;
    Ok((start, form))
}

fn read_as(bytes: &mut Bytes, reading: &Reading, labels: bool) -> Result<Table> {
    let path = bytes.path().to_path_buf();
    let wrong = |place: String, reason: String| Error::input(&path, place, reason);
    let (_, form) = form(bytes, reading)?;
    match rows(bytes, form, reading, labels) {
        Ok((None, _)) => Err(wrong("byte 0".to_owned(), "the file is empty".to_owned())),
        Ok((Some(_), columns)) if columns.rows == 0 => {
            Err(wrong("byte 0".to_owned(), "only names of columns, no samples".to_owned()))
        }
        Ok((Some(layout), columns)) => Ok(layout.table(columns, form)),
        Err(Fail::Label(reason)) => Err(wrong("label".to_owned(), reason)),
        Err(Fail::Row { column, name, row, start, reason }) => {
            // The position of the parser may be before the line ends that precede the row.
            let at = start.byte();
            let left = bytes.read(at, bytes.length().saturating_sub(at).min(SAMPLE))?;
            let ends = left.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
            let line = start.line() + ends.filter(|byte| **byte == b'\n').count() as u64;
            let name = name.map(|name| format!(", {}", quote(&name))).unwrap_or_default();
            let column = column.map(|column| format!(", column {column}")).unwrap_or_default();
            Err(wrong(format!("row {row}{column} (line {line}{name})"), reason))
        }
    }
}

/// What is wrong with a table.
enum Fail {
    /// The requested column does not exist.
    Label(String),
    /// A row, or a field of it.
    Row {
        row: usize,
        column: Option<usize>,
        name: Option<String>,
        /// Position at which the parser started to read the row.
        start: ::csv::Position,
        reason: String,
    },
}

/// Reads all rows; no layout without a first one.
fn rows(
    bytes: &mut Bytes,
    form: Form,
    reading: &Reading,
    labels: bool,
) -> std::result::Result<(Option<Layout>, Columns), Fail> {
    let left = Rc::new(Cell::new(LONGEST_ROW));
    let text = Limited { reader: bytes.cursor().chain(END), left: Rc::clone(&left) };
    let mut reader = builder(form.separator).from_reader(text);
    let mut record = ::csv::ByteRecord::new();
    let mut layout: Option<Layout> = None;
    let mut columns = Columns::default();
    loop {
        left.set(LONGEST_ROW);
        let (row, start) = (columns.rows, reader.position().clone());
        let fail = |column: Option<usize>, name: Option<&String>, reason: String| Fail::Row {
            row,
            column,
            name: name.cloned(),
            start: start.clone(),
            reason,
        };
        reader.read_byte_record(&mut record).map_err(|error| fail(None, None, error.to_string()))?;
        let last = record.iter().next_back().unwrap_or_default();
        if record.len() < 2 && last == b"\0" {
            return Ok((layout, columns));
        }
        if last.ends_with(b"\0") {
            return Err(fail(None, None, "a quote that opens in this row is never closed".to_owned()));
        }
        let first = layout.is_none();
        if first {
            let text = |(column, field)| {
                utf8(field, true).map(str::to_owned).map_err(|reason| fail(Some(column), None, reason))
            };
            let fields: Vec<String> =
                record.iter().enumerate().map(text).collect::<std::result::Result<_, _>>()?;
            let found = Layout::new(&fields, form, reading, labels);
            layout = Some(found.map_err(Fail::Label)?);
            if form.header {
                continue;
            }
        }
        let Some(layout) = &layout else { continue };
        let name = |column: usize| layout.names.as_ref().and_then(|names| names.get(column));
        if record.len() != layout.columns {
            let column = record.len().min(layout.columns);
            let reason = format!("the row has {} fields, the first has {}", record.len(), layout.columns);
            return Err(fail(Some(column), name(column), reason));
        }
        for (column, field) in record.iter().enumerate() {
            let pushed = utf8(field, first).and_then(|field| columns.push(column, field, layout));
            pushed.map_err(|reason| fail(Some(column), name(column), reason))?;
        }
        columns.rows += 1;
    }
}

/// A field as text; the first of a file may have the mark of UTF-8 before it.
fn utf8(field: &[u8], first: bool) -> std::result::Result<&str, String> {
    let field = field.strip_prefix(BOM).filter(|_| first).unwrap_or(field);
    std::str::from_utf8(field).map_err(|_| "not UTF-8 text: save the table as UTF-8".to_owned())
}

/// What the columns are.
struct Layout {
    names: Option<Vec<String>>,
    columns: usize,
    label: Option<usize>,
    /// The first column has no name among names: a row number, or it is refused.
    unnamed: bool,
}

impl Layout {
    /// Of a table whose first row is this; one of `labels` needs no name where it has a single column.
    fn new(
        first: &[String],
        form: Form,
        reading: &Reading,
        labels: bool,
    ) -> std::result::Result<Self, String> {
        let columns = first.len();
        let names = form.header.then(|| first.to_vec());
        let label = reading.label.as_deref().map(|label| match &names {
            Some(names) => named(label, names),
            None => label.parse().ok().filter(|index| *index < columns).ok_or_else(|| {
                format!("no column {}: there are no names, columns are 0 to {}", quote(label), columns - 1)
            }),
        });
        let unnamed = names.as_ref().is_some_and(|names| names.first().is_some_and(String::is_empty));
        let only = (labels && columns == 1 + usize::from(unnamed)).then_some(columns - 1);
        let label = label.transpose()?.or(only);
        Ok(Self { names, columns, label, unnamed: unnamed && label != Some(0) })
    }

    fn is_input(&self, column: usize) -> bool {
        self.label != Some(column) && !(self.unnamed && column == 0)
    }

    fn table(self, read: Columns, form: Form) -> Table {
        let header = if form.header { "names in the first row" } else { "no names in the first row" };
        let mut taken = format!("table divided by {}, {header}", shown(form.separator));
        if let Some(label) = self.label {
            let name = self.names.as_ref().and_then(|names| names.get(label));
            let name = name.map(|name| format!(" {}", quote(name))).unwrap_or_default();
            taken += &format!(", labels in column {label}{name}");
        }
        if self.unnamed {
            taken += ", column 0 without a name is a row number and left out";
        }
        let columns: Vec<usize> = (0..self.columns).filter(|column| self.is_input(*column)).collect();
        let names =
            self.names.as_ref().map(|names| columns.iter().filter_map(|c| names.get(*c).cloned()).collect());
        let shape = vec![read.rows, columns.len()];
        let label = self.label.map(|_| match read.classes.is_empty() {
            true => Column::Numbers(Array { shape: vec![read.rows], values: read.label.0 }),
            false => read.classes.column(),
        });
        Table { inputs: Array { shape, values: read.inputs.0 }, label, columns, names, taken }
    }
}

/// The column that `--label` names: by its name, or by an index where no name is meant.
fn named(label: &str, names: &[String]) -> std::result::Result<usize, String> {
    let mut places = names.iter().enumerate().filter(|(_, name)| *name == label).map(|(column, _)| column);
    let index = label.parse().ok().filter(|index| *index < names.len());
    match (places.next(), places.next(), index) {
        (Some(first), Some(second), _) => {
            Err(format!("columns {first} and {second} both have the name {}", quote(label)))
        }
        (Some(name), None, Some(index)) if name != index => Err(format!(
            "{} is the name of column {name} and the index of another: rename the column, or give {name}",
            quote(label)
        )),
        (Some(column), None, _) | (None, _, Some(column)) => Ok(column),
        (None, _, None) => {
            let mut near: Vec<&String> = names.iter().collect();
            let likeness = |name: &str| strsim::jaro_winkler(&name.to_lowercase(), &label.to_lowercase());
            near.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
            let shown: Vec<String> = near.iter().take(NEAREST).map(|name| quote(name)).collect();
            let more = if names.len() > NEAREST {
                format!(" and {} more", names.len() - NEAREST)
            } else {
                String::new()
            };
            Err(format!("no column has the name {}: there are {}{more}", quote(label), shown.join(", ")))
        }
    }
}

/// Columns while they are read.
#[derive(Default)]
struct Columns {
    rows: usize,
    inputs: Numbers,
    label: Numbers,
    classes: TextClasses,
}

impl Columns {
    fn push(&mut self, column: usize, field: &str, layout: &Layout) -> std::result::Result<(), String> {
        if layout.is_input(column) {
            let hint = match (layout.label, number(field), field) {
                (None, None, other) if !other.is_empty() && !decimal_comma(other) => {
                    "; --label says which column holds labels"
                }
                _ => "",
            };
            return self.inputs.push(field).map_err(|reason| reason + hint);
        }
        if layout.label != Some(column) {
            let counts = field.parse() == Ok(self.rows);
            let reason = "the column has no name and is no row number: give it a name or remove it";
            return if counts { Ok(()) } else { Err(reason.to_owned()) };
        }
        let is_number = number(field).is_some();
        let (texts, numbers) = (!self.classes.is_empty(), !self.label.0.is_empty());
        if field.is_empty() || decimal_comma(field) {
            return Err(no_number(field));
        }
        if (is_number && texts) || (!is_number && numbers) {
            let [found, others] = if is_number { ["a number", "text"] } else { ["text", "numbers"] };
            return Err(format!("the label {} is {found}, those before are {others}", quote(field)));
        }
        if is_number {
            return self.label.push(field);
        }
        self.classes.push(field)
    }
}

/// Room for one more.
fn room<T>(values: &mut Vec<T>) -> std::result::Result<(), String> {
    values.try_reserve(1).map_err(|_| TOO_LARGE.to_owned())
}
