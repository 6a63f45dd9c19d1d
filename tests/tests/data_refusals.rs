//! Data that cannot be read, or that could be read in two ways: exit 2, one line with file, place and reason, no output.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use agop_tests::command::{agop, fixture};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Name of a file, its bytes, options, and the place and reason that are said.
type Case<'c, B> = (&'c str, B, &'c [&'c str], &'c str, &'c str);

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }

    /// A run on this file is refused by a line that begins with it.
    fn refused(&self, file: &str, more: &[&str], place: &str, reason: &str) {
        let line = self.line(file, more);
        assert!(line.starts_with(&format!("agop: {file}: {place}: ")), "{more:?}\n{line}{place}");
        assert!(line.contains(reason), "{more:?}\n{line}{reason}");
    }

    fn line(&self, file: &str, more: &[&str]) -> String {
        let out = self.0.path().join("run").display().to_string();
        let answer = agop(
            &[&["train", "--steps", "1", "--hidden", "2", "--out", &out, "--data", file], more].concat(),
        );
        assert_eq!((answer.code, answer.output.as_str()), (2, ""), "{more:?}: {answer:?}");
        assert_eq!(answer.messages.lines().count(), 1, "{answer:?}");
        assert!(!Path::new(&out).exists());
        answer.messages
    }
}

#[test]
fn tables() {
    let files = Files::new();
    let label: &[&str] = &["--label", "k"];
    let cases: &[Case<'_, &[u8]>] = &[
        ("empty", b"", label, "byte 0", "the file is empty"),
        ("names", b"a,b,k\n", label, "byte 0", "only names of columns"),
        ("text", b"a,k\n1,0\nx,1\n", label, "row 1, column 0 (line 3, \"a\")", "\"x\" is no number"),
        (
            "no-label",
            b"a,k\n1,x\n2,y\n",
            &[],
            "row 0, column 1 (line 2, \"k\")",
            "--label says which column holds labels",
        ),
        (
            "short",
            b"a,b,k\n1,2,0\n1,2\n",
            label,
            "row 1, column 2 (line 3, \"k\")",
            "2 fields, the first has 3",
        ),
        ("long", b"a,b,k\n1,2,0\n1,2,3,4\n", label, "row 1, column 3 (line 3)", "4 fields, the first has 3"),
        (
            "hole",
            b"a,b,k\r\n1,2,0\r\n1,,0\r\n",
            label,
            "row 1, column 1 (line 3, \"b\")",
            "the field is empty",
        ),
        ("no-class", b"a,k\n1,x\n1,\n", label, "row 1, column 1 (line 3, \"k\")", "the field is empty"),
        ("nan", b"k,a,b\n0,1,2\n1,2,nan\n", label, "row 1, column 2 (line 3, \"b\")", "the value is NaN"),
        ("infinite", b"k,a\n0,-inf\n", label, "row 0, column 1 (line 2, \"a\")", "the value is infinite"),
        ("large", b"k,a\n0,1\n1,1e300\n0,1\n1,1\n0,1\n", label, "row 1, column 1", "overflows f32"),
        ("missing", b"1,NA,0\n1,2,1\n", &["--label", "2"], "row 0, column 1 (line 1)", "\"NA\" is no number"),
        (
            "mixed",
            b"a,k\n1,0\n2,unknown\n",
            label,
            "row 1, column 1 (line 3, \"k\")",
            "is text, those before are numbers",
        ),
        (
            "open",
            b"a,k\n1,0\n\"2,1\n3,0\n",
            label,
            "row 1 (line 3)",
            "a quote that opens in this row is never closed",
        ),
        ("comma", b"a;k\n1,5;0\n", label, "row 0, column 0 (line 2, \"a\")", "\"1,5\" has a decimal comma"),
        (
            "comma-no-names",
            b"1,5;2,5\n3,5;4,5\n",
            &["--label", "1"],
            "row 0, column 0 (line 1)",
            "decimal comma",
        ),
        (
            "separators",
            b"1\t2|3\n4\t5|6\n",
            &["--label", "1"],
            "row 0",
            "tab and '|' divide the rows evenly: --separator",
        ),
        ("counted", b"0,1,2\n5,6,7\n8,9,7\n", &["--label", "2"], "row 0", "--header yes or --header no"),
        ("title", b"cls\ncat\ndog\ncat\n", &["--label", "0"], "row 0", "--header yes or --header no"),
        (
            "both",
            b"1,b,k\n3,4,0\n",
            &["--label", "1"],
            "label",
            "is the name of column 0 and the index of another",
        ),
        ("twice", b"a,k,k\n1,0,1\n", label, "label", "columns 1 and 2 both have the name \"k\""),
        (
            "near",
            b"size,kind,a,b,c,d,e\n1,x,1,1,1,1,1\n2,y,1,1,1,1,1\n",
            &["--label", "Kind "],
            "label",
            "there are \"kind\", ",
        ),
        ("index", b"1,2,0\n3,4,1\n", &["--label", "3"], "label", "columns are 0 to 2"),
        (
            "no-name",
            b",a,k\n7,1,0\n8,2,1\n",
            label,
            "row 0, column 0 (line 2, \"\")",
            "no name and is no row number",
        ),
        ("alone", b"k\n1\n2\n", label, "shape (2, 0)", "there are no columns"),
        ("latin", b"gr\xf6\xdfe,k\n1,0\n", label, "row 0, column 0 (line 1)", "not UTF-8"),
        ("utf16", b"\xff\xfea\0,\0k\0\n\0", label, "byte 0", "UTF-16 text"),
        ("negative", b"a,k\n1,0\n2,-1\n3,1\n", label, "row 1", "class -1"),
    ];
    for (name, bytes, more, place, reason) in cases {
        files.refused(&files.write(name, bytes), more, place, reason);
    }
    let huge = [b"a,k\n1,\"".to_vec(), vec![b'x'; 70 << 20]].concat();
    files.refused(&files.write("huge", huge), label, "row 0 (line 2)", "a row of more than 67108864 bytes");
    let wide: String = (0..65_537).map(|i| format!("1,c{i}\n")).collect();
    files.refused(
        &files.write("classes", format!("a,k\n{wide}")),
        label,
        "row 65536, column 1 (line 65538, \"k\")",
        "one class more than 65536",
    );
}

