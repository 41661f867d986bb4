//! The user's project: which executable is meant, and where its packages lie.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cargo_metadata::{Metadata, MetadataCommand, Package, TargetKind};

use crate::plugin::wrapper;
use crate::selection::Selection;

/// The executable to run and the packages around it.
#[derive(Debug, Clone)]
pub struct Project {
    /// The package's id for cargo's `--package`.
    pub package: String,
    /// The package's manifest.
    pub manifest: PathBuf,
    /// The target's name.
    pub target: String,
    /// Whether the target is an example rather than a bin.
    pub example: bool,
    /// The folder of the workspace.
    pub workspace_root: PathBuf,
    /// Cargo's target folder.
    pub target_directory: PathBuf,
    /// Folders of the packages in the workspace.
    pub members: Vec<PathBuf>,
    /// Names of the library crates in the workspace that can be hot.
    pub crates: Vec<String>,
    /// Names of those that are also built as `cdylib`, `dylib` or `staticlib`: never hot.
    pub shared_crates: Vec<String>,
    /// Folders of path dependencies outside the workspace: seen, but never hot.
    pub outside: Vec<PathBuf>,
    /// Whether the package depends on the runtime.
    pub has_runtime: bool,
}

impl Project {
    /// Finds what `cargo run` with the same flags would run.
    ///
    /// # Errors
    ///
    /// Cargo can't read the project, or the selection is empty or ambiguous.
    pub fn find(selection: &Selection) -> Result<Self> {
        let mut command = MetadataCommand::new();
        command.other_options(selection.manifest_flags());
        let metadata = command.exec().context("cargo can't read this project")?;
        let package = choose_package(&metadata, selection)?;
        let (target, example) = choose_target(package, selection)?;
        let members = metadata.workspace_packages();
        let (crates, shared_crates) = library_crates(&members);
        let outside = metadata
            .packages
            .iter()
            .filter(|package| package.source.is_none())
            .filter(|package| !members.iter().any(|member| member.id == package.id))
            .filter(|package| !package.name.starts_with("hotswap-"));
        Ok(Self {
            package: package.id.repr.clone(),
            manifest: package.manifest_path.clone().into(),
            target,
            example,
            workspace_root: metadata.workspace_root.clone().into(),
            target_directory: selection
                .target_dir
                .as_deref()
                .map_or_else(|| metadata.target_directory.clone().into(), absolute),
            crates,
            shared_crates,
            members: members.iter().map(|package| folder(package)).collect(),
            outside: outside.map(folder).collect(),
            has_runtime: metadata
                .packages
                .iter()
                .any(|package| *package.name == "hotswap-runtime"),
        })
    }

    /// Cargo's flags for this target alone.
    pub fn cargo_flags(&self) -> [String; 4] {
        let kind = if self.example { "--example" } else { "--bin" };
        [
            "--package".into(),
            self.package.clone(),
            kind.into(),
            self.target.clone(),
        ]
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn folder(package: &Package) -> PathBuf {
    package
        .manifest_path
        .parent()
        .map(PathBuf::from)
        .unwrap_or_default()
}

/// The workspace's library crates: those of the plain kind, and those that are (also) shared
/// objects. hotswap's own are never hot, even as members.
fn library_crates(members: &[&Package]) -> (Vec<String>, Vec<String>) {
    let crates = members
        .iter()
        .flat_map(|package| &package.targets)
        .filter(|target| target.is_lib() || target.is_rlib())
        .map(|target| (target.name.replace('-', "_"), &target.kind))
        .filter(|(name, _)| !wrapper::OWN_CRATES.contains(&name.as_str()));
    let (mut plain, mut shared) = (Vec::new(), Vec::new());
    for (name, kinds) in crates {
        let is_plain = |kind: &TargetKind| matches!(kind, TargetKind::Lib | TargetKind::RLib);
        let list = if kinds.iter().all(is_plain) {
            &mut plain
        } else {
            &mut shared
        };
        list.push(name);
    }
    (plain, shared)
}

fn choose_package<'a>(metadata: &'a Metadata, selection: &Selection) -> Result<&'a Package> {
    let members = metadata.workspace_packages();
    let list = |packages: &[&Package]| {
        packages
            .iter()
            .map(|package| package.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    if let Some(spec) = &selection.package {
        let name = spec.rsplit(['#', '/']).next().unwrap_or(spec);
        let name = name.split('@').next().unwrap_or(name);
        return members
            .iter()
            .copied()
            .find(|package| *package.name == name)
            .with_context(|| {
                format!(
                    "no package `{spec}` in this workspace; it has: {}",
                    list(&members)
                )
            });
    }
    if let Some(root) = metadata.root_package() {
        return Ok(root);
    }
    let defaults = metadata.workspace_default_packages();
    let named = |package: &&&Package| {
        package
            .targets
            .iter()
            .any(|target| match (&selection.bin, &selection.example) {
                (Some(name), _) => target.is_bin() && target.name == *name,
                (_, Some(name)) => target.is_example() && target.name == *name,
                _ => target.is_bin(),
            })
    };
    let found: Vec<&Package> = defaults.iter().filter(named).copied().collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => bail!(
            "no package here has the target to run; packages: {}",
            list(&defaults)
        ),
        many => bail!(
            "several packages could be run: {}. Choose one with `--package`",
            list(many)
        ),
    }
}

fn choose_target(package: &Package, selection: &Selection) -> Result<(String, bool)> {
    let names = |kind: TargetKind| -> Vec<String> {
        let of_kind = package
            .targets
            .iter()
            .filter(|target| target.kind.contains(&kind));
        of_kind.map(|target| target.name.clone()).collect()
    };
    if let Some(name) = &selection.example {
        let examples = names(TargetKind::Example);
        if examples.contains(name) {
            return Ok((name.clone(), true));
        }
        bail!(
            "package `{}` has no example `{name}`; it has: {}",
            package.name,
            examples.join(", ")
        );
    }
    let bins = names(TargetKind::Bin);
    let wanted = selection.bin.as_ref().or(package.default_run.as_ref());
    match (wanted, bins.as_slice()) {
        (Some(name), bins) if bins.contains(name) => Ok((name.clone(), false)),
        (Some(name), bins) => {
            bail!(
                "package `{}` has no bin `{name}`; it has: {}",
                package.name,
                bins.join(", ")
            )
        }
        (None, [one]) => Ok((one.clone(), false)),
        (None, []) => bail!("package `{}` has no executable to run", package.name),
        (None, many) => bail!(
            "package `{}` has several executables: {}. Choose one with `--bin`",
            package.name,
            many.join(", ")
        ),
    }
}
