//! The compiler, the linkers and what stands before them.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::doctor::checks::build::Flags;
use crate::doctor::facts::{Behind, Linker, PatchLinker, Toolchain, Wrapper};
use crate::plugin::proper::{Called, Proper};
use crate::plugin::rustc_args::RustcArgs;
use crate::selection::Selection;

fn ask(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

/// The compiler that cargo would call.
fn rustc(configured: Option<&cargo_config2::Config>) -> String {
    let path = configured.map(|config| config.rustc().path.clone());
    path.map_or_else(
        || "rustc".to_owned(),
        |path| path.to_string_lossy().into_owned(),
    )
}

/// The compiler that cargo would call, and its target.
pub fn toolchain(configured: Option<&cargo_config2::Config>, selection: &Selection) -> Toolchain {
    let rustc = rustc(configured);
    let said = match ask(&rustc, &["-vV"]) {
        Ok(said) => said,
        Err(error) => {
            return Toolchain {
                error: Some(error),
                ..Toolchain::default()
            };
        }
    };
    let line = |name: &str| {
        let found = said.lines().find_map(|line| line.strip_prefix(name));
        found.unwrap_or_default().trim().to_owned()
    };
    let host = line("host:");
    let chosen = selection.target.first().cloned().or_else(|| {
        let targets = configured?.build_target_for_config([&*host]).ok()?;
        targets.first().map(|target| target.triple().to_owned())
    });
    let target = chosen.unwrap_or_else(|| host.clone());
    let folder = ask(&rustc, &["--print", "target-libdir", "--target", &target]);
    let has_std = folder.is_ok_and(|folder| {
        let entries = std::fs::read_dir(folder.trim())
            .into_iter()
            .flatten()
            .flatten();
        let mut names = entries.map(|entry| entry.file_name());
        names.any(|name| name.to_string_lossy().starts_with("libstd-"))
    });
    Toolchain {
        error: None,
        version: line("release:"),
        host,
        target,
        has_std,
    }
}

/// A program by its path, or found on the search path.
fn find_program(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| is_executable(path));
    }
    let folders = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&folders).map(|folder| folder.join(name));
    found.into_iter().find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path)
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// The linker that flags and configuration lead to, as it says itself.
pub fn linker(configured: Option<String>, rustflags: &[String]) -> Linker {
    let mut linker = named(configured.clone(), rustflags);
    if !linker.found || !linker.behind_found {
        return linker;
    }
    let mut args: Vec<String> = configured
        .map(|program| format!("-Clinker={program}"))
        .into_iter()
        .collect();
    args.extend_from_slice(rustflags);
    let asked = Called::of(&RustcArgs(args)).map(|called| called.ask());
    linker.behind = match asked {
        None => Behind::RustLld,
        Some(Ok(None)) => return linker,
        Some(Ok(Some(Proper::Lld))) => Behind::Lld,
        Some(Ok(Some(Proper::Bfd))) => Behind::Bfd,
        Some(Ok(Some(Proper::Mold))) => Behind::Mold,
        Some(Ok(Some(Proper::Wild))) => Behind::Wild,
        Some(Err(unknown)) => Behind::Other(unknown.name),
    };
    linker
}

/// The linker that flags and configuration name.
fn named(configured: Option<String>, rustflags: &[String]) -> Linker {
    let flags = Flags(rustflags);
    let by_flag = flags.codegen("linker").last().map(str::to_owned);
    let program = by_flag.or(configured).unwrap_or_else(|| "cc".to_owned());
    let arguments = flags.codegen("link-arg").chain(flags.codegen("link-args"));
    let fused = arguments
        .flat_map(str::split_whitespace)
        .filter_map(|argument| argument.strip_prefix("-fuse-ld="))
        .last();
    let own = flags
        .codegen("linker-features")
        .any(|value| value.contains("-lld"));
    let name = Path::new(&program)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let behind = match fused {
        Some(fused) => behind(fused),
        None if own => Behind::Bfd,
        None => match behind(&name) {
            // A compiler driver, for which rustc names the linker.
            Behind::Other(_) => Behind::RustLld,
            direct => direct,
        },
    };
    let behind_found = match (&behind, fused) {
        (Behind::RustLld, _) | (_, None) => true,
        (_, Some(fused)) => {
            let plain = fused.trim_start_matches("ld.");
            [format!("ld.{plain}"), plain.to_owned(), fused.to_owned()]
                .iter()
                .any(|name| find_program(name).is_some())
        }
    };
    Linker {
        found: find_program(&program).is_some(),
        program,
        behind,
        behind_found,
    }
}

