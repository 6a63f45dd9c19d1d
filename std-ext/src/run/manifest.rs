//! What a run says of itself: `manifest.json`, whose form admits nothing but what a run writes.

use super::config::RuleName;
use super::train::Record;
use crate::error::{Error, ParseError, quote};
use crate::memory::Growing;
use agop_core::digest::{CONTRACT_VERSION, Digest};
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::io::{self, Write};
use std::marker::PhantomData;
use std::path::Path;

/// Version of the manifest's form.
pub const SCHEMA: &str = "agop.run/2";
/// The versions of the program that write this form; an older one is added here when the version moves.
const VERSIONS: [&str; 1] = [env!("CARGO_PKG_VERSION")];

/// The most measurements of a rule: what two rules take of a manifest is below [`LONGEST`].
pub const MOST_MEASUREMENTS: u64 = 100_000;
/// A manifest of more bytes is none.
pub const LONGEST: u64 = 1 << 26;
/// A configuration of more bytes is none.
pub const LONGEST_CONFIG: u64 = 1 << 20;
/// The bytes of a measurement in a manifest are fewer.
const LONGEST_MARK: u64 = 200;
const _: () = assert!(2 * MOST_MEASUREMENTS * LONGEST_MARK < LONGEST);

/// What a run says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of the program.
    pub version: String,
    /// Version of the bit contract.
    pub contract: u32,
    /// Whether steps are missing; written only if so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unfinished: bool,
    /// Which rule diverged where; written only if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diverged: Option<String>,
    /// Digest of the samples as they are used.
    pub data: Sha256,
    /// What the files of samples were taken for; of a task, and in older runs, there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub understood: Option<String>,
    /// Mean and deviation of each column of the training inputs, where these standardised all inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<Vec<String>>,
    /// The marks of every measurement, by rule.
    #[serde(deserialize_with = "unique")]
    pub rules: BTreeMap<RuleName, Vec<Mark>>,
    /// SHA-256 of every other file of the folder, by its path inside it.
    #[serde(deserialize_with = "unique")]
    pub files: BTreeMap<String, Sha256>,
}

/// What the manifest keeps of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Updates done.
    pub step: u64,
    /// Digest of the state.
    pub digest: Sha256,
}

impl Mark {
    /// The mark of a record.
    pub fn new(record: &Record) -> Self {
        Self { step: record.step, digest: Sha256(record.digest) }
    }
}

impl Manifest {
    /// The manifest of a run made here.
    pub fn new(data: Digest, rules: BTreeMap<RuleName, Vec<Mark>>, files: BTreeMap<String, Sha256>) -> Self {
        let version = env!("CARGO_PKG_VERSION").into();
        let (schema, contract, data) = (SCHEMA.into(), CONTRACT_VERSION, Sha256(data));
        Self {
            schema,
            version,
            contract,
            unfinished: false,
            diverged: None,
            data,
            understood: None,
            statistics: None,
            rules,
            files,
        }
    }

    /// The manifest in the bytes of a file.
    ///
    /// # Errors
    /// A [`ParseError`] for what is no JSON or has other fields, and for another schema, version or contract.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            ParseError::new(place, error.to_string())
        })?;
        let Self { schema, version, contract, .. } = &manifest;
        if schema != SCHEMA {
            let older = "a run of another version of this program, which reads it";
            let reason = format!("expected {SCHEMA:?}, found {}: {older}", quote(schema));
            return Err(ParseError::new("schema", reason));
        }
        if *contract != CONTRACT_VERSION {
            let reason = format!(
                "the run was made under bit contract {contract}, this program has {CONTRACT_VERSION}"
            );
            return Err(ParseError::new("contract", reason));
        }
        if !VERSIONS.contains(&version.as_str()) {
            let reason = format!("expected {}, found {}", VERSIONS.join(" or "), quote(version));
            return Err(ParseError::new("version", reason));
        }
        Ok(manifest)
    }

    /// Why a run that diverged cannot go on or be replayed to its end; `path` is that of its manifest.
    ///
    /// # Errors
    /// [`Error::Input`] then.
    pub(super) fn not_diverged(&self, path: &Path) -> crate::error::Result<()> {
        let Some(reason) = &self.diverged else { return Ok(()) };
        Err(Error::input(path, "the run diverged", format!("{reason}; `agop report` draws it up to there")))
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// When the memory cannot be had.
    pub fn encode(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Growing::default();
        serde_json::to_writer_pretty(&mut bytes, self)?;
        bytes.write_all(b"\n")?;
        Ok(bytes.0)
    }
}

/// A SHA-256: in files `sha256:` and 64 hexadecimal digits, the letters small, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256(pub Digest);

impl Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Sha256> for String {
    fn from(digest: Sha256) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Sha256 {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.strip_prefix("sha256:").unwrap_or_default();
        let mut digest = Digest([0; 32]);
        for (byte, pair) in digest.0.iter_mut().zip(digits.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).unwrap_or_default();
            *byte = u8::from_str_radix(pair, 16).unwrap_or_default();
        }
        // Whatever was no digit, no pair or too much is not what it is written as.
        if digest.to_string() == text {
            return Ok(Self(digest));
        }
        Err(format!("expected sha256: and 64 hexadecimal digits, found {}", quote(&text)))
    }
}

/// A map in which no key stands twice.
fn unique<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Ord,
    V: Deserialize<'de>,
{
    struct Unique<K, V>(PhantomData<(K, V)>);
    impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Visitor<'de> for Unique<K, V> {
        type Value = BTreeMap<K, V>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut all = BTreeMap::new();
            while let Some((key, value)) = map.next_entry()? {
                if all.insert(key, value).is_some() {
                    return Err(A::Error::custom("the key stands twice"));
                }
            }
            Ok(all)
        }
    }
    deserializer.deserialize_map(Unique(PhantomData))
}
