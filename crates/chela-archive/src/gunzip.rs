//! Gzip as archives have it: one member or several, then perhaps zeros up to the end of a block, which tape writers add.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// Reads the members of a gzip stream one after another.
pub(crate) struct Gunzip<R> {
    /// `None` after the last member, and after an error.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Gunzip<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { member: Some(GzDecoder::new(reader)) }
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(mut member) = self.member.take() {
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                self.member = Some(member);
                return Ok(count);
            }
            let mut rest = member.into_inner();
            match rest.fill_buf()?.first() {
                None => {}
                Some(0) => only_zeros(rest)?,
                Some(_) => self.member = Some(GzDecoder::new(rest)),
            }
        }
        Ok(0)
    }
}

/// Reads to the end, so that limits and hashes of the layer below see all of it.
fn only_zeros(mut rest: impl BufRead) -> io::Result<()> {
    loop {
        let bytes = rest.fill_buf()?;
        if bytes.iter().any(|byte| *byte != 0) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "there is data after the padding of the gzip stream"));
        }
        let count = bytes.len();
        if count == 0 {
            return Ok(());
        }
        rest.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn members_and_padding_are_read_and_other_tails_refused() {
        let (one, two) = (packed(b"one"), packed(b"two"));
        let zeros = vec![0; 5000];
        let cut = &two[..two.len() - 3];
        for (parts, expected) in [
            (&[&one[..]][..], Some("one")),
            (&[&one, &two], Some("onetwo")),
            (&[&one, &zeros], Some("one")),
            (&[&one, &two, &zeros], Some("onetwo")),
            (&[&one, &zeros, &two], None),
            (&[&one, b"tail"], None),
            (&[&one, cut], None),
            (&[&zeros], None),
            (&[], None),
        ] {
            let stream = parts.concat();
            let mut text = String::new();
            let done = Gunzip::new(&stream[..]).read_to_string(&mut text);
            assert_eq!(done.ok().map(|_| text.as_str()), expected, "{parts:?}");
        }
    }
}
