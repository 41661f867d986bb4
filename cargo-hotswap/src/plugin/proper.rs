//! The linker proper behind the program that rustc calls to link, and whether it is a known one.

use std::path::Path;
use std::process::{Command, Stdio};

use super::rustc_args::RustcArgs;

/// Linkers that make hosts which take the same patches, as tests show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proper {
    /// LLVM's lld: the one that comes with rustc, or another.
    Lld,
    /// GNU ld.
    Bfd,
    /// mold.
    Mold,
    /// wild.
    Wild,
}

/// A linker that nobody knows to make hosts which take patches.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{call}` links with {name}\n\
     = why: what patches rely on in an executable is tested with rust-lld, GNU ld, lld, mold and \
     wild alone\n\
     = help: leave the linker to rustc, or name one of these (`-C link-arg=-fuse-ld=mold`)"
)]
pub struct Unknown {
    /// The program that rustc calls, and what of its arguments chooses the linker.
    call: String,
    /// What the linker says it is.
    pub name: String,
}

/// The program that rustc calls to link, as rustc's own arguments have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    program: String,
    arguments: Vec<String>,
}

impl Called {
    /// What these arguments of rustc say. It is `None` where they leave the choice to rustc, which
    /// takes its own lld, or name that.
    pub fn of(args: &RustcArgs) -> Option<Self> {
        let mut called = Self {
            program: "cc".to_owned(),
            arguments: Vec::new(),
        };
        let mut own = true;
        for (option, value) in args.codegen_options() {
            match option {
                "linker" => called.program = value.to_owned(),
                "link-arg" => called.arguments.push(value.to_owned()),
                "link-args" => {
                    let words = value.split_whitespace().map(str::to_owned);
                    called.arguments.extend(words);
                }
                "linker-features" => own = !value.split(',').any(|feature| feature == "-lld"),
                _ => {}
            }
        }
        own &= is_compiler(&called.program) && called.choosing().next().is_none();
        (!own && stem(&called.program) != "rust-lld").then_some(called)
    }

    /// Arguments by which a C compiler chooses the linker.
    fn choosing(&self) -> impl Iterator<Item = &str> {
        let all = self.arguments.iter().map(String::as_str);
        all.filter(|argument| {
            ["-fuse-ld=", "--ld-path=", "-B"]
                .iter()
                .any(|flag| argument.starts_with(flag))
        })
    }

    /// Asks the program which linker it leads to.
    ///
    /// # Errors
    ///
    /// It is none that is known. One that can't be run at all is left to rustc, which says so.
    pub fn ask(&self) -> Result<Option<Proper>, Unknown> {
        let mut name = String::new();
        // A C compiler hands the first one on; a linker itself takes the second.
        for flag in ["-Wl,--version", "--version"] {
            let mut command = Command::new(&self.program);
            command.args(&self.arguments).arg(flag).stdin(Stdio::null());
            let Ok(output) = command.output() else {
                return Ok(None);
            };
            let said = String::from_utf8_lossy(&output.stdout);
            let first = said.lines().next().unwrap_or_default().trim();
            if let Some(proper) = recognise(first) {
                return Ok(Some(proper));
            }
            if name.is_empty() {
                name = first.to_owned();
            }
        }
        if name.is_empty() {
            name = "a linker that does not tell its name".to_owned();
        }
        let words = std::iter::once(self.program.as_str()).chain(self.choosing());
        Err(Unknown {
            call: words.collect::<Vec<_>>().join(" "),
            name,
        })
    }
}

/// The linker whose version this is.
fn recognise(said: &str) -> Option<Proper> {
    let starts = |name: &str| said.starts_with(name);
    match said {
        _ if starts("GNU ld ") => Some(Proper::Bfd),
        _ if starts("mold ") => Some(Proper::Mold),
        _ if starts("Wild ") => Some(Proper::Wild),
        // Distributions put their name before it.
        _ if said.split(' ').any(|word| word == "LLD") => Some(Proper::Lld),
        _ => None,
    }
}

