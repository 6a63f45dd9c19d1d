//! Files that are no chain of linear layers, or no weights at all: each is refused with what it is and what to do, at
//! the tensor that is not understood. What has bits has a digest.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use agop::checkpoint;
use agop::content::Content;
use agop::dataset::{Values, npy};
use agop_tests::command::{agop, fixture};
use agop_tests::weights::{tensors, typed};

type List<'a> = &'a [(&'a str, &'a [usize])];

/// The layers `fc1`, `fc3` and these tensors: the error names `culprit` and has these parts.
#[track_caller]
fn refused(list: List<'_>, culprit: &str, parts: &[&str]) {
    let around: List<'_> =
        &[("fc1.weight", &[4, 3]), ("fc1.bias", &[4]), ("fc3.weight", &[2, 4]), ("fc3.bias", &[2])];
    for list in [list.to_vec(), [around, list].concat()] {
        let text = checkpoint::parse(&tensors(&list)).unwrap_err().to_string();
        assert!(text.starts_with(&format!("tensor {culprit:?}: ")), "{text}\n{culprit}");
        assert!(parts.iter().all(|part| text.contains(part)), "{text}\n{parts:?}");
    }
}

#[test]
fn what_is_no_linear_layer_is_named() {
    let (norm, conv) = ("normalisation", "a convolution; save the linear layers alone");
    let statistics: List<'_> = &[
        ("fc2.weight", &[4]),
        ("fc2.bias", &[4]),
        ("fc2.running_mean", &[4]),
        ("fc2.running_var", &[4]),
        ("fc2.num_batches_tracked", &[]),
    ];
    refused(
        statistics,
        "fc2.weight",
        &["shape (4,), expected (outputs, inputs): batch normalisation, with \"fc2.running_mean\"", "fold"],
    );
    refused(&statistics[2..], "fc2.num_batches_tracked", &["a buffer of batch normalisation", "fold"]);
    refused(&[("ln.weight", &[4]), ("ln.bias", &[4])], "ln.weight", &[norm, "save the linear layers alone"]);
    refused(&[("rms.weight", &[4])], "rms.weight", &[norm]);
    refused(&[("ln.weight", &[4, 4]), ("ln.bias", &[4, 4])], "ln.weight", &[norm]);
    refused(&[("norm.gamma", &[4]), ("norm.beta", &[4])], "norm.beta", &[norm]);
    refused(&[("bn.moving_variance", &[4])], "bn.moving_variance", &["batch normalisation"]);
    refused(&[("LayerNorm_0/scale", &[4])], "LayerNorm_0/scale", &[norm]);
    for shape in [&[4, 3, 5][..], &[4, 3, 5, 5], &[4, 3, 5, 5, 5]] {
        refused(&[("conv.bias", &[4]), ("conv.weight", shape)], "conv.weight", &[conv]);
    }
    refused(
        &[("x.weight", &[1, 1, 1, 1, 1, 1])],
        "x.weight",
        &["shape (1, 1, 1, 1, 1, 1), expected (outputs, inputs)"],
    );
    for name in
        ["transformer.wte.weight", "model.embed_tokens.weight", "word_embeddings.weight", "Embedding.weight"]
    {
        refused(&[(name, &[7, 4])], name, &["an embedding"]);
    }
    refused(
        &[("attn.in_proj_weight", &[12, 4]), ("attn.in_proj_bias", &[12])],
        "attn.in_proj_bias",
        &["attention"],
    );
    refused(&[("attn.q_proj.weight", &[4, 4])], "attn.q_proj.weight", &["attention"]);
    refused(&[("fc.lora_A.default.weight", &[2, 4])], "fc.lora_A.default.weight", &["LoRA", "merge"]);
    refused(
        &[("fc.weight_g", &[4, 1]), ("fc.weight_v", &[4, 3])],
        "fc.weight_g",
        &["weight normalisation", "remove"],
    );
    let name = "fc.parametrizations.weight.original0";
    refused(&[(name, &[4, 1])], name, &["parametrised", "remove"]);
    refused(&[("fc.weight_orig", &[4, 4])], "fc.weight_orig", &["pruned or spectrally"]);
    refused(&[("rnn.weight_ih_l0", &[4, 4]), ("rnn.bias_hh_l0", &[4])], "rnn.bias_hh_l0", &["recurrent"]);
    refused(&[("fc.qweight", &[4, 4]), ("fc.scales", &[4])], "fc.qweight", &["quantised weights"]);
    refused(&[("state.0.exp_avg", &[4, 4])], "state.0.exp_avg", &["optimizer", "state_dict"]);
    refused(&[("optimizer.momentum_buffer.0", &[4])], "optimizer.momentum_buffer.0", &["optimizer"]);
    refused(&[("state.0.step", &[])], "state.0.step", &["state of the training"]);
    refused(&[("logit_temperature", &[])], "logit_temperature", &["a single number", "without it"]);
    refused(
        &[("dense/kernel:0", &[3, 4]), ("dense/bias:0", &[4])],
        "dense/kernel:0",
        &["Keras", "(inputs, outputs)", "transpose"],
    );
    refused(&[("params.Dense_0.kernel", &[3, 4])], "params.Dense_0.kernel", &["Flax", "transpose"]);
    refused(
        &[("cls_token", &[1, 4])],
        "cls_token",
        &["no weight or bias of a layer: expected a name ending in"],
    );
    refused(&[("W1", &[4, 4])], "W1", &["expected a name ending in .weight or .bias"]);
}

