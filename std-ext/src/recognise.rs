//! Files of other formats: what they are, by their first bytes, and the way from each to one that is read.

use crate::error::ParseError;

/// First bytes of a file that [`check`] looks at.
pub(crate) const ENOUGH: u64 = 512;

/// The format that a reader wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Weights.
    Safetensors,
    /// One array.
    Npy,
    /// Samples in any format.
    Data,
}

/// Whether these first bytes are those of an archive of arrays.
pub(crate) fn is_npz(start: &[u8]) -> bool {
    start.starts_with(ZIP) && first_entry(start).ends_with(b".npy")
}

/// Whether these first bytes are those of a table of text in any encoding: no control characters, and no other format.
pub(crate) fn is_table(start: &[u8]) -> bool {
    let control =
        |byte: &u8| (byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r')) || *byte >= 0xfe;
    let first = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start().first();
    let known = FORMATS.iter().any(|(magic, ..)| start.starts_with(magic));
    !known && !start.iter().any(control) && !matches!(first, None | Some(b'{' | b'[' | b'<'))
}

const ZIP: &[u8] = b"PK\x03\x04";

/// First bytes, the format that has them, and how to open it. The last text ends with a dot if the file only has to be
/// unpacked or downloaded.
const FORMATS: &[(&[u8], &str, &str)] = &[
    (b"\x93NUMPY", "a .npy file", "load it with numpy.load"),
    (b"PK\x03\x04", "a zip archive, as torch.save writes", "load it in PyTorch"),
    (b"PK\x05\x06", "an empty zip archive", "look for the right file."),
    (b"\x80\x02", "a Python pickle, as older versions of PyTorch write", "load it in Python"),
    (b"\x80\x03", "a Python pickle", "load it in Python"),
    (b"\x80\x04", "a Python pickle", "load it in Python"),
    (b"\x80\x05", "a Python pickle", "load it in Python"),
    (b"\x1f\x8b", "a gzip file", "unpack it with gunzip."),
    (b"\xff\xfe", "UTF-16 text", "save it as UTF-8."),
    (b"\xfe\xff", "UTF-16 text", "save it as UTF-8."),
    (b"BZh", "a bzip2 file", "unpack it with bunzip2."),
    (b"\xfd7zXZ\0", "an xz file", "unpack it with unxz."),
    (b"\x28\xb5\x2f\xfd", "a zstd file", "unpack it with unzstd."),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras and h5py write", "load it in Keras or with h5py"),
    (b"GGUF", "a GGUF file, as llama.cpp writes", "load the model that it was made from"),
    (b"MATLAB 5.0", "a MATLAB file", "load it with scipy.io.loadmat"),
    (b"PAR1", "a Parquet file", "load it with pandas.read_parquet"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image", "load it with Pillow"),
    (b"\xff\xd8\xff", "a JPEG image", "load it with Pillow"),
    (
        b"version https://git-lfs",
        "a Git LFS pointer in place of the file",
        "fetch the file with git lfs pull.",
    ),
];

/// An error that names what the file is and the way out, if its first bytes are those of another format.
pub(crate) fn check(start: &[u8], wanted: Wanted) -> Result<(), ParseError> {
    let start = start.get(..ENOUGH as usize).unwrap_or(start);
    let Some((what, open)) = other_format(start, wanted) else { return Ok(()) };
    let (wanted, save) = match wanted {
        Wanted::Safetensors => {
            ("expected a safetensors file", "save the weights with safetensors.torch.save_file")
        }
        Wanted::Npy => ("not an .npy file", "save the array with numpy.save"),
        Wanted::Data => ("no data that is read", "save the array with numpy.save"),
    };
    let way = open.strip_suffix('.').map_or_else(|| format!("{open} and {save}"), str::to_owned);
    Err(ParseError::new("byte 0", format!("{what}, {wanted}: {way}")))
}

fn other_format(start: &[u8], wanted: Wanted) -> Option<(&'static str, &'static str)> {
    // No other format has a length below 2^24 and a brace after it; a file may be cut before the brace.
    if let [_, _, _, 0, 0, 0, 0, 0] | [_, _, _, 0, 0, 0, 0, 0, b'{', ..] = start {
        return (wanted != Wanted::Safetensors).then_some(("a safetensors file", "load it with safetensors"));
    }
    if let Some((magic, what, open)) = FORMATS.iter().find(|(magic, ..)| start.starts_with(magic)) {
        return match *magic {
            b"\x93NUMPY" if wanted == Wanted::Npy => None,
            b"PK\x03\x04" if first_entry(start).ends_with(b".npy") => {
                Some(("an .npz archive", "load it with numpy.load"))
            }
            _ => Some((what, open)),
        };
    }
    match start {
        _ if start.get(257..262) == Some(b"ustar") => Some(("a tar archive", "unpack it with tar.")),
        [0, 0, 8 | 9 | 11..=14, 1..=4, ..] => Some(("an IDX file, as MNIST has", "load it with torchvision")),
        _ => text(start),
    }
}

/// The name of a zip archive's first file.
fn first_entry(start: &[u8]) -> &[u8] {
    let length =
        start.get(26..28).map_or(0, |bytes| bytes.iter().rev().fold(0, |n, b| n << 8 | usize::from(*b)));
    start.get(30..30 + length).unwrap_or_default()
}

/// UTF-8 without control characters; it may be cut inside a character.
fn text(start: &[u8]) -> Option<(&'static str, &'static str)> {
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(start.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    let text = text.trim_start_matches('\u{feff}');
    if text.contains(|c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
        return None;
    }
    match text.trim_start().chars().next()? {
        '{' => Some(("JSON", "load it in Python")),
        '[' => Some(("JSON or TOML", "load it in Python")),
        '<' => Some(("a web page or XML", "look for the right file.")),
        _ => Some(("text, such as CSV", "load it with numpy.loadtxt")),
    }
}