#[test]
fn options_without_a_use() {
    let files = Files::new();
    let (x, y) = (fixture("formats/digits.x.npy"), fixture("formats/digits.y.npy"));
    let table = files.write("table", "a,k\n1,0\n2,1\n");
    let labels = ["--labels", &y];
    for (data, more, reason) in [
        (&x, &["--array", "x"][..], "--array: no data file is an .npz archive"),
        (&x, &["--label-array", "x"], "--label-array: no data file is an .npz archive"),
        (&x, &["--label", "0"], "--label: no data file is a table"),
        (&x, &["--separator", ";"], "--separator: no data file is a table"),
        (&x, &["--header", "no"], "--header: no data file is a table"),
        (&table, &["--label", "k"], "the labels are a column or a file, not both"),
        (&table, &["--separator", "ab"], "expected one character"),
        (&table, &["--format", "xlsx"], "invalid value 'xlsx'"),
    ] {
        let line = files.line(data, &[&labels, more].concat());
        assert!(line.contains(reason), "{line}");
    }
    let line = files.line(&x, &["--labels", &y, "--test-labels", &y]);
    assert!(line.contains("--test-data"), "{line}");
    files.refused(&x, &[], "labels", "none are known: --labels names the file");
    let named = format!("{x}:images");
    let line = files.line(&named, &labels);
    assert!(
        line.starts_with(&format!("agop: {x}: arrays: \"images\" names an array of an .npz archive")),
        "{line}"
    );
}

