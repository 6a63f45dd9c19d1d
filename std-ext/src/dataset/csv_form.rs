//! The form of a text table: its separator, and whether its first row holds names. Both are determined from the first rows
//! and reported. An ambiguous table is refused until an option decides.

use super::options::Reading;
use crate::error::quote;

/// Possible separators. A space counts only if there is no other, because names and dates contain spaces.
const SEPARATORS: [u8; 5] = [b',', b';', b'\t', b'|', b' '];
/// Number of rows that are examined.
const ROWS: usize = 100;
/// Fields that mean a missing value. None of them is a column name.
const MISSING: [&str; 9] = ["na", "n/a", "nan", "null", "none", "?", "-", "", "missing"];

type Rows = Vec<Vec<String>>;

/// The form of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) separator: u8,
    pub(super) header: bool,
}

/// A field's number, if it is one.
pub(super) fn number(field: &str) -> Option<f64> {
    field.parse().ok()
}

/// Whether a field is a number whose fraction is set off by a comma.
pub(super) fn decimal_comma(field: &str) -> bool {
    field.split_once(',').is_some_and(|(whole, fraction)| {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits(whole.trim_start_matches(['+', '-'])) && digits(fraction)
    })
}

/// The name of a separator in messages.
pub(super) fn shown(separator: u8) -> String {
    match separator {
        b'\t' => "tab".to_owned(),
        b' ' => "space".to_owned(),
        other => format!("'{}'", char::from(other)),
    }
}

impl Form {
    /// The form of a table with these first bytes. `whole`: they are the whole table.
    pub(super) fn find(start: &[u8], whole: bool, reading: &Reading) -> Result<Self, String> {
        let separator = match &reading.separator {
            Some(separator) => separator.byte(),
            None => separator(start, whole)?,
        };
        let rows = rows(start, whole, separator);
        let header = match reading.header {
            Some(header) => header,
            None => header(&rows, reading.label.as_deref())?,
        };
        Ok(Self { separator, header })
    }

    /// The only column of text below the names, where all others hold numbers in the first rows.
    pub(super) fn text_column(self, start: &[u8], whole: bool) -> Option<usize> {
        let rows = rows(start, whole, self.separator);
        let fields = rows.iter().skip(usize::from(self.header)).flat_map(|row| row.iter().enumerate());
        let mut texts: Vec<usize> =
            fields.filter(|(_, field)| number(field).is_none()).map(|(column, _)| column).collect();
        texts.sort_unstable();
        texts.dedup();
        <[usize; 1]>::try_from(texts).ok().map(|[column]| column)
    }
}

/// The first rows as this separator divides them; without a last one that may be cut.
fn rows(start: &[u8], whole: bool, separator: u8) -> Rows {
    let mut reader = super::csv::builder(separator).from_reader(start);
    let records = reader.byte_records().map_while(Result::ok);
    let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
    let mut rows: Rows = records.take(ROWS + 1).map(|record| record.iter().map(text).collect()).collect();
    if rows.len() > ROWS || (!whole && rows.len() > 1) {
        rows.pop();
    }
    rows
}

fn separator(start: &[u8], whole: bool) -> Result<u8, String> {
    let divided = SEPARATORS.map(|separator| (separator, rows(start, whole, separator)));
    let even = |rows: &Rows| {
        let columns = rows.first().map_or(0, Vec::len);
        columns > 1 && rows.iter().all(|row| row.len() == columns)
    };
    let mut fitting: Vec<u8> =
        divided.iter().filter(|(_, rows)| even(rows)).map(|(separator, _)| *separator).collect();
    if fitting.len() > 1 {
        fitting.retain(|separator| *separator != b' ');
    }
    // Commas that divide evenly may be decimal ones.
    let decimal = divided.iter().find(|(separator, rows)| {
        fitting.contains(separator) && rows.iter().skip(1).flatten().any(|field| decimal_comma(field))
    });
    match (fitting.as_slice(), decimal) {
        (_, Some((separator, _))) => Ok(*separator),
        ([separator], None) => Ok(*separator),
        ([], None) => {
            // Uneven rows are told by row: the separator that divides the first row is taken.
            let most = divided.iter().rev().max_by_key(|(_, rows)| rows.first().map_or(0, Vec::len));
            let columns = most.and_then(|(_, rows)| rows.first()).map_or(0, Vec::len);
            Ok(most.filter(|_| columns > 1).map_or(b',', |(separator, _)| *separator))
        }
        (several, None) => {
            let several: Vec<String> = several.iter().map(|separator| shown(*separator)).collect();
            Err(format!("{} divide the rows evenly: --separator says which", several.join(" and ")))
        }
    }
}

/// Whether the first row holds names: text over a column of numbers, or the name of the label.
fn header(rows: &Rows, label: Option<&str>) -> Result<bool, String> {
    let Some((first, rest)) = rows.split_first() else { return Ok(false) };
    if label.is_some_and(|label| number(label).is_none() && first.iter().any(|field| field == label)) {
        return Ok(true);
    }
    if rest.is_empty() {
        // A single row of text is names without samples.
        return Ok(first.iter().all(|field| number(field).is_none()));
    }
    let numbers =
        |column: usize| rest.iter().all(|row| row.get(column).is_some_and(|field| number(field).is_some()));
    let columns: Vec<(usize, &String)> =
        first.iter().enumerate().filter(|(column, _)| numbers(*column)).collect();
    let is_missing = |field: &str| MISSING.contains(&field.to_ascii_lowercase().as_str());
    let named = |field: &str| number(field).is_none() && !is_missing(field) && !decimal_comma(field);
    if columns.iter().any(|(_, field)| named(field)) {
        return Ok(true);
    }
    // Names that are the indices of their columns, as pandas writes, look like a sample.
    let counts = columns.len() > 2 && columns.iter().all(|(column, field)| field.parse() == Ok(*column));
    // A table of text alone: a name, if the first row never comes again where others do.
    let again = |row: &Vec<String>| rest.iter().filter(|other| *other == row).count();
    let title = columns.is_empty() && again(first) == 0 && rest.iter().any(|row| again(row) > 1);
    if counts || title {
        let shown: Vec<String> = first.iter().take(3).map(|field| quote(field)).collect();
        let more = if first.len() > 3 { ", ..." } else { "" };
        return Err(format!(
            "{}{more} begin the table: names of columns or a sample? --header yes or --header no says which",
            shown.join(", ")
        ));
    }
    Ok(false)
}
