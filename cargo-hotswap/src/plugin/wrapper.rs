//! The rustc wrapper: decides whether a crate is hot, adjusts and records its compilation.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use command_fds::{CommandFdExt, FdMapping};

use super::capture::{self, UnitCapture};
use super::linker::{LinkMode, LinkRequest};
use super::proper::Called;
use super::rustc_args::RustcArgs;
use super::{LINK_VAR, PLUGIN_VAR, PluginConfig};
use crate::children::Lent;

/// Tells `#[hotswap::entry]` to expand its hot form.
const EXPAND_VAR: &str = "HOTSWAP_EXPAND";

/// The descriptor under which rustc finds the folder that it writes to, if it compiles incrementally.
///
/// The path of that folder is part of what rustc's incremental state is keyed by. Named by a
/// descriptor it is the same text in cargo's build and in every replay, whatever the folder. Without
/// such state the path is plain, for wrappers that have a server compile: it has other descriptors.
/// What is incremental such wrappers leave to the compiler itself.
const OUT_DESCRIPTOR: i32 = 250;

/// The name of that folder for rustc.
const OUT_DIR: &str = "/proc/self/fd/250";

/// Keeps LLVM from making methods with equal bodies one function: vtables would no longer tell them apart.
const WITHOUT_MERGING: &str = "llvm-args=-opt-disable=mergefunc";

/// Keeps LLVM from treating statics as it likes where it knows all code that uses them. The passes split, narrow and
/// drop them, differently in each version, and put what they hold in place of them; the analyses tell others
/// that nobody else writes there.
const WITHOUT_STATICS: [&str; 2] = [
    "llvm-args=-opt-disable=called-value-propagation,globalopt,ipsccp",
    "llvm-args=-enable-global-analyses=false",
];

/// Crates of hotswap itself: never hot, even as members of the user's workspace.
pub const OWN_CRATES: [&str; 6] = [
    "cargo_hotswap",
    "hotswap",
    "hotswap_layout",
    "hotswap_macros",
    "hotswap_object",
    "hotswap_protocol",
];

/// Runs rustc for cargo; returns only if that failed.
///
/// # Errors
///
/// rustc could not be started, or the capture could not be written.
pub fn run(config: &PluginConfig, args: &[OsString]) -> Result<i32> {
    let Some(call) = Call::new(config, args) else {
        bail!("{PLUGIN_VAR} is set, but no compiler was named: it is for cargo-hotswap's own use");
    };
    let text: Option<Vec<String>> = call
        .args
        .iter()
        .map(|arg| arg.to_str().map(str::to_owned))
        .collect();
    let Some(line) = text.map(RustcArgs) else {
        bail!("an argument of rustc is not UTF-8; hotswap can't record it. Rename the path in it");
    };
    if !call.workspace || !is_hot(&line) {
        return pass_through(config, &call);
    }
    let unit = hot_unit(config, call.rustc, line)?;
    let stem = unit.rustc_args().file_stem().unwrap_or_default();
    capture::store(&capture::unit_path(&unit.out_dir, &stem), &unit)?;
    let mut command = command(&unit)?;
    Err(command.exec()).with_context(|| format!("could not run {}", unit.program.join(" ")))
}

/// A command that repeats a captured compilation, environment and folders included.
///
/// # Errors
///
/// The folder that rustc writes to can't be opened.
pub fn command(unit: &UnitCapture) -> Result<Command> {
    let mut command = command_to_lend(unit)?;
    if writes_by_descriptor(unit) {
        command
            .fd_mappings(vec![FdMapping {
                parent_fd: out_folder(unit)?.into(),
                child_fd: OUT_DESCRIPTOR,
            }])
            .context("could not pass a folder to rustc")?;
    }
    Ok(command)
}

