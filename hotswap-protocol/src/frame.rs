//! Frames: a length as a little-endian `u32`, then that many bytes of JSON.

use std::io::{self, ErrorKind, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The largest accepted JSON text, in bytes.
pub const MAX_FRAME_BYTES: usize = 64 << 20;

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The peer closed the connection between two frames.
    #[error("the connection was closed")]
    Closed,
    /// The connection ended inside a frame.
    #[error("the connection ended inside a frame, after {received} of {expected} bytes")]
    Truncated {
        /// Bytes of the part (length or text) that arrived.
        received: usize,
        /// Bytes of the part that were announced.
        expected: usize,
    },
    /// The announced length, or the text to be sent, is over [`MAX_FRAME_BYTES`].
    #[error("a frame of {bytes} bytes is over the limit of {MAX_FRAME_BYTES}")]
    Oversize {
        /// The length of the text.
        bytes: usize,
    },
    /// The text is no JSON, or no value of the expected type. The stream is still in step: the
    /// next frame can be read.
    #[error("malformed message: {0}")]
    Malformed(#[source] serde_json::Error),
    /// The value has no JSON form, for example a path that is not UTF-8.
    #[error("message cannot be sent: {0}")]
    Unserialisable(#[source] serde_json::Error),
    /// The stream failed. A time-out set on it arrives as `WouldBlock` or `TimedOut`.
    #[error("control connection: {0}")]
    Io(#[from] io::Error),
}

impl FrameError {
    /// Whether the stream's own time-out ended the call.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Io(error)
            if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }
}

/// The bytes of the frame that carries `value`.
///
/// # Errors
///
/// [`FrameError::Unserialisable`] and [`FrameError::Oversize`].
pub fn encode(value: &impl Serialize) -> Result<Vec<u8>, FrameError> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, value).map_err(FrameError::Unserialisable)?;
    let prefix = prefix(bytes.len() - 4)?;
    bytes[..4].copy_from_slice(&prefix);
    Ok(bytes)
}

/// The prefix of a text of `bytes` bytes.
fn prefix(bytes: usize) -> Result<[u8; 4], FrameError> {
    match u32::try_from(bytes) {
        Ok(length) if bytes <= MAX_FRAME_BYTES => Ok(length.to_le_bytes()),
        _ => Err(FrameError::Oversize { bytes }),
    }
}

/// Writes `value` as one frame.
///
/// # Errors
///
/// Those of [`encode`], and [`FrameError::Io`].
pub fn write(stream: &mut impl Write, value: &impl Serialize) -> Result<(), FrameError> {
    stream.write_all(&encode(value)?)?;
    stream.flush()?;
    Ok(())
}

/// Reads one frame. Memory grows with what arrives, not with the announced length.
///
/// # Errors
///
/// [`FrameError::Closed`] at the end of the stream between frames, else as the variants say.
pub fn read<T: DeserializeOwned>(stream: &mut impl Read) -> Result<T, FrameError> {
    let prefix = read_part(stream, 4)?;
    let bytes = match prefix.as_slice() {
        [] => return Err(FrameError::Closed),
        &[a, b, c, d] => u32::from_le_bytes([a, b, c, d]) as usize,
        short => {
            return Err(FrameError::Truncated {
                received: short.len(),
                expected: 4,
            });
        }
    };
    if bytes > MAX_FRAME_BYTES {
        return Err(FrameError::Oversize { bytes });
    }
    let text = read_part(stream, bytes)?;
    if text.len() < bytes {
        return Err(FrameError::Truncated {
            received: text.len(),
            expected: bytes,
        });
    }
    serde_json::from_slice(&text).map_err(FrameError::Malformed)
}

/// Up to `bytes` bytes; fewer only if the stream ends.
fn read_part(stream: &mut impl Read, bytes: usize) -> io::Result<Vec<u8>> {
    let mut part = Vec::new();
    stream.take(bytes as u64).read_to_end(&mut part)?;
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(text: &[u8]) -> Vec<u8> {
        [&(text.len() as u32).to_le_bytes(), text].concat()
    }

    /// What reading a `u32` from `bytes` gives, as text.
    fn outcome(bytes: &[u8]) -> String {
        match read::<u32>(&mut &bytes[..]) {
            Ok(value) => value.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn reading() {
        let over = (MAX_FRAME_BYTES as u32 + 1).to_le_bytes();
        let table: &[(&[u8], &str)] = &[
            (&framed(b"7"), "7"),
            (&[framed(b"7"), framed(b"8")].concat(), "7"),
            (b"", "the connection was closed"),
            (&[1, 0], "inside a frame, after 2 of 4 bytes"),
            (&framed(b"1234")[..6], "inside a frame, after 2 of 4 bytes"),
            (&over, "a frame of 67108865 bytes is over the limit"),
            (&[255; 4], "a frame of 4294967295 bytes is over the limit"),
            (&framed(b""), "malformed message: EOF"),
            (&framed(b"{"), "malformed message"),
            (&framed(b"7 7"), "malformed message: trailing characters"),
            (&framed(b"\"\xff\""), "malformed message"),
            (&framed(b"-1"), "malformed message: invalid value"),
        ];
        for (bytes, expected) in table {
            let outcome = outcome(bytes);
            assert!(outcome.contains(expected), "{bytes:?}: {outcome}");
        }
    }

    #[test]
    fn a_malformed_text_leaves_the_stream_in_step() {
        let bytes = [framed(b"oops"), framed(b"5")].concat();
        let mut stream = &bytes[..];
        assert!(matches!(
            read::<u32>(&mut stream),
            Err(FrameError::Malformed(_))
        ));
        assert_eq!(read::<u32>(&mut stream).unwrap(), 5);
        assert!(matches!(read::<u32>(&mut stream), Err(FrameError::Closed)));
    }

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = Vec::new();
        write(&mut bytes, &"grüß\n").unwrap();
        assert_eq!(read::<String>(&mut &bytes[..]).unwrap(), "grüß\n");
    }

    #[test]
    fn an_oversized_text_is_not_sent() {
        assert_eq!(prefix(MAX_FRAME_BYTES).unwrap(), [0, 0, 0, 4]);
        for bytes in [MAX_FRAME_BYTES + 1, usize::MAX] {
            assert!(matches!(prefix(bytes), Err(FrameError::Oversize { .. })));
        }
    }

    #[test]
    fn timeouts_are_told_apart() {
        let table = [
            (ErrorKind::WouldBlock, true),
            (ErrorKind::TimedOut, true),
            (ErrorKind::BrokenPipe, false),
        ];
        for (kind, expected) in table {
            assert_eq!(
                FrameError::from(io::Error::from(kind)).is_timeout(),
                expected
            );
        }
    }
}
