//! What a release says of itself: the text that is signed, with digests of all else.

use hotswap_protocol::build_id::BuildId;
use hotswap_protocol::patch::Digest;
use serde::{Deserialize, Serialize};

/// The number of this form; another is refused.
pub const FORMAT: u32 = 1;

/// The longest name or version, in bytes.
const MAX_WORD_BYTES: usize = 64;

/// The most ways to a release.
const MAX_WAYS: usize = 100;

/// A release: a build of a program, and the ways to it from the release before.
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
    /// From the release before, one for each way in which a program may have come to that; none for the first one.
    pub ways: Vec<Way>,
    /// What belongs to it, in the order of the file.
    pub parts: Vec<Described>,
}

/// What lies between a release and the one before, for programs that came to that one in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Way {
    /// The versions that such a program has run: the one that it was started from, and those that it went over to
    /// since. The last is the release before.
    pub from: Vec<String>,
    /// The build id of the executable that it was started from.
    pub build_id: BuildId,
    /// What the patches are known by that it went over with, the oldest first.
    pub below: Vec<Digest>,
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

impl Way {
    /// The release before.
    pub fn before(&self) -> &str {
        self.from.last().map_or("", String::as_str)
    }

    /// The release before, and how programs came to that, for people.
    pub fn shown(&self) -> String {
        let before = self.before();
        match self.from.as_slice() {
            [started, between @ .., _] => {
                let over: Vec<&str> = between.iter().map(String::as_str).collect();
                let over = match over.is_empty() {
                    true => String::new(),
                    false => format!(" over {}", over.join(", ")),
                };
                format!("{before} in a program that came from {started}{over} while it ran")
            }
            _ => before.to_owned(),
        }
    }

    fn check(&self) -> Result<(), AboutError> {
        for version in &self.from {
            check_version(version)?;
        }
        if self.from.len() != self.below.len() + 1 {
            let (versions, patches) = (self.from.len(), self.below.len());
            return Err(AboutError::Stack { versions, patches });
        }
        match self.patch.is_some() == self.restart.is_empty() {
            true => Ok(()),
            false => Err(AboutError::Way),
        }
    }
}

/// A file that belongs to a release. Ways are counted from 0 here, and from 1 in names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The program.
    Executable,
    /// What patches of it are made from.
    Base,
    /// The patch of a way.
    Patch(usize),
    /// What is done on a way.
    Plan(usize),
}

