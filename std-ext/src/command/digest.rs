//! `agop digest`.

use super::data::ReadingOptions;
use super::{DONE, write, write_json};
use crate::content::Content;
use crate::error::{Result, Shown};
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;

/// Print the digest of the numbers in files, whatever their format
///
/// A file of any format and a safetensors file with one tensor of the same shape, type and bits have the same digest. Byte order
/// and memory order of a .npy file do not count, nor do names and metadata. Every type that safetensors knows is hashed:
/// F32 and F64 as their width and bits; integers and bools as their values, whatever their width; all others (F16, BF16,
/// 8-bit and narrower floats, C64, and U64 with a value above 2^63 - 1) as the type's name and the stored bits.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  agop digest X.npy\n  agop digest --tensors runs/0001/gd/final.safetensors"
)]
pub(super) struct Options {
    /// Files of data or weights: .npy, .npz (or FILE.npz:NAME), tables of text, IDX, CIFAR-10, also gzip; safetensors
    #[arg(id = "data", required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Also print the digest of each tensor
    #[arg(long)]
    tensors: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reading: ReadingOptions,
}

#[derive(Serialize)]
struct Report {
    schema: &'static str,
    contract: u32,
    files: Vec<File>,
}

#[derive(Serialize)]
struct File {
    file: String,
    digest: String,
    tensors: Vec<Tensor>,
}

#[derive(Serialize)]
struct Tensor {
    name: String,
    shape: Vec<usize>,
    digest: String,
}

pub(super) fn run(options: &Options, output: &mut dyn Write) -> Result<u8> {
    let mut report =
        Report { schema: "agop.digest/1", contract: agop_core::digest::CONTRACT_VERSION, files: Vec::new() };
    let reading = options.reading.reading();
    for path in &options.files {
        let content = Content::read_as(path, &reading)?;
        let tensors = content.arrays.iter().map(|(name, array)| Tensor {
            name: name.clone(),
            shape: array.shape.clone(),
            digest: Content::digest_of([array]).to_string(),
        });
        report.files.push(File {
            file: path.display().to_string(),
            digest: content.digest().to_string(),
            tensors: tensors.collect(),
        });
    }
    if options.json {
        write_json(output, &report)?;
        return Ok(DONE);
    }
    let mut text = String::new();
    for file in &report.files {
        let name = Shown(&file.file);
        text += &format!("{}  {name}\n", file.digest);
        for tensor in file.tensors.iter().filter(|_| options.tensors) {
            let (tensor_name, shape) = (Shown(&tensor.name), Shown(format!("{:?}", tensor.shape)));
            text += &format!("{}  {name} {tensor_name} {shape}\n", tensor.digest);
        }
    }
    write(output, &text)?;
    Ok(DONE)
}