/// A zip archive of stored entries, written here so that any field can lie.
fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        let (length, name_length) = ((content.len() as u32).to_le_bytes(), (name.len() as u16).to_le_bytes());
        let crc = crc32(content).to_le_bytes();
        let common =
            [&[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &crc, &length, &length, &name_length, &[0, 0]].concat();
        let offset = (bytes.len() as u32).to_le_bytes();
        directory.extend([b"PK\x01\x02\x14\0", &common[..], &[0; 10], &offset, name.as_bytes()].concat());
        bytes.extend([b"PK\x03\x04", &common[..], name.as_bytes(), content].concat());
    }
    let count = (entries.len() as u16).to_le_bytes();
    let (start, length) = ((bytes.len() as u32).to_le_bytes(), (directory.len() as u32).to_le_bytes());
    [&bytes, &directory, &b"PK\x05\x06\0\0\0\0"[..], &count, &count, &length, &start, &[0, 0]].concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    let bit = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), bit))
}

#[test]
fn archives() {
    let files = Files::new();
    let x = fs::read(fixture("formats/wine.x.npy")).unwrap();
    let y = fixture("formats/wine.y.npy");
    let labels = ["--labels", &y];
    let place_of = |bytes: &[u8], mark: &[u8], number: usize| {
        let places = bytes.windows(mark.len()).enumerate().filter(|(_, window)| *window == mark);
        places.map(|(at, _)| at).nth(number).unwrap()
    };
    let changed = |bytes: &[u8], entry: usize, at: usize, new: &[u8]| {
        let at = place_of(bytes, b"PK\x01\x02", entry) + at;
        [&bytes[..at], new, &bytes[at + new.len()..]].concat()
    };
    let good = zip(&[("x.npy", &x)]);
    let two = zip(&[("x.npy", &x), ("z.npy", &x)]);
    let cases: Vec<(&str, Vec<u8>, &str, &str)> = vec![
        (
            "claim",
            changed(&good, 0, 24, &[0xf0, 0xff, 0xff, 0xf]),
            "array \"x\"",
            "2624 bytes came out, the directory claims 268435440",
        ),
        ("large-claim", changed(&good, 0, 24, &[0xf0, 0xff, 0xff, 0xff]), "zip", "claim 4294967280 bytes"),
        ("past-the-end", changed(&good, 0, 20, &[0xf0, 0xff, 0xff, 0xf]), "byte 35", "the file ends after"),
        ("overlap", changed(&two, 1, 42, &[0; 4]), "zip", "the entries \"x.npy\" and \"z.npy\" overlap"),
        ("same-name", zip(&[("x.npy", &x), ("x.npy", &x)]), "zip", "two entries have the name \"x.npy\""),
        ("checksum", changed(&good, 0, 16, &[1, 2, 3, 4]), "array \"x\"", "the checksum"),
        ("method", changed(&good, 0, 10, &[93, 0]), "array \"x\"", "compression method 93 is not read"),
        ("deflated", changed(&good, 0, 10, &[8, 0]), "array \"x\"", ""),
        ("cut", good[..good.len() - 30].to_vec(), "zip", ""),
        (
            "ambiguous",
            zip(&[("x.npy", &x), ("data.npy", &x)]),
            "arrays",
            "--array says which of \"x\", \"data\"",
        ),
        (
            "unnamed",
            zip(&[("arr_0.npy", &x), ("arr_1.npy", &x)]),
            "arrays",
            "--array says which of \"arr_0\", \"arr_1\"",
        ),
    ];
    for (name, bytes, place, reason) in cases {
        files.refused(&files.write(name, bytes), &labels, place, reason);
    }
    let two = files.write("two", two);
    files.refused(
        &two,
        &[&labels[..], &["--array", "X"]].concat(),
        "arrays",
        "no array \"X\": there are \"x\", \"z\"",
    );
    let cut = files.write("cut-inside", zip(&[("x.npy", b"\x93NUMPY\x01\0")]));
    assert!(
        files.line(&cut, &labels).starts_with(&format!("agop: {cut}:x: byte 8: the file ends after 8 bytes"))
    );
    let alone = files.write("alone", zip(&[("y.npy", &x)]));
    files.refused(&alone, &[], "labels", "none are known");
    let other = files.write("other", zip(&[("a.txt", b"")]));
    files.refused(&other, &[&labels[..], &["--format", "npz"]].concat(), "zip", "no array among its entries");
    // What is said of the member is said of the right file.
    let good = files.write("good", good);
    let line = files.line(&good, &["--labels", &fixture("formats/digits.y.npy")]);
    assert!(line.contains("40 rows of labels for 24 samples"), "{line}");
}