/// Whether a program is a C compiler by its name, for which rustc names the linker.
fn is_compiler(program: &str) -> bool {
    let stem = stem(program);
    let name = stem.trim_end_matches(|last: char| last.is_ascii_digit() || "-.".contains(last));
    let last = name.rsplit('-').next().unwrap_or(name);
    ["cc", "gcc", "clang", "g++", "c++", "clang++"].contains(&last)
}

fn stem(program: &str) -> &str {
    let name = Path::new(program)
        .file_name()
        .and_then(|name| name.to_str());
    name.unwrap_or(program)
}

#[cfg(test)]
mod tests {
    use super::{Called, Proper, recognise};
    use crate::plugin::rustc_args::RustcArgs;

    #[test]
    fn flags_that_choose_a_linker_are_seen() {
        for (args, expected) in [
            ("", None),
            ("-Copt-level=3 -C link-arg=-Wl,-O1", None),
            ("-C linker=clang-18", None),
            ("-C linker=/opt/x86_64-linux-gnu-gcc", None),
            ("-C linker=/rust/bin/rust-lld", None),
            ("-C linker-features=-lld", Some("cc")),
            ("-C linker-features=-lld -C linker-features=+lld", None),
            ("-C link-arg=-fuse-ld=gold", Some("cc -fuse-ld=gold")),
            (
                "-C linker=clang -Clink-args=-s\u{1}--ld-path=/x",
                Some("clang -s --ld-path=/x"),
            ),
            ("-C link-arg=-B/x -Clinker=gcc", Some("gcc -B/x")),
            ("-C linker=/opt/link.sh", Some("/opt/link.sh")),
            ("-C linker=ld.lld", Some("ld.lld")),
        ] {
            let words = args.split_whitespace();
            let words = words.map(|word| word.replace('\u{1}', " "));
            let called = Called::of(&RustcArgs(words.collect()));
            let called = called.map(|called| {
                let words = std::iter::once(called.program).chain(called.arguments);
                words.collect::<Vec<_>>().join(" ")
            });
            assert_eq!(called.as_deref(), expected, "{args}");
        }
    }

    #[test]
    fn linkers_are_known_by_their_own_words() {
        for (said, expected) in [
            ("GNU ld (GNU Binutils for Debian) 2.40", Some(Proper::Bfd)),
            ("GNU ld version 2.41-37.fc40", Some(Proper::Bfd)),
            ("GNU gold (GNU Binutils for Debian 2.40) 1.16", None),
            (
                "Debian LLD 14.0.6 (compatible with GNU linkers)",
                Some(Proper::Lld),
            ),
            (
                "LLD 22.1.0 (compatible with GNU linkers)",
                Some(Proper::Lld),
            ),
            ("mold 1.10.1 (compatible with GNU ld)", Some(Proper::Mold)),
            (
                "Wild 0.10.0 (compatible with GNU linkers)",
                Some(Proper::Wild),
            ),
            ("strange 1.0 (compatible with GNU ld)", None),
            ("gcc (Debian 12.2.0-14) 12.2.0", None),
            ("", None),
        ] {
            assert_eq!(recognise(said), expected, "{said}");
        }
    }

    #[test]
    fn others_are_refused_by_what_they_call_themselves() {
        let called = |program: &str| Called {
            program: program.to_owned(),
            arguments: vec!["-fuse-ld=x".to_owned(), "-s".to_owned()],
        };
        // It prints its arguments.
        let refused = called("echo").ask().expect_err("is no linker");
        let text = refused.to_string();
        assert!(
            text.starts_with("`echo -fuse-ld=x` links with -fuse-ld=x -s -Wl,--version\n= why: "),
            "{text}"
        );
        let refused = called("true").ask().expect_err("is no linker");
        assert!(refused.name.contains("does not tell"), "{refused}");
        // rustc has words for this.
        assert!(matches!(called("/no/such/linker").ask(), Ok(None)));
    }
}