fn behind(name: &str) -> Behind {
    let base = name.rsplit('/').next().unwrap_or(name);
    match base.trim_start_matches("ld.") {
        "lld" | "ld64.lld" => Behind::Lld,
        "rust-lld" => Behind::RustLld,
        "bfd" | "ld" => Behind::Bfd,
        "mold" | "sold" => Behind::Mold,
        "wild" => Behind::Wild,
        "gold" => Behind::Gold,
        other => Behind::Other(other.to_owned()),
    }
}

/// The linker of patches.
pub fn patch_linker(
    configured: Option<&cargo_config2::Config>,
    toolchain: &Toolchain,
) -> PatchLinker {
    let sysroot = ask(&rustc(configured), &["--print", "sysroot"]).unwrap_or_default();
    let own = Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(&toolchain.host)
        .join("bin/rust-lld");
    PatchLinker {
        rust_lld: is_executable(&own),
        instead: ["ld.lld", "mold", "ld"]
            .iter()
            .find_map(|name| find_program(name)),
    }
}

/// Programs between cargo and rustc.
pub fn wrappers(configured: Option<&cargo_config2::Config>) -> Vec<Wrapper> {
    let Some(build) = configured.map(|config| &config.build) else {
        return Vec::new();
    };
    let named = [
        ("RUSTC_WRAPPER", &build.rustc_wrapper),
        ("RUSTC_WORKSPACE_WRAPPER", &build.rustc_workspace_wrapper),
    ];
    let wrappers = named.into_iter().filter_map(|(setting, path)| {
        let program = path.as_ref()?.to_string_lossy().into_owned();
        Some(Wrapper {
            setting,
            found: find_program(&program).is_some(),
            program,
        })
    });
    wrappers
        .filter(|wrapper| !wrapper.program.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::named;
    use crate::doctor::facts::Behind;

    #[test]
    fn the_linker_is_named_by_flags() {
        for (configured, flags, program, behind) in [
            (None, "", "cc", Behind::RustLld),
            (Some("clang"), "", "clang", Behind::RustLld),
            (None, "-C link-arg=-fuse-ld=mold", "cc", Behind::Mold),
            (
                None,
                "-Clink-arg=-fuse-ld=/opt/bin/ld.lld",
                "cc",
                Behind::Lld,
            ),
            (
                None,
                "-C link-args=-s\u{1}-fuse-ld=gold",
                "cc",
                Behind::Gold,
            ),
            (
                None,
                "-C linker=clang -C link-arg=--ld-path=x",
                "clang",
                Behind::RustLld,
            ),
            (Some("wild"), "", "wild", Behind::Wild),
            (None, "-C linker-features=-lld", "cc", Behind::Bfd),
            (
                None,
                "-C link-arg=-fuse-ld=strange",
                "cc",
                Behind::Other("strange".to_owned()),
            ),
            (
                None,
                "-C link-arg=-fuse-ld=gold -C link-arg=-fuse-ld=bfd",
                "cc",
                Behind::Bfd,
            ),
        ] {
            let flags: Vec<String> = flags
                .split_whitespace()
                .map(|flag| flag.replace('\u{1}', " "))
                .collect();
            let found = named(configured.map(str::to_owned), &flags);
            assert_eq!(
                (found.program.as_str(), &found.behind),
                (program, &behind),
                "{flags:?}"
            );
        }
    }
}
