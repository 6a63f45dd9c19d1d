//! The header of a `.npy` file: magic, version, and a Python dict literal.

use super::elements::{Dtype, Kind};
use crate::error::{ParseError, quote, shape_text};
use crate::recognise::{self, Wanted};

/// The largest number of dimensions in NumPy.
pub(super) const MOST_DIMENSIONS: usize = 64;
/// The longest header that is read, in bytes. NumPy writes about a hundred, and by default reads at most ten thousand.
const LONGEST_HEADER: u64 = 1 << 20;
pub(super) const MAGIC: [u8; 6] = *b"\x93NUMPY";

type Result<T> = std::result::Result<T, ParseError>;

/// Offset and length of the header.
pub(super) struct Preamble {
    start: usize,
    length: usize,
}

impl Preamble {
    /// From the first bytes of a file of `length` bytes; `bytes` holds all of them or at least [`recognise::ENOUGH`].
    pub(super) fn parse(bytes: &[u8], length: u64) -> Result<Self> {
        let ends = |needed: u64| {
            let reason = format!("the file ends after {length} bytes, expected at least {needed}");
            ParseError::new(format!("byte {length}"), reason)
        };
        if length == 0 {
            return Err(ParseError::new("byte 0", "the file is empty, expected an .npy file"));
        }
        recognise::check(bytes, Wanted::Npy)?;
        if let Some((at, (found, expected))) =
            bytes.iter().zip(&MAGIC).enumerate().find(|(_, (found, expected))| found != expected)
        {
            let reason = format!(
                "not an .npy file: byte {found:#04x} where the magic \"\\x93NUMPY\" has {expected:#04x}"
            );
            return Err(ParseError::new(format!("byte {at}"), reason));
        }
        let (Some(&major), Some(&minor)) = (bytes.get(6), bytes.get(7)) else { return Err(ends(10)) };
        let (start, claim) = match (major, minor) {
            (1, 0) => (10, bytes.get(8..10)),
            (2 | 3, 0) => (12, bytes.get(8..12)),
            _ => {
                let reason = format!("version {major}.{minor} is not read; 1.0, 2.0 and 3.0 are");
                return Err(ParseError::new("byte 6", reason));
            }
        };
        let Some(claim) = claim else { return Err(ends(start)) };
        let claim = claim.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        if claim > length - start {
            let reason = format!("the header claims {claim} bytes, {} are left in the file", length - start);
            return Err(ParseError::new("byte 8", reason));
        }
        if claim > LONGEST_HEADER {
            let reason = format!("the header claims {claim} bytes, at most {LONGEST_HEADER} are read");
            return Err(ParseError::new("byte 8", reason));
        }
        // Both fit: the claim is at most 2^20.
        Ok(Self { start: start as usize, length: claim as usize })
    }

    /// Where the header ends and the elements start.
    pub(super) fn end(&self) -> usize {
        self.start + self.length
    }

    /// The header's bytes among the first bytes of the file.
    pub(super) fn header_of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.start..self.end()).unwrap_or_default()
    }
}

impl Dtype {
    /// From NumPy's `descr`.
    fn parse(text: &str, labels: bool) -> Result<Self> {
        let (mark, name) = match text.split_at_checked(1) {
            Some((mark @ ("<" | ">" | "=" | "|"), name)) => (mark, name),
            _ => ("|", text),
        };
        let (kind, size) = match name {
            "f2" => (Kind::Float, 2),
            "f4" => (Kind::Float, 4),
            "f8" => (Kind::Float, 8),
            "i1" => (Kind::Signed, 1),
            "i2" => (Kind::Signed, 2),
            "i4" => (Kind::Signed, 4),
            "i8" => (Kind::Signed, 8),
            "u1" => (Kind::Unsigned, 1),
            "u2" => (Kind::Unsigned, 2),
            "u4" => (Kind::Unsigned, 4),
            "u8" => (Kind::Unsigned, 8),
            "b1" => (Kind::Bool, 1),
            _ if labels && text_length(name).is_some() => {
                let unicode = name.starts_with('U');
                let kind = if unicode { Kind::Unicode } else { Kind::Bytes };
                (kind, text_length(name).unwrap_or_default() * if unicode { 4 } else { 1 })
            }
            // NumPy knows no bfloat16 and stores such arrays as two bytes without a meaning.
            "V2" => {
                let reason = "dtype \"V2\" may be bfloat16, which .npy cannot say: save the array as float32";
                return Err(ParseError::new("header, key \"descr\"", reason));
            }
            _ => {
                let reason = format!(
                    "dtype {} is not read; f2, f4, f8, i1, i2, i4, i8, u1, u2, u4, u8 and b1 are",
                    quote(text)
                );
                return Err(ParseError::new("header, key \"descr\"", reason));
            }
        };
        Ok(Self { kind, size, big_endian: mark == ">" })
    }
}

