//! What a release says of itself: the text that is signed, with digests of all else.

use hotswap_protocol::build_id::BuildId;
use hotswap_protocol::patch::Digest;
use serde::{Deserialize, Serialize};

/// The number of this form; another is refused.
pub const FORMAT: u32 = 1;

/// The longest name or version, in bytes.
const MAX_WORD_BYTES: usize = 64;

/// A release: a build of a program, and the way to it from the release before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// [`FORMAT`].
    pub format: u32,
    /// The name of the program, which is that of its executable.
    pub name: String,
    /// The version, as whoever made it has called it.
    pub version: String,
    /// The build id of its executable.
    pub build_id: BuildId,
    /// The tool that made it, and its version.
    pub tool: String,
    /// The compiler, as it tells its version at length.
    pub toolchain: String,
    /// From the release before; none for the first one.
    pub way: Option<Way>,
    /// What belongs to it, in the order of the file.
    pub parts: Vec<Described>,
}

/// What lies between a release and the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Way {
    /// The version of the release before.
    pub from: String,
    /// The build id of its executable.
    pub build_id: BuildId,
    /// What the patch is known by that leads from the one to the other; none if nothing does but a restart.
    pub patch: Option<Digest>,
    /// Why a program has to be restarted; empty if there is a patch.
    pub restart: Vec<String>,
    /// The crates that are replaced, those first that others depend on.
    pub crates: Vec<String>,
    /// The cells whose values get a new layout.
    pub cells: Vec<String>,
    /// Why a program can't go back without a restart; empty if it can.
    pub no_way_back: Vec<String>,
}

/// A file that belongs to a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The program.
    Executable,
    /// What patches of it are made from.
    Base,
    /// The patch from the release before.
    Patch,
    /// What is done on the way.
    Plan,
}

impl Part {
    /// All, in the order of the file.
    pub const ALL: [Self; 4] = [Self::Executable, Self::Base, Self::Patch, Self::Plan];

    /// The name of its file, for a program of this name.
    pub fn file(self, name: &str) -> String {
        match self {
            Self::Executable => name.to_owned(),
            Self::Base => format!("{name}.hotswap"),
            Self::Patch => "up.hotpatch".to_owned(),
            Self::Plan => "plan.toml".to_owned(),
        }
    }
}

/// A part's size and content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Described {
    /// Which.
    pub part: Part,
    /// Its size.
    pub bytes: u64,
    /// Its content.
    pub digest: Digest,
}

impl Described {
    /// The description of these bytes.
    pub fn of(part: Part, bytes: &[u8]) -> Self {
        Self {
            part,
            bytes: bytes.len() as u64,
            digest: Digest::of(bytes),
        }
    }

    /// Whether these are the bytes.
    pub fn is_of(&self, bytes: &[u8]) -> bool {
        self.bytes == bytes.len() as u64 && self.digest == Digest::of(bytes)
    }
}

/// A text is none of a release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AboutError {
    /// No JSON of this form.
    #[error("its text can't be read: {0}")]
    Text(String),
    /// Another number than [`FORMAT`].
    #[error(
        "it has form {found}, expected {FORMAT}: use the version of cargo-hotswap that made it"
    )]
    Format {
        /// The number that it has.
        found: u64,
    },
    /// A name or version that can't be the name of a file and a folder.
    #[error(
        "`{0}` can't be the name or version of a release: 1 to {MAX_WORD_BYTES} letters, digits and `-`, `_`; \
         in a version `.` and `+`, too"
    )]
    Word(String),
    /// A part is missing, is there twice or in the wrong place, or should not be there.
    #[error("its parts are {found:?}, expected {expected:?}")]
    Parts {
        /// Those that are named.
        found: Vec<Part>,
        /// Those that must be.
        expected: Vec<Part>,
    },
    /// The release before has the same version.
    #[error("release {0} can't be made from release {0}: give it a version of its own")]
    Same(String),
    /// There is neither a patch nor a reason to restart, or both.
    #[error("it has to name either a patch or why a program must be restarted")]
    Way,
}

impl About {
    /// Reads the text of a release.
    ///
    /// # Errors
    ///
    /// It is none, or contradicts itself.
    pub fn read(text: &[u8]) -> Result<Self, AboutError> {
        let error = |error: serde_json::Error| AboutError::Text(error.to_string());
        // The number first: another form may have other fields.
        let value: serde_json::Value = serde_json::from_slice(text).map_err(error)?;
        let found = value.get("format").and_then(serde_json::Value::as_u64);
        let found = found.unwrap_or_default();
        if found != u64::from(FORMAT) {
            return Err(AboutError::Format { found });
        }
        let about: Self = serde_json::from_value(value).map_err(error)?;
        about.check()?;
        Ok(about)
    }

