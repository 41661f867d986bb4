//! A linker command line as rustc writes it, read into its parts.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// One argument of the link, by what it is to the plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An object file of the crate itself.
    Object(PathBuf),
    /// A Rust library.
    Library(PathBuf),
    /// A flag that would remove what patches need.
    Dropped(OsString),
    /// Anything else, kept in its place.
    Other(OsString),
}

/// A parsed link line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The arguments in order.
    pub items: Vec<Item>,
    /// The file to be written.
    pub output: PathBuf,
    direct: bool,
}

impl Line {
    /// Reads a link line; `@file` arguments are read in.
    ///
    /// # Errors
    ///
    /// A response file can't be read, or the line names no output.
    pub fn parse(args: &[OsString]) -> Result<Self> {
        let mut words = Vec::new();
        for arg in args {
            match arg.to_str().and_then(|arg| arg.strip_prefix('@')) {
                Some(file) => words.extend(response_file(Path::new(file))?),
                None => words.push(arg.clone()),
            }
        }
        let Some(at) = words.iter().position(|word| word == "-o") else {
            bail!("the link line has no output file");
        };
        let output = words
            .get(at + 1)
            .map(PathBuf::from)
            .context("`-o` has no value")?;
        // A driver such as cc takes linker flags behind `-Wl,`; ld itself knows no such flag.
        let direct = !words
            .iter()
            .any(|word| word.as_encoded_bytes().starts_with(b"-Wl,"));
        Ok(Self {
            items: words.into_iter().map(item).collect(),
            output,
            direct,
        })
    }

    /// The crate's own objects.
    pub fn objects(&self) -> impl Iterator<Item = &Path> {
        self.items.iter().filter_map(|item| match item {
            Item::Object(path) => Some(path.as_path()),
            _ => None,
        })
    }

    /// The Rust libraries.
    pub fn libraries(&self) -> impl Iterator<Item = &Path> {
        self.items.iter().filter_map(|item| match item {
            Item::Library(path) => Some(path.as_path()),
            _ => None,
        })
    }

    /// Shared libraries that are named by path, as rustc names those written in Rust.
    pub fn dynamic_libraries(&self) -> Vec<PathBuf> {
        let shared = self.items.iter().filter_map(|item| match item {
            Item::Other(arg) if arg.as_encoded_bytes().ends_with(b".so") => {
                Some(PathBuf::from(arg))
            }
            _ => None,
        });
        shared.filter(|path| path.is_absolute()).collect()
    }

    /// A flag for the linker proper, in the spelling of this line.
    pub fn linker_flag(&self, flag: &str) -> OsString {
        if self.direct {
            flag.into()
        } else {
            format!("-Wl,{flag}").into()
        }
    }
}

fn item(word: OsString) -> Item {
    let path = Path::new(&word);
    match path.extension().and_then(OsStr::to_str) {
        Some("o") => return Item::Object(path.to_owned()),
        Some("rlib") => return Item::Library(path.to_owned()),
        _ => {}
    }
    match word.to_str() {
        Some(
            "-Wl,--gc-sections" | "-Wl,--strip-all" | "-Wl,-s" | "-s" | "--gc-sections"
            | "--strip-all" | "-Wl,--icf=all" | "-Wl,--icf=safe",
        ) => Item::Dropped(word),
        _ => Item::Other(word),
    }
}

/// The arguments in a response file, one a line, quoted as rustc quotes them for GNU tools.
fn response_file(path: &Path) -> Result<Vec<OsString>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("could not read the response file {}", path.display()))?;
    Ok(text.lines().map(unquote).collect())
}

fn unquote(line: &str) -> OsString {
    let line = line
        .strip_prefix('"')
        .and_then(|l| l.strip_suffix('"'))
        .unwrap_or(line);
    let mut word = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        word.push(if c == '\\' {
            chars.next().unwrap_or(c)
        } else {
            c
        });
    }
    word.into()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Item, Line};

    #[test]
    fn sorts_a_line_of_rustc() {
        let words = "-m64 /t/symbols.o /t/a.rcgu.o -Wl,--as-needed /t/libdep.rlib -lc -o /t/app \
                     -Wl,--gc-sections -pie -Wl,--strip-all /t/libdyn.so";
        let args: Vec<_> = words.split_whitespace().map(Into::into).collect();
        let line = Line::parse(&args).unwrap();
        assert_eq!(line.output, Path::new("/t/app"));
        assert_eq!(line.objects().count(), 2);
        assert_eq!(
            line.libraries().collect::<Vec<_>>(),
            [Path::new("/t/libdep.rlib")]
        );
        assert_eq!(line.dynamic_libraries(), [Path::new("/t/libdyn.so")]);
        let dropped = line
            .items
            .iter()
            .filter(|item| matches!(item, Item::Dropped(_)));
        assert_eq!(dropped.count(), 2);
        assert_eq!(line.linker_flag("--x"), "-Wl,--x");
    }

    #[test]
    fn reads_response_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("args");
        std::fs::write(&file, "\"-o\"\n\"/t/with space/a \\\"b\\\"\"\n/t/x.o\n").unwrap();
        let line = Line::parse(&[format!("@{}", file.display()).into()]).unwrap();
        assert_eq!(line.output, Path::new("/t/with space/a \"b\""));
        assert_eq!(line.objects().count(), 1);
    }

    #[test]
    fn a_line_without_output_is_an_error() {
        assert!(Line::parse(&["-lc".into()]).is_err());
    }
}
