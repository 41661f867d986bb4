//! The user's project: which executable is meant, and where its packages lie.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cargo_metadata::{Metadata, MetadataCommand, Package, TargetKind};

use crate::cargo::{self, UsedPackage};
use crate::plugin::wrapper;
use crate::selection::Selection;

/// The package of the runtime.
const RUNTIME: &str = "hotswap-runtime";

/// The executable to run and the packages around it.
#[derive(Debug, Clone)]
pub struct Project {
    /// The package that the user named, for cargo's `--package`.
    pub package: Option<String>,
    /// The manifest of the package that the target belongs to.
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
    /// Finds what `cargo run` with the same flags would run. What it is made from besides the
    /// workspace is known once it is built: [`Self::add_packages`].
    ///
    /// # Errors
    ///
    /// Cargo can't read the project, or the selection is empty or ambiguous; cargo itself has said
    /// so then.
    pub fn find(selection: &Selection) -> Result<Self> {
        Self::try_find(selection).or_else(|error| {
            let status = cargo::explain(selection)?;
            match status.success() {
                true => Err(error),
                false => Err(Told(status.code().unwrap_or(101)).into()),
            }
        })
    }

    fn try_find(selection: &Selection) -> Result<Self> {
        let mut command = MetadataCommand::new();
        command.no_deps().other_options(selection.manifest_flags());
        let metadata = command.exec().context("cargo can't read this project")?;
        let packages = selected_packages(&metadata, selection);
        let (target, example) = choose_target(&packages, selection)?;
        let members = metadata.workspace_packages();
        let (crates, shared_crates) = library_crates(&members);
        Ok(Self {
            package: selection.package.clone(),
            manifest: manifest(&packages, &target, example),
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
            outside: Vec::new(),
            has_runtime: false,
        })
    }

    /// Takes over which packages the executable is made from.
    pub fn add_packages(&mut self, packages: &[UsedPackage]) {
        self.has_runtime = packages.iter().any(|used| used.name == RUNTIME);
        let outside = packages
            .iter()
            .filter(|used| used.local && !self.members.contains(&used.folder))
            .filter(|used| !used.name.starts_with("hotswap-"));
        self.outside = outside.map(|used| used.folder.clone()).collect();
    }

    /// Cargo's flags for this target alone. The package is named as the user did: which features
    /// are on depends on what cargo takes the user to have chosen.
    pub fn cargo_flags(&self) -> Vec<String> {
        let kind = if self.example { "--example" } else { "--bin" };
        let package = self.package.iter();
        let package = package.flat_map(|spec| ["--package".to_owned(), spec.clone()]);
        package.chain([kind.into(), self.target.clone()]).collect()
    }
}

/// Cargo has told the user what is wrong; this is its exit code.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("cargo ended with code {0}")]
pub struct Told(pub i32);

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The manifest of the package that has this target.
fn manifest(packages: &[&Package], target: &str, example: bool) -> PathBuf {
    let kind = match example {
        true => TargetKind::Example,
        false => TargetKind::Bin,
    };
    let has = |package: &&&Package| {
        let mut targets = package.targets.iter();
        targets.any(|other| other.name == target && other.kind.contains(&kind))
    };
    let found = packages.iter().find(has);
    found.map_or_else(PathBuf::new, |package| package.manifest_path.clone().into())
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

/// The packages that cargo takes the user to mean.
fn selected_packages<'a>(metadata: &'a Metadata, selection: &Selection) -> Vec<&'a Package> {
    let members = metadata.workspace_packages();
    if let Some(spec) = &selection.package {
        let name = cargo::package_name(spec);
        let name = name.split('@').next().unwrap_or(name);
        return members
            .into_iter()
            .filter(|package| *package.name == name)
            .collect();
    }
    let manifest = nearest_manifest(selection);
    let here = members.iter().find(|package| {
        let found = package.manifest_path.as_std_path().canonicalize();
        found.ok() == manifest
    });
    match here {
        Some(package) => vec![package],
        None => metadata.workspace_default_packages(),
    }
}

/// The manifest that cargo begins with.
fn nearest_manifest(selection: &Selection) -> Option<PathBuf> {
    if let Some(path) = &selection.manifest_path {
        return path.canonicalize().ok();
    }
    let here = std::env::current_dir().ok()?;
    let mut manifests = here.ancestors().map(|folder| folder.join("Cargo.toml"));
    manifests.find(|path| path.is_file())?.canonicalize().ok()
}

/// The one target to run: its name, and whether it is an example.
fn choose_target(packages: &[&Package], selection: &Selection) -> Result<(String, bool)> {
    let named = |kind: TargetKind| {
        let targets = packages.iter().flat_map(|package| &package.targets);
        let targets = targets.filter(move |target| target.kind.contains(&kind));
        targets
            .map(|target| target.name.clone())
            .collect::<Vec<_>>()
    };
    let (bins, examples) = (named(TargetKind::Bin), named(TargetKind::Example));
    let count = |names: &[String], name: &String| names.iter().filter(|one| *one == name).count();
    let by_default: Vec<&String> = packages
        .iter()
        .filter_map(|package| package.default_run.as_ref())
        .collect();
    let found = match (&selection.bin[..], &selection.example[..]) {
        ([name], []) if count(&bins, name) == 1 => (name, false),
        ([], [name]) if count(&examples, name) == 1 => (name, true),
        ([], []) => match (&by_default[..], &bins[..]) {
            ([name], bins) if count(bins, name) == 1 => (*name, false),
            ([], [only]) => (only, false),
            _ => bail!("the program to run is not clear: choose one with `--package` and `--bin`"),
        },
        _ => bail!("there is no such program to run: choose one with `--package` and `--bin`"),
    };
    Ok((found.0.clone(), found.1))
}