/// The characters of a text type, `U12` or `S3`.
fn text_length(name: &str) -> Option<usize> {
    const LONGEST: usize = 1 << 16;
    let length = name.strip_prefix(['U', 'S'])?;
    length.parse().ok().filter(|length| (1..=LONGEST).contains(length))
}

/// What the header says, found to agree with the length of the file.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) dtype: Dtype,
    pub(super) fortran: bool,
    pub(super) shape: Vec<usize>,
    /// Product of the shape.
    pub(super) count: usize,
    /// Where the elements start.
    pub(super) data: u64,
}

impl Header {
    /// From the header's bytes; the file has `length` bytes in all. Only `labels` may be text.
    pub(super) fn parse(text: &[u8], preamble: &Preamble, length: u64, labels: bool) -> Result<Self> {
        let mut cursor = Cursor { text, at: 0, base: preamble.start };
        let (mut dtype, mut fortran, mut shape) = (None, None, None);
        cursor.expect(b'{', "the header is not a dict: expected '{'")?;
        while !cursor.accept(b'}') {
            let at = cursor.place();
            let key = cursor.string()?;
            cursor.expect(b':', "expected ':' after a key")?;
            let repeated = match key.as_str() {
                "descr" => dtype.replace(cursor.dtype(labels)?).is_some(),
                "fortran_order" => fortran.replace(cursor.boolean()?).is_some(),
                "shape" => shape.replace(cursor.shape()?).is_some(),
                _ => {
                    let reason =
                        format!("unknown key {}, expected descr, fortran_order and shape", quote(&key));
                    return Err(ParseError::new(at, reason));
                }
            };
            if repeated {
                return Err(ParseError::new(at, format!("the key {} stands twice", quote(&key))));
            }
            if !cursor.accept(b',') {
                cursor.expect(b'}', "expected ',' or '}' after a value")?;
                break;
            }
        }
        if cursor.peek().is_some() {
            return Err(cursor.error("expected nothing after the dict"));
        }
        let missing = |key: &str| ParseError::new("header", format!("the key \"{key}\" is missing"));
        let dtype = dtype.ok_or_else(|| missing("descr"))?;
        let fortran = fortran.ok_or_else(|| missing("fortran_order"))?;
        let shape = shape.ok_or_else(|| missing("shape"))?;
        Self::check(dtype, fortran, &shape, preamble.end() as u64, length)
    }

    /// Compares the size that dtype and shape claim to the bytes from `data` to `length`.
    fn check(dtype: Dtype, fortran: bool, shape: &[u64], data: u64, length: u64) -> Result<Self> {
        let claims = |reason: String| {
            ParseError::new("header, key \"shape\"", format!("shape {}: {reason}", shape_text(shape)))
        };
        let overflows = || claims("the number of bytes overflows 64 bits".to_owned());
        let count = if shape.contains(&0) {
            0
        } else {
            shape.iter().try_fold(1_u64, |product, &n| product.checked_mul(n)).ok_or_else(overflows)?
        };
        let claimed = count.checked_mul(dtype.size as u64).ok_or_else(overflows)?;
        let found = length.saturating_sub(data);
        if found < claimed {
            let reason = format!("the header claims {claimed} bytes of elements, the file has {found}");
            return Err(claims(reason));
        }
        if found > claimed {
            let place = format!("byte {}", data + claimed);
            let reason = format!("{} trailing bytes after the {count} elements", found - claimed);
            return Err(ParseError::new(place, reason));
        }
        let narrow = |n: u64| usize::try_from(n).map_err(|_| claims("too large for this machine".to_owned()));
        let count = narrow(count)?;
        let shape = shape.iter().map(|&n| narrow(n)).collect::<Result<Vec<usize>>>()?;
        Ok(Self { dtype, fortran, shape, count, data })
    }
}

/// Magic, version 1.0 and header, ending at a multiple of 64 bytes. At most [`MOST_DIMENSIONS`] dimensions, which keeps
/// the header far below the 65535 bytes of that version.
pub(super) fn encode(dtype: &str, shape: &[usize]) -> Vec<u8> {
    let dimensions: String = shape.iter().map(|n| format!("{n}, ")).collect();
    // One dimension keeps its comma, `(3,)`, or Python would read a number.
    let dimensions = match shape.len() {
        1 => dimensions.trim_end(),
        _ => dimensions.trim_end_matches(", "),
    };
    let mut header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({dimensions}), }}");
    let unpadded = MAGIC.len() + 4 + header.len() + 1;
    header.extend(std::iter::repeat_n(' ', unpadded.next_multiple_of(64) - unpadded));
    header.push('\n');
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.into_bytes());
    bytes
}

