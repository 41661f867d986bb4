//! The GNU build id of an executable or image, as lower-case hexadecimal text.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest build id accepted, in bytes: far above the 20 of SHA-1.
pub const MAX_BYTES: usize = 64;

/// A build id. Two are equal if their bytes are.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BuildId(String);

/// The text is no build id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no build id: expected 1 to {MAX_BYTES} bytes in lower-case hexadecimal")]
#[non_exhaustive]
pub struct InvalidBuildId {
    /// The text as it came.
    pub text: String,
}

impl BuildId {
    /// The build id with these bytes, as they stand in the `.note.gnu.build-id` section.
    ///
    /// # Errors
    ///
    /// No bytes, or more than [`MAX_BYTES`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidBuildId> {
        let mut text = String::with_capacity(bytes.len() * 2);
        for byte in bytes {
            text.push(digit(byte >> 4));
            text.push(digit(byte & 15));
        }
        Self::try_from(text)
    }

    /// The hexadecimal text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn digit(value: u8) -> char {
    char::from(b"0123456789abcdef"[usize::from(value)])
}

impl TryFrom<String> for BuildId {
    type Error = InvalidBuildId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let right_length =
            !text.is_empty() && text.len().is_multiple_of(2) && text.len() <= MAX_BYTES * 2;
        if right_length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            Ok(Self(text))
        } else {
            Err(InvalidBuildId { text })
        }
    }
}

impl From<BuildId> for String {
    fn from(id: BuildId) -> Self {
        id.0
    }
}

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BuildId({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_lower_case_text() {
        let id = BuildId::from_bytes(&[0x00, 0x9f, 0xab]).unwrap();
        assert_eq!(id.as_str(), "009fab");
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"009fab\"");
    }

    #[test]
    fn text_is_checked() {
        let long = "ab".repeat(MAX_BYTES + 1);
        for (text, good) in [
            ("ab", true),
            ("", false),
            ("abc", false),
            ("AB", false),
            ("0x12", false),
            (long.as_str(), false),
        ] {
            let read: Result<BuildId, _> = serde_json::from_value(text.into());
            assert_eq!(read.is_ok(), good, "{text}");
        }
    }
}