impl Part {
    /// The name of its file, for a program of this name.
    pub fn file(self, name: &str) -> String {
        match self {
            Self::Executable => name.to_owned(),
            Self::Base => format!("{name}.hotswap"),
            Self::Patch(way) => format!("way-{}.hotpatch", way + 1),
            Self::Plan(way) => format!("way-{}.toml", way + 1),
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
    /// The release before, or one before that, has the same version.
    #[error("release {0} can't be made from release {0}: give it a version of its own")]
    Same(String),
    /// More ways than anybody makes.
    #[error("more than {MAX_WAYS} ways lead to it")]
    TooMany,
    /// Ways from several releases, or two for the same programs.
    #[error("each way has to begin at the same release, and to be for other programs")]
    Ways,
    /// A program is in another release with each patch.
    #[error("a way has {patches} patches below its own for {versions} releases")]
    Stack {
        /// How many releases.
        versions: usize,
        /// How many patches.
        patches: usize,
    },
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
        if self.ways.len() > MAX_WAYS {
            return Err(AboutError::TooMany);
        }
        for (at, way) in self.ways.iter().enumerate() {
            way.check()?;
            if way.from.contains(&self.version) {
                return Err(AboutError::Same(self.version.clone()));
            }
            let other = |one: &Way| one.from == way.from || one.before() != way.before();
            if self.ways[..at].iter().any(other) {
                return Err(AboutError::Ways);
            }
        }
        let expected = self.expected();
        let found: Vec<Part> = self.parts.iter().map(|it| it.part).collect();
        match found == expected {
            true => Ok(()),
            false => Err(AboutError::Parts { found, expected }),
        }
    }

    /// The parts that it must have, in the order of the file.
    fn expected(&self) -> Vec<Part> {
        let mut expected = vec![Part::Executable, Part::Base];
        for (at, way) in self.ways.iter().enumerate() {
            expected.extend(way.patch.map(|_| Part::Patch(at)));
            expected.push(Part::Plan(at));
        }
        expected
    }

    /// The release before, if there is one.
    pub fn before(&self) -> Option<&str> {
        self.ways.first().map(Way::before)
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

    /// A release with these ways; the parts are one byte each.
    pub(in crate::release) fn about(version: &str, ways: Vec<Way>) -> About {
        let mut about = About {
            format: FORMAT,
            name: "web".to_owned(),
            version: version.to_owned(),
            build_id: BuildId::from_bytes(version.as_bytes()).unwrap(),
            tool: "t".to_owned(),
            toolchain: "r".to_owned(),
            ways,
            parts: Vec::new(),
        };
        let parts = about.expected().into_iter();
        about.parts = parts.map(|part| Described::of(part, b"1")).collect();
        about
    }

    /// A way by a patch, whose content is the last version, after those whose contents are the ones before.
    pub(in crate::release) fn way(from: &[&str]) -> Way {
        let digest = |version: &&str| Digest::of(version.as_bytes());
        Way {
            from: from.iter().map(ToString::to_string).collect(),
            build_id: BuildId::from_bytes(from[0].as_bytes()).unwrap(),
            below: from[..from.len() - 1].iter().map(digest).collect(),
            patch: from.last().map(digest),
            restart: Vec::new(),
            crates: vec!["util (lib)".to_owned(), "web (bin)".to_owned()],
            cells: Vec::new(),
            no_way_back: Vec::new(),
        }
    }

    fn check(change: impl FnOnce(&mut About), expected: &str) {
        let ways = vec![way(&["1.0.0"]), way(&["0.9.0", "1.0.0"])];
        let mut about = about("1.1.0", ways);
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
            let way = &mut about.ways[0];
            way.patch = None;
            way.restart = vec!["another layout".to_owned()];
        };
        check(|_| (), "good");
        check(|about| *about = self::about("1.0.0", Vec::new()), "good");
        check(
            |about| {
                restart(about);
                about.parts.remove(2);
            },
            "good",
        );
        check(
            restart,
            "its parts are [Executable, Base, Patch(0), Plan(0), Patch(1), Plan(1)]",
        );
        check(|about| about.parts.swap(0, 1), "its parts are [Base, Ex");
        check(|about| about.format = 2, "it has form 2, expected 1");
        check(|about| about.ways[1].patch = None, "has to name either");
        check(
            |about| about.version = "1.0.0".to_owned(),
            "release 1.0.0 can't be made from release 1.0.0",
        );
        check(
            |about| about.version = "0.9.0".to_owned(),
            "release 0.9.0 can't be made from release 0.9.0",
        );
        check(
            |about| about.ways[1].from = vec!["0.9.0".into(), "0.9.5".into()],
            "begin at the same release",
        );
        check(
            |about| about.ways[1] = about.ways[0].clone(),
            "to be for other programs",
        );
        check(
            |about| about.ways[1].below.clear(),
            "a way has 0 patches below its own for 2 releases",
        );
        check(|about| about.ways[0].from.clear(), "for 0 releases");
        check(
            |about| about.ways = vec![way(&["1.0.0"]); MAX_WAYS + 1],
            "more than 100 ways",
        );
        for word in ["", "..", "1/2", "-rf", "a b", "1\n", &"1".repeat(65)] {
            check(|about| about.version = word.to_owned(), "can't be the name");
            check(|about| about.name = word.to_owned(), "can't be the name");
            check(
                |about| about.ways[1].from[0] = word.to_owned(),
                "can't be the name",
            );
        }
        // It would take the place of another file.
        check(
            |about| about.name = "way-1.toml".into(),
            "can't be the name",
        );
        assert!(About::read(b"{}").is_err() && About::read(b"HOT").is_err());
    }

    #[test]
    fn a_way_tells_which_programs_it_is_for() {
        for (from, expected) in [
            (&["1.0.0"][..], "1.0.0"),
            (
                &["0.9.0", "1.0.0"],
                "1.0.0 in a program that came from 0.9.0 while it ran",
            ),
            (
                &["0.8.0", "0.9.0", "0.9.1", "1.0.0"],
                "1.0.0 in a program that came from 0.8.0 over 0.9.0, 0.9.1 while it ran",
            ),
        ] {
            assert_eq!(way(from).shown(), expected);
        }
    }
}