/// Reads the part of Python's literals that NumPy writes: dict, string, `True`, `False`, tuple of integers.
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
    /// Where `text` starts in the file.
    base: usize,
}

impl Cursor<'_> {
    fn place(&mut self) -> String {
        self.peek();
        format!("byte {}", self.base + self.at)
    }

    /// An error at the next byte, which it shows.
    fn error(&mut self, reason: &str) -> ParseError {
        let found = match self.peek() {
            Some(byte) if byte.is_ascii_graphic() => format!("'{}'", char::from(byte)),
            Some(byte) => format!("byte {byte:#04x}"),
            None => "the end of the header".to_owned(),
        };
        ParseError::new(self.place(), format!("{reason}, found {found}"))
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r' | b'\x0c') = self.text.get(self.at) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn accept(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        self.at += usize::from(next);
        next
    }

    fn expect(&mut self, byte: u8, reason: &str) -> Result<()> {
        if self.accept(byte) { Ok(()) } else { Err(self.error(reason)) }
    }

    /// A string without escapes; nothing that is read needs one.
    fn string(&mut self) -> Result<String> {
        let Some(mark @ (b'\'' | b'"')) = self.peek() else {
            return Err(self.error("expected a string"));
        };
        let rest = self.text.get(self.at + 1..).unwrap_or_default();
        let length = rest.iter().take_while(|&&byte| byte != mark).count();
        let (content, after) = rest.split_at_checked(length).unwrap_or_default();
        if after.is_empty() {
            return Err(ParseError::new(self.place(), "the string does not end"));
        }
        if let Some(at) = content.iter().position(|&b| b == b'\\' || b == b'\n') {
            self.at += 1 + at;
            return Err(ParseError::new(
                format!("byte {}", self.base + self.at),
                "escape or line break in a string",
            ));
        }
        // Version 3.0 says UTF-8, the others Latin-1; no name that is read has such characters.
        let content = String::from_utf8_lossy(content).into_owned();
        self.at += length + 2;
        Ok(content)
    }

    fn word(&mut self) -> &[u8] {
        self.peek();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.iter().take_while(|b| b.is_ascii_alphanumeric()).count();
        rest.get(..length).unwrap_or_default()
    }

    fn dtype(&mut self, labels: bool) -> Result<Dtype> {
        if self.peek() == Some(b'[') {
            let reason = "structured dtypes are not read; f4, f8, i1, i2, i4, i8, u1, u2, u4, u8 and b1 are";
            return Err(ParseError::new("header, key \"descr\"", reason));
        }
        Dtype::parse(&self.string()?, labels)
    }

    fn boolean(&mut self) -> Result<bool> {
        let value = match self.word() {
            b"True" => true,
            b"False" => false,
            _ => return Err(self.error("fortran_order is not a bool: expected True or False")),
        };
        self.at += if value { 4 } else { 5 };
        Ok(value)
    }

    fn shape(&mut self) -> Result<Vec<u64>> {
        self.expect(b'(', "shape is not a tuple: expected '('")?;
        let mut shape = Vec::new();
        while !self.accept(b')') {
            if shape.len() == MOST_DIMENSIONS {
                return Err(self.error(&format!("more than {MOST_DIMENSIONS} dimensions")));
            }
            shape.push(self.dimension()?);
            if self.accept(b',') {
                continue;
            }
            self.expect(b')', "expected ',' or ')' in shape")?;
            if shape.len() == 1 {
                let reason = "shape is a number in parentheses, not a tuple; one dimension is written (n,)";
                return Err(ParseError::new(self.place(), reason));
            }
            break;
        }
        Ok(shape)
    }

    fn dimension(&mut self) -> Result<u64> {
        let place = self.place();
        if self.peek() == Some(b'-') {
            return Err(ParseError::new(place, "a dimension is negative"));
        }
        let word = String::from_utf8_lossy(self.word()).into_owned();
        // Python 2 wrote long integers with an L.
        let digits = word.strip_suffix('L').unwrap_or(&word);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(self.error("expected a dimension"));
        }
        let value = digits.parse();
        self.at += word.len();
        value.map_err(|_| ParseError::new(place, format!("the dimension {} exceeds 64 bits", quote(digits))))
    }
}