/// A bias as long as the inputs tells that the matrix is stored the other way round.
#[test]
fn a_transposed_weight_is_told_by_its_bias() {
    let text =
        checkpoint::parse(&tensors(&[("a.weight", &[3, 4]), ("a.bias", &[4])])).unwrap_err().to_string();
    assert!(
        text.starts_with("tensor \"a.bias\": shape (4,), expected (3,): the weight is stored as (inputs"),
        "{text}"
    );
}

/// Form comes before numbers: what a tensor is, not what it holds.
#[test]
fn quantised_numbers_and_junk() {
    let nan = f32::NAN.to_le_bytes();
    let list: [(&str, &str, &[usize], &[u8]); 2] =
        [("0.weight", "F32", &[1, 1], &nan), ("1.num_batches_tracked", "I64", &[], &[9; 8])];
    let text = checkpoint::parse(&typed(&[], &list)).unwrap_err().to_string();
    assert!(text.starts_with("tensor \"1.num_batches_tracked\": "), "{text}");
    for (dtype, bytes) in [("I8", &[1][..]), ("F8_E4M3", &[1]), ("U32", &[1; 4]), ("C64", &[1; 8])] {
        let text =
            checkpoint::parse(&typed(&[], &[("0.weight", dtype, &[1, 1], bytes)])).unwrap_err().to_string();
        let expected = format!("tensor \"0.weight\": only F16, BF16, F32 and F64 are read, found {dtype}: ");
        assert!(text.starts_with(&expected) && text.contains("stand for"), "{text}");
    }
    let halves = typed(&[], &[("0.weight", "F16", &[1, 2], &[0, 0, 1, 0x7c])]);
    let text = checkpoint::parse(&halves).unwrap_err().to_string();
    assert_eq!(text, "tensor \"0.weight\", row 0, column 1: the value is NaN");
}

/// A zip archive's first local header, with this file in it.
fn zip(name: &str) -> Vec<u8> {
    let length = (name.len() as u16).to_le_bytes();
    [b"PK\x03\x04".as_slice(), &[0; 22], &length, &[0; 2], name.as_bytes(), &[0; 50]].concat()
}

