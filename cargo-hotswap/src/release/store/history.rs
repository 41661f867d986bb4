//! The versions that were permanent, in the order in which they were.
//!
//! A version is written down before the link leads to it, and taken away after the link leads to the one before. So
//! what counts is the part up to the one that the link leads to.

use serde::{Deserialize, Serialize};

/// The number of this form; another is refused.
const FORMAT: u32 = 1;

/// How many are remembered.
const MAX_VERSIONS: usize = 100;

/// What is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct History {
    format: u32,
    versions: Vec<String>,
}

impl Default for History {
    fn default() -> Self {
        Self::of(Vec::new())
    }
}

impl History {
    /// The history of these versions, the oldest first.
    pub(super) fn of(versions: Vec<String>) -> Self {
        let format = FORMAT;
        Self { format, versions }
    }

    pub(super) fn read(text: &[u8]) -> anyhow::Result<Self> {
        let history: Self = serde_json::from_slice(text)?;
        anyhow::ensure!(
            history.format == FORMAT,
            "it has form {}, expected {FORMAT}",
            history.format
        );
        Ok(history)
    }

    pub(super) fn text(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec_pretty(self)
    }

    /// The versions up to the one that is permanent.
    pub(super) fn until(&self, permanent: Option<&str>) -> Vec<String> {
        let Some(permanent) = permanent else {
            return Vec::new();
        };
        match self.versions.iter().rposition(|one| one == permanent) {
            Some(last) => self.versions[..=last].to_vec(),
            // Somebody has made the link by hand.
            None => vec![permanent.to_owned()],
        }
    }

    /// The same, and this version after the one that is permanent.
    pub(super) fn with(&self, permanent: Option<&str>, next: &str) -> Self {
        let mut versions = self.until(permanent);
        versions.push(next.to_owned());
        let more = versions.len().saturating_sub(MAX_VERSIONS);
        versions.drain(..more);
        Self::of(versions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_says_how_far_the_history_goes() {
        for (versions, permanent, expected) in [
            ("", None, ""),
            ("", Some("1"), "1"),
            ("1", None, ""),
            ("1 2", Some("2"), "1 2"),
            // 2 was to become permanent, or was taken back.
            ("1 2", Some("1"), "1"),
            ("1 2 1", Some("1"), "1 2 1"),
            ("1 2 1 2", Some("1"), "1 2 1"),
            ("1 2 1", Some("2"), "1 2"),
            ("1 2", Some("9"), "9"),
        ] {
            let versions = versions.split_whitespace().map(str::to_owned);
            let history = History::of(versions.collect());
            assert_eq!(
                history.until(permanent).join(" "),
                expected,
                "{history:?} {permanent:?}"
            );
            let next = history.with(permanent, "3");
            assert_eq!(next.until(permanent), history.until(permanent));
            assert_eq!(
                next.until(Some("3")).join(" "),
                format!("{expected} 3").trim()
            );
        }
    }

    #[test]
    fn what_is_long_ago_is_forgotten() {
        let mut history = History::default();
        for version in 0..2 * MAX_VERSIONS {
            let before = version.checked_sub(1).map(|before| before.to_string());
            history = history.with(before.as_deref(), &version.to_string());
        }
        assert_eq!(history.versions.len(), MAX_VERSIONS);
        assert_eq!(History::read(&history.text().unwrap()).unwrap(), history);
        assert!(History::read(b"{\"format\": 2, \"versions\": []}").is_err());
    }
}