    /// The text of a release.
    ///
    /// # Errors
    ///
    /// It contradicts itself.
    pub fn text(&self) -> Result<Vec<u8>, AboutError> {
        self.check()?;
        let text = serde_json::to_vec_pretty(self);
        text.map_err(|error| AboutError::Text(error.to_string()))
    }

    fn check(&self) -> Result<(), AboutError> {
        check_name(&self.name)?;
        check_version(&self.version)?;
        let mut expected = vec![Part::Executable, Part::Base];
        if let Some(way) = &self.way {
            check_version(&way.from)?;
            if way.from == self.version {
                return Err(AboutError::Same(self.version.clone()));
            }
            if way.patch.is_some() != way.restart.is_empty() {
                return Err(AboutError::Way);
            }
            expected.extend(way.patch.map(|_| Part::Patch));
            expected.push(Part::Plan);
        }
        let found: Vec<Part> = self.parts.iter().map(|it| it.part).collect();
        match found == expected {
            true => Ok(()),
            false => Err(AboutError::Parts { found, expected }),
        }
    }

    /// The description of a part, if it has one.
    pub fn part(&self, part: Part) -> Option<&Described> {
        self.parts.iter().find(|it| it.part == part)
    }
}

/// Whether a word can be the name of a program: it is that of a file beside others with a dot in theirs.
///
/// # Errors
///
/// It can't.
pub fn check_name(name: &str) -> Result<(), AboutError> {
    check_word(name, "-_")
}

/// Whether a word can be a version: it is the name of a folder.
///
/// # Errors
///
/// It can't.
pub fn check_version(version: &str) -> Result<(), AboutError> {
    check_word(version, "-_.+")
}

fn check_word(word: &str, others: &str) -> Result<(), AboutError> {
    let known = |one: char| one.is_ascii_alphanumeric() || others.contains(one);
    let begins = word.starts_with(|one: char| one.is_ascii_alphanumeric());
    if begins && word.len() <= MAX_WORD_BYTES && word.chars().all(known) {
        return Ok(());
    }
    Err(AboutError::Word(word.to_owned()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A release with these ways in; the parts are one byte each.
    pub(in crate::release) fn about(version: &str, way: Option<Way>) -> About {
        let mut parts = vec![Part::Executable, Part::Base];
        if let Some(way) = &way {
            parts.extend(way.patch.map(|_| Part::Patch));
            parts.push(Part::Plan);
        }
        About {
            format: FORMAT,
            name: "web".to_owned(),
            version: version.to_owned(),
            build_id: BuildId::from_bytes(version.as_bytes()).unwrap(),
            tool: "t".to_owned(),
            toolchain: "r".to_owned(),
            way,
            parts: parts
                .into_iter()
                .map(|part| Described::of(part, b"1"))
                .collect(),
        }
    }

    /// A way by a patch.
    pub(in crate::release) fn way(from: &str) -> Way {
        Way {
            from: from.to_owned(),
            build_id: BuildId::from_bytes(from.as_bytes()).unwrap(),
            patch: Some(Digest::of(b"1")),
            restart: Vec::new(),
            crates: vec!["util (lib)".to_owned(), "web (bin)".to_owned()],
            cells: Vec::new(),
            no_way_back: Vec::new(),
        }
    }

    fn check(change: impl FnOnce(&mut About), expected: &str) {
        let mut about = about("1.1.0", Some(way("1.0.0")));
        change(&mut about);
        let text = serde_json::to_vec(&about).unwrap();
        let outcome = match About::read(&text) {
            Ok(read) => {
                assert_eq!(read, about);
                "good".to_owned()
            }
            Err(error) => error.to_string(),
        };
        assert!(outcome.contains(expected), "{expected}: {outcome}");
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let restart = |about: &mut About| {
            let way = about.way.as_mut().unwrap();
            way.patch = None;
            way.restart = vec!["another layout".to_owned()];
        };
        check(|_| (), "good");
        check(|about| *about = self::about("1.0.0", None), "good");
        check(
            |about| {
                restart(about);
                about.parts.remove(2);
            },
            "good",
        );
        check(restart, "its parts are [Executable, Base, Patch, Plan]");
        check(|about| about.parts.swap(0, 1), "its parts are [Base, Ex");
        check(|about| about.format = 2, "it has form 2, expected 1");
        check(
            |about| about.way.as_mut().unwrap().patch = None,
            "has to name either",
        );
        check(
            |about| about.version = "1.0.0".to_owned(),
            "release 1.0.0 can't be made from release 1.0.0",
        );
        for word in ["", "..", "1/2", "-rf", "a b", "1\n", &"1".repeat(65)] {
            check(|about| about.version = word.to_owned(), "can't be the name");
            check(|about| about.name = word.to_owned(), "can't be the name");
        }
        // It would take the place of another file.
        check(|about| about.name = "plan.toml".into(), "can't be the name");
        assert!(About::read(b"{}").is_err() && About::read(b"HOT").is_err());
    }
}