#[test]
fn images_and_compressed_files() {
    let files = Files::new();
    let y = fixture("formats/digits.y.npy");
    let labels: &[&str] = &["--labels", &y];
    let idx = fs::read(fixture("formats/digits.images.idx")).unwrap();
    let dimensions = |n: u32| [&[0, 0, 8, 3], &n.to_be_bytes().repeat(3)[..], &[0; 8]].concat();
    let cifar = fs::read(fixture("formats/cifar.1.bin")).unwrap();
    let label = [&cifar[..3073], &[10], &cifar[1..3073]].concat();
    let gz = fs::read(fixture("formats/digits.x.npy.gz")).unwrap();
    let cifar10: &[&str] = &["--format", "cifar10"];
    let as_idx = [labels, &["--format", "idx"]].concat();
    let cases: Vec<Case<'_, Vec<u8>>> = vec![
        (
            "short-idx",
            idx[..idx.len() - 1].to_vec(),
            labels,
            "byte 4",
            "claim 2560 bytes of elements, the file has 2559",
        ),
        ("long-idx", [&idx[..], &[0]].concat(), labels, "byte 4", "the file has 2561"),
        ("overflow", dimensions(u32::MAX), labels, "byte 4", "claim more than 2^64 bytes"),
        ("huge-idx", dimensions(1 << 20), labels, "byte 4", "claim 1152921504606846976 bytes"),
        ("type", vec![0, 0, 7, 1, 0, 0, 0, 0], &as_idx, "byte 2", "the element type 0x07"),
        ("none", vec![0, 0, 8, 0], &as_idx, "byte 3", "no dimensions"),
        ("cut-idx", idx[..7].to_vec(), labels, "byte 4", "the file ends after 7 bytes"),
        ("label", label, cifar10, "byte 3073", "the label 10, CIFAR-10 has 0 to 9"),
        (
            "short-cifar",
            cifar[..3074].to_vec(),
            cifar10,
            "byte 3073",
            "3074 bytes are not a number of CIFAR-10 records",
        ),
        ("unknown", cifar[..3074].to_vec(), labels, "byte 0", "--format says which"),
        ("cut-gzip", gz[..gz.len() - 9].to_vec(), labels, "gzip", "damaged or cut"),
        ("gzip-checksum", [&gz[..gz.len() - 8], &[0; 8]].concat(), labels, "gzip", "damaged or cut"),
    ];
    for (name, bytes, more, place, reason) in cases {
        files.refused(&files.write(name, bytes), more, place, reason);
    }
    let zeros = files.write("zeros", zeros(300 << 20));
    assert!(fs::metadata(&zeros).unwrap().len() < 2 << 20);
    files.refused(&zeros, labels, "gzip", "unpack to more than 268435456");
}

/// A gzip file of zeros: a fixed block that repeats one byte in runs of 258.
fn zeros(count: usize) -> Vec<u8> {
    let (mut bits, mut bytes) = ((0_u64, 0), b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec());
    let mut put = |value: u64, length: u32| {
        bits = (bits.0 | value << bits.1, bits.1 + length);
        while bits.1 >= 8 {
            bytes.push(bits.0 as u8);
            bits = (bits.0 >> 8, bits.1 - 8);
        }
    };
    // Last block, fixed codes; the literal 0 is 00110000, most significant bit first.
    put(0b011, 3);
    put(0b0000_1100, 8);
    for _ in 0..count / 258 {
        // Length 258 is 11000101, distance 1 is 00000.
        put(0b1010_0011, 8);
        put(0, 5);
    }
    put(0, 7 + 7);
    bytes
}
