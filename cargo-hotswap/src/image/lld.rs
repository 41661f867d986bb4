//! The linker for images: the one that rustc brings, called without a compiler driver.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::children::{self, Waiting};

/// A static that an image defines for later ones, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Its symbol in the image's objects.
    pub symbol: String,
    /// The name under which later images find it. The host may have an older static of the same
    /// symbol, so it is another.
    pub name: String,
}

/// Flags of every image.
const FLAGS: [&str; 9] = [
    "-shared",
    "--eh-frame-hdr",
    "--build-id",
    "-z",
    "now",
    "-z",
    "noexecstack",
    "--no-gc-sections",
    "--hash-style=gnu",
];

/// Inputs of an image for which more than one thread of the linker pays off: to start them takes as long
/// as to link a few hundred kilobytes.
const LARGE: u64 = 16 << 20;

/// A linker that understands GNU ld's flags.
#[derive(Debug)]
pub struct Linker {
    program: PathBuf,
    /// It is rustc's own.
    own: bool,
    /// Images get no debug information.
    strips: bool,
    folder: PathBuf,
    /// Bytes that went into the last image; the next one's are much the same.
    input: u64,
    /// One that is there already when the compiler is done, for an image without exports.
    waiting: Option<Waiting>,
}

impl Linker {
    /// Finds rust-lld in the toolchain of this rustc, else a linker on the path. It may write to
    /// the folder, and strips debug information off images if it is told to.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn find(rustc: &str, folder: &Path, strips: bool) -> Result<Self> {
        let lld = rust_lld(rustc);
        let found = lld.filter(|path| path.exists()).map(|path| (path, true));
        let Some((program, own)) = found.or_else(|| on_path().map(|path| (path, false))) else {
            bail!(
                "no linker for images was found: rustc's own `rust-lld` is missing from its \
                 toolchain, and none of ld.lld, mold and ld is on the path"
            );
        };
        Ok(Self {
            program,
            own,
            strips,
            folder: folder.to_owned(),
            input: 0,
            waiting: None,
        })
    }

    /// Starts the linker while there is nothing to link yet: to load it takes longer than to link a
    /// small image. It reads the names of its files, as a script, once they are known.
    pub fn start_early(&mut self) {
        if !self.own || self.waiting.is_some() {
            return;
        }
        let Ok(flags) = self.image_flags(&[]) else {
            return;
        };
        let mut command = self.command();
        if self.input < LARGE {
            command.arg("--threads=1");
        }
        command.args(flags).arg("/dev/stdin");
        // Without it the link begins from nothing.
        self.waiting = Waiting::start(&mut command).ok();
    }

    /// Links objects into an image whose symbols stay inside, but for those in `exports`.
    ///
    /// # Errors
    ///
    /// The linker can't be run or refuses; its words are in the error.
    pub fn link_shared(
        &mut self,
        objects: &[PathBuf],
        libraries: &[PathBuf],
        exports: &[Export],
        output: &Path,
    ) -> Result<()> {
        let sizes = objects.iter().flat_map(|path| path.metadata());
        self.input = sizes.map(|metadata| metadata.len()).sum();
        if let Some(waiting) = self.waiting.take()
            && exports.is_empty()
            && let Some(script) = script(objects, libraries, output)
            && let Ok(result) = waiting.output(script.as_bytes())
            && result.status.success()
        {
            return Ok(());
        }
        // Whatever was wrong with that is told here, where it is wrong here too.
        self.run(&self.image_flags(exports)?, objects, libraries, output)
    }

    /// The flags of an image from which nothing leaves but what is named: its own calls bind inside.
    fn image_flags(&self, exports: &[Export]) -> Result<Vec<OsString>> {
        let names: String = exports
            .iter()
            .map(|export| format!(" {};", export.name))
            .collect();
        let (file, global) = match exports {
            [] => ("local.ver", String::new()),
            _ => ("exports.ver", format!("global:{names} ")),
        };
        let file = self.folder.join(file);
        std::fs::write(&file, format!("{{ {global}local: *; }};\n"))
            .with_context(|| format!("could not write {}", file.display()))?;
        let mut script = OsString::from("--version-script=");
        script.push(&file);
        let mut flags = vec!["-Bsymbolic".into(), script];
        let aliases = exports
            .iter()
            .map(|Export { symbol, name }| format!("--defsym={name}={symbol}"));
        flags.extend(aliases.map(OsString::from));
        Ok(flags)
    }

    /// Links objects and Rust libraries, in full, into a support image, whose symbols later images
    /// bind to.
    ///
    /// # Errors
    ///
    /// As [`Linker::link_shared`].
    pub fn link_support(
        &self,
        objects: &[PathBuf],
        whole: &[PathBuf],
        libraries: &[PathBuf],
        output: &Path,
    ) -> Result<()> {
        let mut flags: Vec<OsString> = vec!["--whole-archive".into()];
        flags.extend(whole.iter().map(Into::into));
        flags.push("--no-whole-archive".into());
        self.run(&flags, objects, libraries, output)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if self.own {
            command.args(["-flavor", "gnu"]);
        }
        command.args(FLAGS);
        if self.strips {
            command.arg("--strip-debug");
        }
        if self.own {
            // Eight bytes tell images apart as well as twenty, and take less time.
            command.arg("--build-id=fast");
        }
        command
    }

    fn run(
        &self,
        flags: &[OsString],
        objects: &[PathBuf],
        libraries: &[PathBuf],
        output: &Path,
    ) -> Result<()> {
        let mut command = self.command();
        command
            .args(flags)
            .arg("-o")
            .arg(output)
            .args(objects)
            .arg("--as-needed")
            .args(libraries);
        let result = children::output(&mut command)
            .with_context(|| format!("could not run the linker {}", self.program.display()))?;
        if !result.status.success() {
            bail!(
                "the linker {} refused the image:\n{}",
                self.program.display(),
                String::from_utf8_lossy(&result.stderr)
            );
        }
        Ok(())
    }
}

