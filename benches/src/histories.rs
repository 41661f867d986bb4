//! Edits from the histories of published programs.
//!
//! What lies between two releases is taken apart into its pieces: runs of lines that were removed,
//! added or replaced. Each piece that compiles by itself is an edit as somebody made it once.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use hotswap_tests::{Event, Session};
use similar::{DiffOp, TextDiff};

use crate::mini_redis::{copy, published};
use crate::tool;
use crate::work::Work;

/// A program with releases to compare, and how it is started so that it stays.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// Its package.
    pub name: &'static str,
    /// Releases, the oldest first.
    pub releases: &'static [&'static str],
    /// Flags of `cargo run`.
    pub flags: &'static [&'static str],
    /// The program's own arguments; `$FREE_PORT` stands for a port that nobody uses.
    pub arguments: &'static [&'static str],
}

/// The programs.
pub const PROGRAMS: [Program; 3] = [
    Program {
        name: "mini-redis",
        releases: &["0.2.0", "0.3.0", "0.4.1"],
        flags: &["--bin", "mini-redis-server"],
        arguments: &["--port", "$FREE_PORT"],
    },
    Program {
        name: "bore-cli",
        releases: &["0.3.0", "0.4.1", "0.5.3", "0.6.0"],
        flags: &[],
        arguments: &["server"],
    },
    Program {
        name: "rumqttd",
        releases: &["0.17.0", "0.18.0", "0.19.0", "0.20.0"],
        flags: &["--no-default-features"],
        arguments: &["--config", "rumqttd.toml"],
    },
];

/// Some lines of a file that another release has otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The file, relative to the package.
    pub file: PathBuf,
    /// The first of the lines that are replaced, from 0, and how many they are.
    pub lines: (usize, usize),
    /// What stands there instead.
    pub instead: Vec<String>,
}

/// The pieces of the difference between two texts of a file.
pub fn pieces(file: &Path, old: &str, new: &str) -> Vec<Piece> {
    let difference = TextDiff::from_lines(old, new);
    let new_lines: Vec<&str> = new.split_inclusive('\n').collect();
    let pieces = difference.ops().iter().filter_map(|op| {
        let (old, new) = (op.old_range(), op.new_range());
        (!matches!(op, DiffOp::Equal { .. })).then(|| Piece {
            file: file.to_owned(),
            lines: (old.start, old.len()),
            instead: new_lines[new].iter().map(|&line| line.to_owned()).collect(),
        })
    });
    pieces.collect()
}

/// A text with one piece in its place. `marked` is the text that the piece's line numbers are of,
/// with lines inserted into it; those stay, unless they stand among lines that are replaced.
pub fn with_piece(original: &str, marked: &str, piece: &Piece) -> String {
    let lines: Vec<&str> = marked.split_inclusive('\n').collect();
    let places = places(original, marked);
    let (start, count) = piece.lines;
    let after = |line: usize| line.checked_sub(1).map_or(0, |before| places[before] + 1);
    // What is only added comes before a mark of the line that follows.
    let first = if count == 0 {
        after(start)
    } else {
        places[start]
    };
    let instead = piece.instead.iter().map(String::as_str);
    let (head, tail) = (&lines[..first], &lines[after(start + count)..]);
    head.iter()
        .copied()
        .chain(instead)
        .chain(tail.iter().copied())
        .collect()
}

/// Where each line of a text stands in the same text with lines inserted.
fn places(original: &str, marked: &str) -> Vec<usize> {
    let difference = TextDiff::from_lines(original, marked);
    let equal = difference.ops().iter().filter_map(|op| match op {
        DiffOp::Equal { new_index, len, .. } => Some(*new_index..*new_index + *len),
        _ => None,
    });
    equal.flatten().collect()
}

/// What became of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is live, all of it.
    Live,
    /// It is live, and some of what was edited runs only in old code or has ended.
    PartlyOld,
    /// It changes no code.
    NoCode,
    /// It does not compile by itself, so nobody ever made it so.
    NoEdit,
    /// It was refused.
    Refused {
        /// The kind of reason, in a word.
        kind: String,
        /// The reason and the things that it names.
        words: String,
    },
    /// The tool or the program failed.
    Failed(String),
}

/// A release that runs, and the pieces of what the next one changes.
pub struct Release {
    root: PathBuf,
    session: Session,
    /// By file: as published, and as it is before an edit.
    texts: BTreeMap<PathBuf, (String, String)>,
    /// What the next release has otherwise.
    pub pieces: Vec<Piece>,
}

