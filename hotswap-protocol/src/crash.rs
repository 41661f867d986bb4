//! A program's last word: what the runtime's signal handler writes when a fatal signal comes.
//!
//! A header of fixed size, then a copy of the stack from the stack pointer on, as much as could be
//! read and as fits into the pipe. Writing takes no memory and cannot fail, so that a handler may.

/// What the header begins with; its last byte is the number of this format.
const MAGIC: [u8; 8] = *b"HSCRASH1";

/// Bytes of a header.
pub const HEADER_BYTES: usize = 48;

/// The most bytes of stack that follow a header: with it, they fit into a pipe of the usual size.
pub const MAX_STACK_BYTES: usize = 60 << 10;

/// Where a signal met a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CrashHeader {
    /// The signal's number.
    pub signal: i32,
    /// The signal's `si_code`: above 0 if the system itself raised it.
    pub code: i32,
    /// The address that the fault is about, 0 if there is none.
    pub address: u64,
    /// The instruction pointer.
    pub ip: u64,
    /// The stack pointer.
    pub sp: u64,
    /// The frame pointer.
    pub bp: u64,
}

impl CrashHeader {
    /// As bytes, numbers in little-endian order.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&self.signal.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.code.to_le_bytes());
        let words = [self.address, self.ip, self.sp, self.bp];
        let mut at = 16;
        for word in words {
            bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
            at += 8;
        }
        bytes
    }

    /// The header at the beginning of these bytes, and the stack behind it; none if there is none,
    /// or one of another format.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (header, stack) = bytes.split_first_chunk::<HEADER_BYTES>()?;
        if header[..8] != MAGIC {
            return None;
        }
        let half = |at: usize| Some(i32::from_le_bytes(header.get(at..at + 4)?.try_into().ok()?));
        let word = |at: usize| Some(u64::from_le_bytes(header.get(at..at + 8)?.try_into().ok()?));
        let parsed = Self {
            signal: half(8)?,
            code: half(12)?,
            address: word(16)?,
            ip: word(24)?,
            sp: word(32)?,
            bp: word(40)?,
        };
        Some((parsed, stack))
    }
}

#[cfg(test)]
mod tests {
    use super::{CrashHeader, HEADER_BYTES};

    #[test]
    fn what_is_written_is_read() {
        let header = CrashHeader {
            signal: 11,
            code: -6,
            address: u64::MAX,
            ip: 1,
            sp: 2 << 40,
            bp: 3,
        };
        let mut bytes = header.to_bytes().to_vec();
        bytes.extend([7, 8]);
        assert_eq!(CrashHeader::parse(&bytes), Some((header, &[7, 8][..])));
        assert_eq!(CrashHeader::parse(&bytes[..HEADER_BYTES - 1]), None);
        bytes[7] = b'2';
        assert_eq!(CrashHeader::parse(&bytes), None);
    }
}