#[test]
fn other_formats_are_recognised_wherever_a_file_is_read() {
    let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n";
    let cases: Vec<(Vec<u8>, &str, &str)> = vec![
        (zip("archive/data.pkl"), "a zip archive, as torch.save writes", "load it in PyTorch and save"),
        (zip("arr_0.npy"), "an .npz archive", "load it with numpy.load and save"),
        (b"PK\x05\x06\0\0\0\0\0\0".to_vec(), "an empty zip archive", "look for"),
        (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.".to_vec(), "a Python pickle", "load it in Python"),
        (b"\x80\x04\x95\x10\0\0\0\0\0\0\0".to_vec(), "a Python pickle", "load it in Python"),
        // Without a time these are a plausible length of a header.
        ([&b"\x1f\x8b\x08\0\0\0\0\0\x02\x03"[..], &vec![7; 600_000]].concat(), "a gzip file", "gunzip"),
        (b"\x89HDF\r\n\x1a\n\0\0\0\0".to_vec(), "an HDF5 file", "h5py"),
        (b"GGUF\x03\0\0\0\x02\0\0\0".to_vec(), "a GGUF file", "load the model"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), "a PNG image", "Pillow"),
        (b"0.5,1.5\n2.5,3.5\n".to_vec(), "text, such as CSV", "numpy.loadtxt"),
        ("\u{feff}größe\n".as_bytes().to_vec(), "text, such as CSV", "numpy.loadtxt"),
        ("é".repeat(400).as_bytes()[1..].to_vec(), "", ""),
        ([b"x".as_slice(), "é".repeat(400).as_bytes()].concat(), "text, such as CSV", "numpy.loadtxt"),
        (b" {\"weight_map\": {}}".to_vec(), "JSON", "load it in Python"),
        (b"<!DOCTYPE html><html>".to_vec(), "a web page", "look for the right file"),
        (lfs.to_vec(), "a Git LFS pointer", "git lfs pull"),
        (b"\0\0\x08\x03\0\0\xea\x60\0\0\0\x1c\0\0\0\x1c".to_vec(), "an IDX file", "torchvision"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file").display().to_string();
    let (good, x) = (fixture("silent/straight.safetensors"), fixture("silent/x.npy"));
    let said = |arguments: &[&str], parts: &[&str]| {
        let answer = agop(arguments);
        assert_eq!((answer.code, answer.output.as_str()), (2, ""), "{arguments:?}");
        let text = answer.messages;
        assert!(text.starts_with(&format!("agop: {path}: byte 0: ")) && text.lines().count() == 1, "{text}");
        assert!(parts.iter().all(|part| text.contains(part)), "{text}{parts:?}");
    };
    for (bytes, what, way) in cases {
        std::fs::write(&path, bytes).unwrap();
        let weights = if what.is_empty() { "the header claims" } else { "expected a safetensors file" };
        let data = ["an .npz archive", "a gzip file", "text, such as CSV", "an IDX file"].contains(&what);
        said(&["measure", "--init", &path, "--weights", &good, "--data", &x], &[what, way, weights]);
        // What is read as data, or may be text, is refused as weights alone.
        if data || what.is_empty() {
            continue;
        }
        said(&["digest", &path], &[what, way, weights]);
        let array = "no data that is read";
        said(&["measure", "--init", &good, "--weights", &good, "--data", &path], &[what, way, array]);
        said(&["predict", "--data", &x, "--labels", &path, "--hidden", "3"], &[what, way, array]);
    }
    // A length that looks like a pickle, cut before its header.
    std::fs::write(&path, [0x80, 0x02, 0, 0, 0, 0, 0, 0]).unwrap();
    said(&["digest", &path], &["the header claims 640 bytes, 0 are left"]);
    std::fs::copy(&x, &path).unwrap();
    let parts = ["a .npy file, expected a safetensors file: load it with numpy.load and save the weights"];
    said(&["measure", "--init", &path, "--weights", &good, "--data", &x], &parts);
    std::fs::copy(&good, &path).unwrap();
    let parts = [
        "a safetensors file, no data that is read: load it with safetensors and save the array with numpy.save",
    ];
    said(&["measure", "--init", &good, "--weights", &good, "--data", &path], &parts);
}

/// A tensor of these bytes in a safetensors file.
fn digest_of(dtype: &str, shape: &[usize], bytes: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), typed(&[], &[("t", dtype, shape, bytes)])).unwrap();
    Content::read(file.path()).unwrap().digest().to_string()
}

/// The digest of a `.npy` file.
fn digest_of_npy(descr: &str, shape: &str, bytes: &[u8]) -> String {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let start =
        [b"\x93NUMPY\x01\x00".as_slice(), &(header.len() as u16).to_le_bytes(), header.as_bytes()].concat();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), [&start, bytes].concat()).unwrap();
    Content::read(file.path()).unwrap().digest().to_string()
}

