//! Subresource integrity: the strongest promised hash, checked while bytes stream by.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{Algorithm, Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512};

use crate::packument::Dist;

/// One hash that an artifact must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Integrity {
    algorithm: Hash,
    /// More than one is allowed by SRI; any of them will do.
    digests: Vec<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::Sha1 => &SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &SHA256,
            Self::Sha384 => &SHA384,
            Self::Sha512 => &SHA512,
        }
    }
}

impl Integrity {
    /// Reads an SRI text and keeps its strongest algorithm. `None` when it holds no hash that is known.
    pub fn parse(text: &str) -> Option<Self> {
        let entries = text.split_whitespace().filter_map(|entry| {
            let (name, rest) = entry.split_once('-')?;
            let hash = [Hash::Sha1, Hash::Sha256, Hash::Sha384, Hash::Sha512].into_iter().find(|hash| hash.name() == name)?;
            let digest = STANDARD.decode(rest.split('?').next()?).ok()?;
            (digest.len() == hash.algorithm().output_len()).then_some((hash, digest))
        });
        let all: Vec<(Hash, Vec<u8>)> = entries.collect();
        let algorithm = all.iter().map(|(hash, _)| *hash).max()?;
        Some(Self { algorithm, digests: all.into_iter().filter(|(hash, _)| *hash == algorithm).map(|(_, digest)| digest).collect() })
    }

    /// The promise of `dist`: `integrity`, or `shasum` for packages older than it.
    pub fn of(dist: &Dist) -> Option<Self> {
        dist.integrity.as_deref().and_then(Self::parse).or_else(|| Self::from_sha1_hex(dist.shasum.as_deref()?))
    }

    /// A SHA-1 in hex.
    pub fn from_sha1_hex(hex: &str) -> Option<Self> {
        let pair = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
        let digest = if hex.len() == 40 { (0..40).step_by(2).map(pair).collect::<Option<Vec<u8>>>()? } else { return None };
        Some(Self { algorithm: Hash::Sha1, digests: vec![digest] })
    }

    /// A safe file name for what has this hash.
    pub(crate) fn key(&self) -> String {
        format!("{}-{}", self.algorithm.name(), hex(self.digests.first().map_or(&[], Vec::as_slice)))
    }
}

impl std::fmt::Display for Integrity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, digest) in self.digests.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{}-{}", self.algorithm.name(), STANDARD.encode(digest))?;
        }
        Ok(())
    }
}

/// Hashes what passes by: with the promised algorithm, and with SHA-512 for the record.
pub(crate) struct Checker {
    expected: Option<Integrity>,
    promised: Option<Context>,
    sha512: Context,
    sha1: Context,
    bytes: u64,
}

/// What came, after a check that held.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    /// SRI text with SHA-512.
    pub integrity: String,
    /// SHA-1 in hex.
    pub shasum: String,
}

impl Checker {
    /// `expected` is `None` for bytes whose hash is to be found out.
    pub fn new(expected: Option<Integrity>) -> Self {
        let other = expected.as_ref().map(|e| e.algorithm).filter(|hash| matches!(hash, Hash::Sha256 | Hash::Sha384));
        Self {
            promised: other.map(|hash| Context::new(hash.algorithm())),
            expected,
            sha512: Context::new(&SHA512),
            sha1: Context::new(&SHA1_FOR_LEGACY_USE_ONLY),
            bytes: 0,
        }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.sha512.update(bytes);
        self.sha1.update(bytes);
        if let Some(promised) = &mut self.promised {
            promised.update(bytes);
        }
    }

    /// The hashes of what came, or expected and actual hash and the number of bytes when they differ.
    pub fn finish(self) -> Result<Checked, (String, String, u64)> {
        let (sha512, sha1) = (self.sha512.finish(), self.sha1.finish());
        if let Some(expected) = &self.expected {
            let promised = self.promised.map(Context::finish);
            let actual: &[u8] = match (expected.algorithm, &promised) {
                (Hash::Sha1, _) => sha1.as_ref(),
                (Hash::Sha512, _) | (_, None) => sha512.as_ref(),
                (_, Some(digest)) => digest.as_ref(),
            };
            if !expected.digests.iter().any(|digest| digest.as_slice() == actual) {
                return Err((expected.to_string(), format!("{}-{}", expected.algorithm.name(), STANDARD.encode(actual)), self.bytes));
            }
        }
        Ok(Checked { integrity: format!("sha512-{}", STANDARD.encode(sha512.as_ref())), shasum: hex(sha1.as_ref()) })
    }
}

/// SHA-256 in hex.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(ring::digest::digest(&SHA256, bytes).as_ref())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expected: Option<Integrity>, bytes: &[u8]) -> Result<Checked, (String, String, u64)> {
        let mut checker = Checker::new(expected);
        bytes.chunks(3).for_each(|chunk| checker.update(chunk));
        checker.finish()
    }

    #[test]
    fn every_algorithm_and_the_strongest() {
        let sha1 = "a9993e364706816aba3e25717850c26c9cd0d89d";
        let sri256 = format!("sha256-{}", STANDARD.encode(ring::digest::digest(&SHA256, b"abc")));
        let sri384 = format!("sha384-{}", STANDARD.encode(ring::digest::digest(&SHA384, b"abc")));
        let sri512 = format!("sha512-{}", STANDARD.encode(ring::digest::digest(&SHA512, b"abc")));
        for text in [&sri256, &sri384, &sri512, &format!("md5-xx {sri512}?opt"), &format!("{sri256} {sri512}")] {
            let integrity = Integrity::parse(text).unwrap();
            assert_eq!(check(Some(integrity.clone()), b"abc").unwrap().integrity, sri512, "{text}");
            let (expected, actual, bytes) = check(Some(integrity), b"abd").unwrap_err();
            assert!(expected != actual && bytes == 3, "{expected} {actual}");
        }
        assert_eq!(check(Integrity::from_sha1_hex(sha1), b"abc").unwrap().shasum, sha1);
        assert!(check(Integrity::from_sha1_hex(sha1), b"ab").is_err());
        // A weaker hash that would match does not help when a stronger one is promised.
        let wrong = format!("{sri256} sha512-{}", STANDARD.encode([0; 64]));
        assert!(check(Integrity::parse(&wrong), b"abc").is_err());
        for bad in ["", "sha512-", "sha512-AAAA", "sha999-AAAA", "nonsense"] {
            assert_eq!(Integrity::parse(bad), None, "{bad}");
        }
        assert_eq!(Integrity::from_sha1_hex("zz"), None);
    }
}
