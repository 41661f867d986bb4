//! The linker for images: the one that rustc brings, called without a compiler driver.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// A static that an image defines for later ones, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Its symbol in the image's objects.
    pub symbol: String,
    /// The name under which later images find it. The host may have an older static of the same
    /// symbol, so it is another.
    pub name: String,
}

/// A linker that understands GNU ld's flags.
#[derive(Debug, Clone)]
pub struct Linker {
    program: PathBuf,
    flavor: bool,
    version_script: PathBuf,
}

impl Linker {
    /// Finds rust-lld in the toolchain of this rustc, else a linker on the path.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn find(rustc: &str, folder: &Path) -> Result<Self> {
        let lld = rust_lld(rustc);
        let found = lld.filter(|path| path.exists()).map(|path| (path, true));
        let Some((program, flavor)) = found.or_else(|| on_path().map(|path| (path, false))) else {
            bail!(
                "no linker for images was found: rustc's own `rust-lld` is missing from its \
                 toolchain, and none of ld.lld, mold and ld is on the path"
            );
        };
        Ok(Self {
            program,
            flavor,
            version_script: folder.join("exports.ver"),
        })
    }

    /// Links objects into an image whose symbols stay inside, but for those in `exports`.
    ///
    /// # Errors
    ///
    /// The linker can't be run or refuses; its words are in the error.
    pub fn link_shared(
        &self,
        objects: &[PathBuf],
        libraries: &[PathBuf],
        exports: &[Export],
        output: &Path,
    ) -> Result<()> {
        // Nothing leaves the image but what is named: its own calls bind inside.
        let names: String = exports
            .iter()
            .map(|export| format!(" {};", export.name))
            .collect();
        let global = if exports.is_empty() {
            String::new()
        } else {
            format!("global:{names} ")
        };
        std::fs::write(&self.version_script, format!("{{ {global}local: *; }};\n"))
            .with_context(|| format!("could not write {}", self.version_script.display()))?;
        let mut script = std::ffi::OsString::from("--version-script=");
        script.push(&self.version_script);
        let mut flags = vec!["-Bsymbolic".into(), script];
        let aliases = exports
            .iter()
            .map(|Export { symbol, name }| format!("--defsym={name}={symbol}"));
        flags.extend(aliases.map(std::ffi::OsString::from));
        self.run(&flags, objects, libraries, output)
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
        let mut flags: Vec<std::ffi::OsString> = vec!["--whole-archive".into()];
        flags.extend(whole.iter().map(Into::into));
        flags.push("--no-whole-archive".into());
        self.run(&flags, objects, libraries, output)
    }

    fn run(
        &self,
        flags: &[std::ffi::OsString],
        objects: &[PathBuf],
        libraries: &[PathBuf],
        output: &Path,
    ) -> Result<()> {
        let mut command = Command::new(&self.program);
        if self.flavor {
            command.args(["-flavor", "gnu"]);
        }
        command
            .args([
                "-shared",
                "--eh-frame-hdr",
                "--build-id",
                "-z",
                "now",
                "-z",
                "noexecstack",
            ])
            .args(["--no-gc-sections", "--hash-style=gnu"])
            .args(flags)
            .arg("-o")
            .arg(output)
            .args(objects)
            .arg("--as-needed")
            .args(libraries);
        let result = crate::children::output(&mut command)
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

/// Where rustc keeps its linker.
fn rust_lld(rustc: &str) -> Option<PathBuf> {
    let ask = |args: &[&str]| {
        let output = Command::new(rustc).args(args).output().ok()?;
        String::from_utf8(output.stdout).ok()
    };
    let sysroot = ask(&["--print", "sysroot"])?;
    let verbose = ask(&["-vV"])?;
    let host = verbose
        .lines()
        .find_map(|line| line.strip_prefix("host: "))?;
    Some(
        Path::new(sysroot.trim())
            .join("lib/rustlib")
            .join(host)
            .join("bin/rust-lld"),
    )
}

fn on_path() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&folders).collect();
    ["ld.lld", "mold", "ld"]
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|path| path.exists())
}