impl Release {
    /// Builds and starts a release with the functions marked that `cargo hotswap init` shows.
    ///
    /// # Errors
    ///
    /// A release can't be fetched, or does not build or start.
    pub fn start(program: &Program, old: &str, new: &str, tool: &Path) -> Result<Self> {
        let name = format!("{}-{old}", program.name);
        let (before, after) = (published(program.name, old)?, published(program.name, new)?);
        let (root, target) = Work::folder(&name)?;
        copy(&before, &root)?;
        let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
        fs::write(root.join("Cargo.toml"), manifest + "\n[workspace]\n")?;
        // The one that was published may name what today's compiler does not take.
        let _none = fs::remove_file(root.join("Cargo.lock"));
        let work = Work::whole(root.clone(), target);
        mark(tool, &work)?;
        let mut command = tool::run(tool, &work, program.flags);
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let arguments = program.arguments.iter();
        command
            .arg("--")
            .args(arguments.map(|word| word.replace("$FREE_PORT", &port.to_string())));
        let mut session = Session::spawn(command)?;
        session.await_ready()?;
        let compiled = compiled(&work)?;
        let mut texts = BTreeMap::new();
        let mut pieces = Vec::new();
        for file in sources(&before)? {
            let path = root.join(&file);
            if !compiled.contains(&*path.to_string_lossy()) {
                // Of another of the package's programs.
                continue;
            }
            let original = fs::read_to_string(before.join(&file))?;
            if let Ok(changed) = fs::read_to_string(after.join(&file)) {
                pieces.extend(self::pieces(&file, &original, &changed));
            }
            texts.insert(file, (original, fs::read_to_string(path)?));
        }
        Ok(Self {
            root,
            session,
            texts,
            pieces,
        })
    }

    /// Makes one edit, takes it back, and tells what became of it.
    ///
    /// # Errors
    ///
    /// The tool or the program ended.
    pub fn try_edit(&mut self, piece: &Piece) -> Result<Fate> {
        let (original, marked) = &self.texts[&piece.file];
        let (edited, marked) = (with_piece(original, marked, piece), marked.clone());
        if edited == marked {
            return Ok(Fate::NoCode);
        }
        self.save(&piece.file, &edited)?;
        let fate = fate(&self.outcome()?);
        self.save(&piece.file, &marked)?;
        self.outcome()?;
        Ok(fate)
    }

    fn save(&self, file: &Path, text: &str) -> Result<()> {
        let path = self.root.join(file);
        // Beside the package: a new file among the sources would be an edit of its own.
        let temporary = self.root.with_extension("saving");
        fs::write(&temporary, text)?;
        fs::rename(&temporary, &path).with_context(|| format!("writing {}", path.display()))
    }

    fn outcome(&mut self) -> Result<Event> {
        loop {
            let event = self.session.next_event()?;
            if event.is_outcome() {
                return Ok(event);
            }
        }
    }
}

fn fate(event: &Event) -> Fate {
    let message = || event.text("message").unwrap_or_default().to_owned();
    match event.kind() {
        "swapped" if event.field_has("still_old", &[]) => Fate::PartlyOld,
        "swapped" => Fate::Live,
        "unchanged" => Fate::NoCode,
        "compile-error" => Fate::NoEdit,
        "refused" => Fate::Refused {
            kind: event.text("reason").unwrap_or("other").to_owned(),
            words: message(),
        },
        _ => Fate::Failed(event.to_string()),
    }
}

fn mark(tool: &Path, work: &Work) -> Result<()> {
    let runtime = hotswap_tests::workspace().join("hotswap-runtime");
    let output = tool::command(tool, work)
        .args(["hotswap", "init", "--mark-all", "--path"])
        .arg(runtime)
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "init: {text}");
    Ok(())
}

/// What cargo says of the files that the package's executables were made from.
fn compiled(work: &Work) -> Result<String> {
    let mut text = String::new();
    for entry in fs::read_dir(work.target.join("debug"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "d") {
            text += &fs::read_to_string(path)?;
        }
    }
    Ok(text)
}

/// The source files of a package, relative to it.
fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path.strip_prefix(root)?.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{pieces, with_piece};

    #[test]
    fn a_piece_takes_its_place_among_marks() {
        let old = "a\nb\nc\nd\n";
        for (new, marked, expected) in [
            ("a\nB\nc\nd\n", "a\n#\nb\nc\nd\n", vec!["a\n#\nB\nc\nd\n"]),
            ("a\nB\nc\nd\n", "a\nb\n#\nc\nd\n", vec!["a\nB\n#\nc\nd\n"]),
            ("a\nc\nd\n", "#\na\nb\nc\n#\nd\n", vec!["#\na\nc\n#\nd\n"]),
            (
                "a\nx\nb\nc\nd\n",
                "a\n#\nb\nc\nd\n",
                vec!["a\nx\n#\nb\nc\nd\n"],
            ),
            (
                "A\nb\nc\nd\ne\n",
                "#\na\nb\nc\nd\n",
                vec!["#\nA\nb\nc\nd\n", "#\na\nb\nc\nd\ne\n"],
            ),
            ("a\nX\nd\n", "a\nb\n#\nc\nd\n", vec!["a\nX\nd\n"]),
        ] {
            let pieces = pieces(Path::new("f"), old, new);
            let edited = pieces.iter().map(|piece| with_piece(old, marked, piece));
            assert_eq!(edited.collect::<Vec<_>>(), expected, "{new}");
        }
    }
}
