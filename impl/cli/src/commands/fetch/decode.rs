//! Content codings of a response, taken off as it comes.

use std::{
    borrow::Cow,
    io::{self, Write as _},
};

use flate2::write::{MultiGzDecoder, ZlibDecoder};
use p2claw_session::Response;

pub(super) enum Decoder {
    /// As it comes.
    None,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Deflate(Box<ZlibDecoder<Vec<u8>>>),
}

impl Decoder {
    /// `wanted`: codings were asked for; what else comes coded is handed on as it is.
    pub(super) fn for_response(wanted: bool, response: &Response) -> Self {
        let coding = response.fields.get("content-encoding").filter(|_| wanted);
        match coding.map(|coding| coding.to_ascii_lowercase()).as_deref() {
            Some(b"gzip" | b"x-gzip") => Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            Some(b"deflate") => Self::Deflate(Box::new(ZlibDecoder::new(Vec::new()))),
            Some(_) | None => Self::None,
        }
    }

    pub(super) fn decode<'a>(&mut self, data: &'a [u8]) -> io::Result<Cow<'a, [u8]>> {
        Ok(match self {
            Self::None => Cow::Borrowed(data),
            Self::Gzip(decoder) => {
                decoder.write_all(data)?;
                Cow::Owned(std::mem::take(decoder.get_mut()))
            }
            Self::Deflate(decoder) => {
                decoder.write_all(data)?;
                Cow::Owned(std::mem::take(decoder.get_mut()))
            }
        })
    }

    /// What is left, once the body is complete.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::None => Ok(Vec::new()),
            // A body of nothing is no member of anything, and nothing is lost.
            Self::Gzip(decoder) => decoder.finish(),
            Self::Deflate(decoder) => decoder.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use flate2::{
        Compression,
        write::{GzEncoder, ZlibEncoder},
    };
    use p2claw_session::Fields;

    use super::*;

    fn response(coding: &str) -> Response {
        let mut fields = Fields::new();
        fields
            .push("content-encoding", coding.as_bytes().to_vec())
            .unwrap();
        Response {
            status: 200,
            fields,
            end: false,
        }
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn decode(coding: &str, coded: &[u8], size: usize) -> io::Result<Vec<u8>> {
        let mut decoder = Decoder::for_response(true, &response(coding));
        let mut text = Vec::new();
        for piece in coded.chunks(size) {
            text.extend_from_slice(&decoder.decode(piece)?);
        }
        text.extend(decoder.finish()?);
        Ok(text)
    }

    #[test]
    fn codings_come_off_however_the_body_is_cut() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(&text).unwrap();
        let zlib = zlib.finish().unwrap();
        let members = [gzip(&text[..1_000]), gzip(&text[1_000..])].concat();
        for size in [1, 1_000, usize::MAX] {
            assert_eq!(decode("gzip", &gzip(&text), size).unwrap(), text);
            assert_eq!(decode("GZIP", &members, size).unwrap(), text);
            assert_eq!(decode("deflate", &zlib, size).unwrap(), text);
            assert_eq!(decode("br", b"as it is", size).unwrap(), b"as it is");
        }
        let mut unasked = Decoder::for_response(false, &response("gzip"));
        assert_eq!(&*unasked.decode(b"as it is").unwrap(), b"as it is");
    }

    /// Half a body is never a whole one.
    #[test]
    fn what_is_cut_off_or_broken_is_an_error() {
        let whole = gzip(&[7; 10_000]);
        assert!(decode("gzip", &whole[..whole.len() - 9], 100).is_err());
        assert!(decode("gzip", b"no gzip at all", 100).is_err());
        assert!(decode("deflate", b"no deflate", 100).is_err());
    }
}