/// The same, where what [`lent`] gives is still to be lent to it.
///
/// # Errors
///
/// The folder that rustc writes to can't be made.
pub fn command_to_lend(unit: &UnitCapture) -> Result<Command> {
    let out_dir = &unit.out_dir;
    std::fs::create_dir_all(out_dir)
        .with_context(|| format!("could not make {}", out_dir.display()))?;
    let mut args = unit.rustc_args();
    let mut command = Command::new(&unit.program[0]);
    command.current_dir(&unit.cwd).env_clear().envs(&unit.env);
    let folder = match writes_by_descriptor(unit) {
        true => Some(OUT_DIR),
        false => out_dir.to_str(),
    };
    args.set_option(
        "--out-dir",
        folder.context("the target folder is not UTF-8")?,
    );
    command.args(&unit.program[1..]).args(&args.0);
    Ok(command)
}

/// The folder that rustc writes to, to be lent to it; `None` if it takes the path, or if something
/// else has the number.
///
/// # Errors
///
/// The folder can't be opened.
pub fn lent(unit: &UnitCapture) -> Result<Option<Lent>> {
    if !writes_by_descriptor(unit) {
        return Ok(None);
    }
    Ok(Lent::at(OUT_DESCRIPTOR, &out_folder(unit)?))
}

fn writes_by_descriptor(unit: &UnitCapture) -> bool {
    unit.rustc_args().codegen("incremental").is_some()
}

fn out_folder(unit: &UnitCapture) -> Result<std::fs::File> {
    let folder = &unit.out_dir;
    std::fs::File::open(folder).with_context(|| format!("could not open {}", folder.display()))
}

/// How cargo called the wrapper.
struct Call<'a> {
    /// The compiler.
    rustc: &'a OsString,
    /// The compiler's arguments.
    args: &'a [OsString],
    /// Whether the crate belongs to the workspace.
    workspace: bool,
}

impl<'a> Call<'a> {
    /// Cargo calls `WORKSPACE_WRAPPER RUSTC …` for crates of the workspace alone. Where ours also
    /// stands in for the user's `RUSTC_WRAPPER`, it calls `WRAPPER RUSTC …` for the others and
    /// `WRAPPER WORKSPACE_WRAPPER RUSTC …`, that is this executable twice, for the workspace.
    fn new(config: &PluginConfig, args: &'a [OsString]) -> Option<Self> {
        let (first, rest) = args.split_first()?;
        let own = std::env::current_exe().ok();
        if own.as_deref() == Some(Path::new(first)) {
            let (rustc, args) = rest.split_first()?;
            return Some(Self {
                rustc,
                args,
                workspace: true,
            });
        }
        Some(Self {
            rustc: first,
            args: rest,
            workspace: config.rustc_wrapper.is_none(),
        })
    }
}

/// Hot are the libraries and executables of the workspace that are really compiled: not build
/// scripts, proc macros, tests, or the compiler's answers to cargo's questions.
fn is_hot(line: &RustcArgs) -> bool {
    let Some(name) = line.crate_name() else {
        return false;
    };
    let hot_type = line
        .crate_types()
        .iter()
        .all(|kind| matches!(*kind, "bin" | "lib" | "rlib"));
    hot_type
        && line.emits_link()
        && line.option("--out-dir").is_some()
        && !line.is_test()
        && !name.starts_with("build_script_")
        && !OWN_CRATES.contains(&name)
        && std::env::var_os("CARGO_MANIFEST_DIR").is_some()
}

fn pass_through(config: &PluginConfig, call: &Call<'_>) -> Result<i32> {
    let mut words: Vec<OsString> = Vec::new();
    words.extend(config.rustc_wrapper.as_ref().map(OsString::from));
    if call.workspace {
        words.extend(config.workspace_wrapper.as_ref().map(OsString::from));
    }
    words.push(call.rustc.clone());
    let error = Command::new(&words[0])
        .args(&words[1..])
        .args(call.args)
        .exec();
    Err(error).with_context(|| format!("could not run {}", words[0].display()))
}

