//! Pax extended headers: `<length> <key>=<value>\n`, again and again.
//!
//! Read by length and not by line, since a value may hold line breaks.

use crate::error::ArchiveError;

/// What a pax header says that matters here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Pax {
    /// The entry's name.
    pub(crate) path: Option<Vec<u8>>,
    /// The entry's size.
    pub(crate) size: Option<u64>,
    /// Any sign of a sparse file.
    pub(crate) sparse: bool,
}

impl Pax {
    pub(crate) fn parse(mut data: &[u8]) -> Result<Self, ArchiveError> {
        let mut pax = Self::default();
        while !data.is_empty() && data.iter().any(|byte| *byte != 0) {
            let (record, rest) = record(data).ok_or_else(|| ArchiveError::corrupt("a pax header is malformed"))?;
            data = rest;
            let at = record.iter().position(|byte| *byte == b'=').ok_or_else(|| ArchiveError::corrupt("a pax record has no key"))?;
            let (key, value) = (&record[..at], &record[at + 1..]);
            match key {
                b"path" => pax.path = Some(value.to_vec()),
                b"size" => {
                    let size = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                    pax.size = Some(size.ok_or_else(|| ArchiveError::corrupt("a pax size is no number"))?);
                }
                _ if key.starts_with(b"GNU.sparse.") => pax.sparse = true,
                _ => {}
            }
        }
        Ok(pax)
    }
}

/// The first record without its length and line break, and what follows it.
fn record(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = data.iter().take(20).position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&data[..space]).ok()?.parse().ok()?;
    let record = data.get(space + 1..length)?;
    Some((record.strip_suffix(b"\n")?, data.get(length..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_by_their_length() {
        let pax = Pax::parse(b"19 path=a\nb/\xc3\xa9/c.j\n11 size=12\n").unwrap();
        assert_eq!(pax.path.as_deref(), Some("a\nb/é/c.j".as_bytes()));
        assert_eq!(pax.size, Some(12));
        assert!(Pax::parse(b"22 GNU.sparse.major=1\n").unwrap().sparse);
        for bad in ["5 path", "x path=a\n", "99 path=a\n", "3 a\n", "0 \n", "11 size=-2\n", "6 abc\n", "18446744073709551615 a=b\n"] {
            assert!(Pax::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