/// A linker script that says the same as file names on the command line; `None` if a path can't
/// stand in one.
fn script(objects: &[PathBuf], libraries: &[PathBuf], output: &Path) -> Option<String> {
    let quoted = |path: &Path| {
        let text = path.to_str()?;
        // Quotes have no escapes.
        let plain = path.is_absolute() && !text.contains(['"', '\n']);
        plain.then(|| format!("\"{text}\""))
    };
    let list = |paths: &[PathBuf]| -> Option<Vec<String>> {
        paths.iter().map(|path| quoted(path)).collect()
    };
    Some(format!(
        "OUTPUT({})\nINPUT({}\nAS_NEEDED({}))\n",
        quoted(output)?,
        list(objects)?.join("\n"),
        list(libraries)?.join("\n")
    ))
}

/// Where rustc keeps its linker.
fn rust_lld(rustc: &str) -> Option<PathBuf> {
    let mut command = Command::new(rustc);
    let output = command.args(["--print", "sysroot", "--print", "host-tuple"]);
    let said = String::from_utf8(output.output().ok()?.stdout).ok()?;
    let (sysroot, host) = said.split_once('\n')?;
    let libraries = Path::new(sysroot).join("lib/rustlib");
    Some(libraries.join(host.trim_end()).join("bin/rust-lld"))
}

fn on_path() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&folders).collect();
    ["ld.lld", "mold", "ld"]
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|path| path.exists())
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use object::write::{Object, StandardSection, Symbol, SymbolSection};
    use object::{Architecture, BinaryFormat, Endianness, SymbolFlags, SymbolKind, SymbolScope};

    use super::Linker;
    use crate::children::none_ends_them;

    /// An object that defines a function.
    fn object(path: &Path) -> PathBuf {
        let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        let symbol = object.add_symbol(Symbol {
            name: b"function".into(),
            value: 0,
            size: 0,
            kind: SymbolKind::Text,
            scope: SymbolScope::Dynamic,
            weak: false,
            section: SymbolSection::Undefined,
            flags: SymbolFlags::None,
        });
        let text = object.section_id(StandardSection::Text);
        object.add_symbol_data(symbol, text, &[0xc3], 1);
        std::fs::write(path, object.write().expect("it is whole")).expect("written");
        path.to_owned()
    }

    #[test]
    fn a_linker_that_waits_makes_the_same_image() {
        let _alone = none_ends_them();
        // The second name can't stand in a script.
        for name in ["one two's.o", "a \"quoted\" one.o"] {
            let folder = tempfile::tempdir().expect("a folder");
            let objects = [object(&folder.path().join(name))];
            let mut linker = Linker::find("rustc", folder.path(), false).expect("comes with rustc");
            let mut images = Vec::new();
            for early in [false, true, true] {
                if early {
                    linker.start_early();
                    assert!(linker.waiting.is_some());
                }
                let output = folder.path().join(format!("{}.so", images.len()));
                let linked = linker.link_shared(&objects, &[], &[], &output);
                linked.expect("a good object");
                images.push(std::fs::read(&output).expect("it was written"));
            }
            assert!(images.iter().all(|image| *image == images[0]), "{name}");
        }
    }

    #[test]
    fn refusals_are_told_in_the_linkers_words() {
        let _alone = none_ends_them();
        let folder = tempfile::tempdir().expect("a folder");
        let objects = ["one.o", "two.o"].map(|name| object(&folder.path().join(name)));
        let mut linker = Linker::find("rustc", folder.path(), false).expect("comes with rustc");
        for early in [false, true] {
            if early {
                linker.start_early();
            }
            let linked = linker.link_shared(&objects, &[], &[], &folder.path().join("image.so"));
            let error = linked.expect_err("defined twice").to_string();
            assert!(error.contains("duplicate symbol: function"), "{error}");
        }
    }
}