/// The compilation of a hot crate: cargo's, with what patching needs added.
fn hot_unit(config: &PluginConfig, rustc: &OsString, line: RustcArgs) -> Result<UnitCapture> {
    let rustc = rustc
        .to_str()
        .context("the path of rustc is not UTF-8")?
        .to_owned();
    let executable = line.crate_types().contains(&"bin");
    let mut line = patchable(line, config.for_base);
    line.push_codegen(&format!("metadata={}", identity(&line)));
    let cwd = std::env::current_dir().context("the current folder is gone")?;
    let out_dir = cwd.join(line.option("--out-dir").unwrap_or_default());
    let mut env: std::collections::BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(key, _)| key != PLUGIN_VAR)
        .collect();
    env.insert(EXPAND_VAR.to_owned(), "1".to_owned());
    if executable {
        // What the tool could not read in the configuration stands here.
        Called::of(&line).map_or(Ok(None), |called| called.ask())?;
        let linker = line
            .take_codegen("linker")
            .unwrap_or_else(|| "cc".to_owned());
        let own = std::env::current_exe().context("could not find cargo-hotswap itself")?;
        let own = own
            .to_str()
            .context("the path of cargo-hotswap is not UTF-8")?;
        line.push_codegen(&format!("linker={own}"));
        let request = LinkRequest {
            linker,
            mode: LinkMode::Host,
        };
        env.insert(LINK_VAR.to_owned(), request.to_env());
    }
    // A compiler cache in front would answer for hot crates without running the wrapper, so only
    // the user's workspace wrapper is kept.
    let program = config
        .workspace_wrapper
        .iter()
        .cloned()
        .chain([rustc])
        .collect();
    Ok(UnitCapture {
        format: capture::FORMAT,
        package: env.get("CARGO_PKG_NAME").cloned().unwrap_or_default(),
        manifest_dir: env
            .get("CARGO_MANIFEST_DIR")
            .map(PathBuf::from)
            .unwrap_or_default(),
        program,
        args: line.0,
        out_dir,
        cwd,
        env,
    })
}

/// What tells the crate's symbols and type ids from those of others. Cargo's own value changes
/// with every dependency that is added; with it all type ids would, and state that is looked up by
/// type id would be lost. Features and dependencies don't make it another crate.
fn identity(line: &RustcArgs) -> String {
    let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let name = line.crate_name().unwrap_or_default();
    let text = format!(
        "{folder}\n{version}\n{name}\n{}",
        line.crate_types().join(",")
    );
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(text.as_bytes()))
}

/// Adds the flags under which a crate can be patched; later flags override earlier ones.
pub fn patchable(mut line: RustcArgs, for_base: bool) -> RustcArgs {
    line.push_codegen("symbol-mangling-version=v0");
    // What nobody asked for is in the objects alone, and not in what is shipped.
    let strip = if for_base && !line.has_debug_info() {
        "debuginfo"
    } else {
        "none"
    };
    // The layout guard reads types from the debug information, in release builds too.
    if line.codegen("debuginfo") != Some("2") && line.codegen("debuginfo") != Some("full") {
        line.push_codegen("debuginfo=2");
    }
    line.push_codegen("split-debuginfo=off");
    line.push_codegen(&format!("strip={strip}"));
    if line.is_optimised() {
        line.push_codegen("lto=off");
        line.push_codegen(WITHOUT_MERGING);
        whole_statics(&mut line, for_base);
    } else if line.codegen("incremental").is_none()
        && let Some(out_dir) = line.option("--out-dir")
    {
        let folder = Path::new(out_dir).with_file_name("incremental");
        line.push_codegen(&format!("incremental={}", folder.display()));
    }
    line
}

/// Has each static be one symbol that is as it is written.
fn whole_statics(line: &mut RustcArgs, for_base: bool) {
    if for_base && line.may_be_one_unit() {
        // Functions are the compiler's own then, to be inlined.
        line.take_codegen("link-dead-code");
        line.push_codegen("codegen-units=1");
        for option in WITHOUT_STATICS {
            line.push_codegen(option);
        }
    } else {
        // All functions and statics are visible to others, who may use them.
        line.push_codegen("link-dead-code");
    }
}

#[cfg(test)]
mod tests;
