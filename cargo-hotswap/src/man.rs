//! Manual pages, from the one definition of the command line.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Command;
use clap_mangen::Man;

use crate::{cli, output};

/// A manual page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The file, such as `cargo-hotswap-run.1`.
    pub file: String,
    /// Its text in roff.
    pub text: String,
}

/// All pages: `cargo-hotswap`, and one for each of its commands and of theirs.
///
/// # Errors
///
/// There is none; writing to memory can't fail.
pub fn pages() -> Result<Vec<Page>> {
    let mut cargo = cli::command();
    cargo = cargo.mut_subcommand("hotswap", |command| command.disable_help_subcommand(true));
    cargo.build();
    let command = cargo
        .find_subcommand("hotswap")
        .context("the command line has no `hotswap`")?;
    let top = command
        .clone()
        .name("cargo-hotswap")
        .display_name("cargo-hotswap")
        .bin_name("cargo hotswap");
    let mut pages = vec![page(&top)?];
    for verb in verbs(command) {
        let name = format!("cargo-hotswap-{}", verb.get_name());
        let bin_name = format!("cargo hotswap {}", verb.get_name());
        pages.push(page(&named(verb, &name, &bin_name))?);
        for inner in verbs(verb) {
            let name = format!("{name}-{}", inner.get_name());
            let bin_name = format!("{bin_name} {}", inner.get_name());
            pages.push(page(&named(inner, &name, &bin_name))?);
        }
    }
    Ok(pages)
}

/// The commands of a command, but for the one that explains the others.
fn verbs(command: &Command) -> impl Iterator<Item = &Command> {
    let verbs = command.get_subcommands();
    verbs.filter(|verb| verb.get_name() != "help")
}

/// A command under the name that its page has.
fn named(verb: &Command, name: &str, bin_name: &str) -> Command {
    let verb = verb.clone().display_name(name).name(name.to_owned());
    let verb = verb.bin_name(bin_name).disable_help_subcommand(true);
    verb.version(env!("CARGO_PKG_VERSION"))
}

fn page(command: &Command) -> Result<Page> {
    let name = command.get_name();
    let mut text = Vec::new();
    let man = Man::new(command.clone())
        .manual("Cargo commands")
        .source(format!("cargo-hotswap {}", env!("CARGO_PKG_VERSION")));
    man.render(&mut text)?;
    text.extend_from_slice(see_also(name).as_bytes());
    Ok(Page {
        file: format!("{name}.1"),
        text: String::from_utf8_lossy(&text).into_owned(),
    })
}

/// The last section: where more is said.
fn see_also(page: &str) -> String {
    let others = match page {
        "cargo-hotswap" => "\\fBcargo\\fR(1), \\fBcargo\\-run\\fR(1)",
        _ => "\\fBcargo\\-hotswap\\fR(1)",
    };
    format!(".SH \"SEE ALSO\"\n{others}\n")
}

/// Writes all pages into a folder.
///
/// # Errors
///
/// The folder can't be written.
pub fn run(folder: &Path) -> Result<i32> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("could not make the folder {}", folder.display()))?;
    let pages = pages()?;
    for Page { file, text } in &pages {
        let path: PathBuf = folder.join(file);
        std::fs::write(&path, text)
            .with_context(|| format!("could not write {}", path.display()))?;
    }
    output::status(
        "Wrote",
        &format!("{} pages to {}", pages.len(), folder.display()),
    );
    Ok(0)
}
