//! What is known of a set-up: gathered once, then judged by pure functions.

use std::path::PathBuf;

use serde::Serialize;

use crate::profile::Setting;
use crate::watch::Remote;

/// Everything that the checks look at.
#[derive(Debug, Clone)]
pub struct Facts {
    /// This tool's version.
    pub tool: String,
    /// The compiler.
    pub toolchain: Toolchain,
    /// The linker of executables.
    pub linker: Linker,
    /// The linker of patches.
    pub patch_linker: PatchLinker,
    /// Flags for rustc from cargo's configuration or the environment.
    pub rustflags: Vec<String>,
    /// The profile that `run` would build in.
    pub profile: Profile,
    /// The package, or why there is none.
    pub package: Result<Package, String>,
    /// Programs between cargo and rustc.
    pub wrappers: Vec<Wrapper>,
    /// File events.
    pub inotify: Inotify,
    /// Folders that matter, each with its role.
    pub folders: Vec<Folder>,
    /// Whether some folder can hold control sockets, or why none can.
    pub sockets: Result<PathBuf, String>,
    /// The kernel and what surrounds this process.
    pub system: System,
    /// hotswap's own settings: warnings, or what is wrong.
    pub settings: Result<Vec<String>, String>,
}

/// The compiler.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Toolchain {
    /// Why it could not be asked.
    pub error: Option<String>,
    /// Such as `1.95.0` or `1.97.0-nightly`.
    pub version: String,
    /// Such as `x86_64-unknown-linux-gnu`.
    pub host: String,
    /// The target of the build.
    pub target: String,
    /// Whether the target's standard library is there.
    pub has_std: bool,
}

/// The linker of executables.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Linker {
    /// The program that rustc calls.
    pub program: String,
    /// Whether it was found.
    pub found: bool,
    /// The linker proper behind it.
    pub behind: Behind,
    /// Whether the linker proper was found.
    pub behind_found: bool,
}

/// Linkers proper.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Behind {
    /// The lld that comes with rustc.
    #[default]
    RustLld,
    /// LLVM's.
    Lld,
    /// GNU ld.
    Bfd,
    /// mold.
    Mold,
    /// wild.
    Wild,
    /// GNU gold.
    Gold,
    /// Another.
    Other(String),
}

/// The linker of patches.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PatchLinker {
    /// Whether rustc's own lld is in its place.
    pub rust_lld: bool,
    /// What stands in for it, from the search path.
    pub instead: Option<PathBuf>,
}

/// The profile that `run` would build in; `None` for what nobody said.
#[derive(Debug, Clone, Default)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// `lto`.
    pub lto: Option<Setting>,
    /// `strip`.
    pub strip: Option<Setting>,
    /// `panic`.
    pub panic: Option<Setting>,
    /// `debug`.
    pub debug: Option<Setting>,
    /// `split-debuginfo`.
    pub split_debuginfo: Option<Setting>,
    /// `opt-level`.
    pub opt_level: Option<Setting>,
    /// `codegen-units`.
    pub codegen_units: Option<Setting>,
}

/// The package that `run` would run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Why it is not clear which of its executables would run.
    pub unclear: Option<String>,
    /// The runtime's version, if it or a member that it uses depends on it.
    pub runtime: Option<String>,
    /// How many functions are marked, in it and the members that it uses.
    pub entries: usize,
    /// Members that it uses and that are also built as `cdylib`, `dylib` or `staticlib`.
    pub shared_crates: Vec<String>,
    /// Dependencies that are linked as dynamic Rust libraries.
    pub dynamic: Vec<String>,
}

/// A program between cargo and rustc.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Wrapper {
    /// The variable or setting that names it.
    pub setting: &'static str,
    /// The program.
    pub program: String,
    /// Whether it was found.
    pub found: bool,
}

/// Limits and use of file events by this user; `None` where the system does not say.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Inotify {
    /// Most watched folders.
    pub max_watches: Option<u64>,
    /// Most queues.
    pub max_instances: Option<u64>,
    /// Watched folders now.
    pub watches: u64,
    /// Queues now.
    pub instances: u64,
    /// Folders that this project would need.
    pub needed: u64,
}

/// What a folder is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The workspace.
    #[default]
    Sources,
    /// Cargo's target folder.
    Target,
    /// Temporary files.
    Temporary,
}

/// A folder and the file system below it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Folder {
    /// What for.
    pub role: Role,
    /// Where.
    pub path: PathBuf,
    /// A kind of file system whose changes can come without an event.
    pub remote: Option<Remote>,
    /// Mounted so that nothing in it can be executed.
    pub noexec: bool,
    /// Mounted so that nothing can be written.
    pub read_only: bool,
    /// Bytes that this user can still write.
    pub free: Option<u64>,
}

/// The kernel and what surrounds this process.
#[derive(Debug, Clone, Default, Serialize)]
pub struct System {
    /// Whether `/proc` is there.
    pub proc: bool,
    /// Whether the kernel has `membarrier` for this process.
    pub membarrier: bool,
    /// Whether it has `memfd_create`.
    pub memfd: bool,
    /// Whether a filter of system calls is in force.
    pub seccomp: bool,
    /// Yama's `ptrace_scope`.
    pub ptrace_scope: Option<u8>,
    /// What tells that this is a container.
    pub container: Option<String>,
}

impl Facts {
    /// The part that is worth showing to a person who asks for everything, as JSON.
    pub fn raw(&self) -> serde_json::Value {
        serde_json::json!({
            "tool": self.tool,
            "toolchain": self.toolchain,
            "linker": self.linker,
            "patch_linker": self.patch_linker,
            "rustflags": self.rustflags,
            "package": self.package.as_ref().ok(),
            "wrappers": self.wrappers,
            "inotify": self.inotify,
            "folders": self.folders,
            "system": self.system,
        })
    }
}