#[test]
fn every_dtype_has_a_digest() {
    use agop_core::digest::Hasher;
    let eight = [1_u8, 2, 3, 4, 5, 6, 7, 8];
    let dtypes = [
        "F4",
        "F6_E2M3",
        "F6_E3M2",
        "U8",
        "I8",
        "F8_E5M2",
        "F8_E4M3",
        "F8_E8M0",
        "F8_E4M3FNUZ",
        "F8_E5M2FNUZ",
        "I16",
        "U16",
        "F16",
        "BF16",
        "I32",
        "U32",
        "F32",
        "C64",
        "F64",
        "I64",
        "U64",
    ];
    let shape = |dtype: &str| match dtype {
        "F4" => 16,
        "F6_E2M3" | "F6_E3M2" => 4,
        _ if dtype.contains("64") => 1,
        _ if dtype.contains("32") => 2,
        _ if dtype.contains("16") => 4,
        _ => 8,
    };
    let size = |dtype: &str| if dtype.starts_with("F6_") { 3 } else { 8 };
    let mut seen = std::collections::BTreeMap::new();
    for dtype in dtypes {
        let digest = digest_of(dtype, &[shape(dtype)], &eight[..size(dtype)]);
        let other = digest_of(dtype, &[shape(dtype)], &[&[9], &eight[1..size(dtype)]].concat());
        assert_ne!(digest, other, "{dtype}");
        seen.entry(digest).or_insert_with(Vec::new).push(dtype);
    }
    // Integers are their values, whatever their width.
    let same: Vec<_> = seen.into_values().filter(|dtypes| dtypes.len() > 1).collect();
    assert_eq!(same.len(), 4, "{same:?}");
    assert!(same.iter().flatten().all(|dtype| dtype.starts_with(['I', 'U'])), "{same:?}");

    let mut hash = Hasher::new();
    hash.number(1).number(3).number(u64::from_le_bytes(*b"BF16\0\0\0\0")).number(0).number(0x0605_0403_0201);
    assert_eq!(digest_of("BF16", &[3], &eight[..6]), hash.finish().to_string());
    let mut hash = Hasher::new();
    hash.number(1).number(2).number(0).number(u64::MAX).number(1);
    assert_eq!(digest_of("I8", &[2], &[0xff, 1]), hash.finish().to_string());
    assert_eq!(digest_of("BOOL", &[2], &[1, 0]), digest_of_npy("|b1", "(2,)", &[1, 0]));

    // Formats agree.
    for (dtype, descr) in [("F16", "<f2"), ("U64", "<u8"), ("I64", "<i8"), ("I16", "<i2"), ("F32", "<f4")] {
        assert_eq!(
            digest_of(dtype, &[shape(dtype)], &eight),
            digest_of_npy(descr, &format!("({},)", shape(dtype)), &eight)
        );
    }
    let top = [0, 0, 0, 0, 0, 0, 0, 0x80];
    assert_eq!(digest_of("U64", &[1], &top), digest_of_npy("<u8", "(1,)", &top));
    assert_eq!(digest_of_npy(">f2", "(2,)", &[2, 1, 4, 3]), digest_of("F16", &[2], &[1, 2, 3, 4]));
    assert_ne!(digest_of("U64", &[1], &top), digest_of("I64", &[1], &top));
    assert_ne!(digest_of("F16", &[1], &[0, 0]), digest_of("BF16", &[1], &[0, 0]));
    assert_ne!(digest_of("F16", &[1], &[0, 0]), digest_of("F32", &[1], &[0; 4]));
    let none = [0, 1 << 62, 4];
    assert_ne!(digest_of("F16", &none, &[]), digest_of("I16", &none, &[]));
}

#[test]
fn halves_in_npy_files_are_exact() {
    let header = |descr: &str| format!("{{'descr': '{descr}', 'fortran_order': True, 'shape': (2, 2), }}");
    let read = |descr: &str, bytes: &[u8]| {
        let header = header(descr);
        let length = (header.len() as u16).to_le_bytes();
        npy::parse(&[b"\x93NUMPY\x01\x00".as_slice(), &length, header.as_bytes(), bytes].concat())
            .unwrap()
            .values
    };
    // 1, -2, the smallest, the largest; stored by columns.
    let expected = Values::F32(vec![1.0, 1.0 / 16_777_216.0, -2.0, 65504.0]);
    assert_eq!(read("<f2", &[0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00, 0xff, 0x7b]), expected);
    assert_eq!(read(">f2", &[0x3c, 0x00, 0xc0, 0x00, 0x00, 0x01, 0x7b, 0xff]), expected);
}
