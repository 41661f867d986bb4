//! The work copy of a scenario's package, and the ways to save into it.

mod manifest;
mod seed;

pub use seed::plant;

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

use crate::{
    paths,
    script::{Profile, Script},
};

/// Lists, one a line, the files that an overlay takes away.
const DELETED: &str = "deleted.txt";
/// Set to look at work copies after the tests.
const KEEP_VARIABLE: &str = "HOTSWAP_TESTS_KEEP";

/// How a file reaches the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Truncated and written, only if the text differs.
    InPlace,
    /// Under a temporary name beside it, then renamed, as many editors do.
    ByRename,
    /// Written in place even if the text is the same.
    Touch,
}

/// Where a scenario is built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TargetFolder {
    /// One folder for all scenarios, so that dependencies are built once.
    #[default]
    Shared,
    /// Cargo's default, or what the package's own configuration says.
    Own,
    /// `target` in the package, a link to a folder elsewhere.
    Symlink,
}

/// A package in a folder of its own, removed when this is dropped.
#[derive(Debug)]
pub struct Package {
    /// The folder with the manifest.
    pub root: PathBuf,
    /// The profile that it is run in.
    pub profile: Profile,
    /// Variables of the tool and of cargo.
    pub env: Vec<(String, String)>,
    name: String,
    source: PathBuf,
    work: PathBuf,
    target: TargetFolder,
    _lock: File,
}

impl Package {
    /// Copies a scenario's first version.
    ///
    /// # Errors
    ///
    /// When the scenario has no `v1` or the copy fails.
    pub fn of_scenario(name: &str, script: &Script, profile: Profile) -> Result<Self> {
        let folder = script.folder.as_deref().unwrap_or(name);
        let mut package = Self::empty(name, folder, profile)?;
        package.source = paths::scenarios().join(name);
        package.target = script.target;
        let first = package.source.join("v1");
        ensure!(first.is_dir(), "{} is no folder", first.display());
        for (file, text) in files(&first)? {
            package.write(&file, &text)?;
        }
        if !package.root.join("Cargo.toml").exists() {
            package.write("Cargo.toml", manifest::default(name).as_bytes())?;
        }
        package.lock_dependencies()?;
        if package.target == TargetFolder::Symlink {
            let elsewhere = package.work.join("elsewhere");
            fs::create_dir_all(&elsewhere)?;
            std::os::unix::fs::symlink(elsewhere, package.root.join("target"))?;
        }
        let root = package.root.to_string_lossy().into_owned();
        let env = script.env.iter();
        package.env = env
            .map(|(n, v)| (n.clone(), v.replace("$PACKAGE", &root)))
            .collect();
        Ok(package)
    }

    /// A package of one source file, `src/main.rs`.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn of_source(name: &str, main: &str) -> Result<Self> {
        Self::of_manifest(name, &manifest::default(name), main)
    }

    /// The same with this manifest, in which `$HOTSWAP_RUNTIME` is the runtime's folder.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn of_manifest(name: &str, manifest: &str, main: &str) -> Result<Self> {
        let package = Self::empty(name, name, Profile::Dev)?;
        package.write("Cargo.toml", manifest.as_bytes())?;
        package.write("src/main.rs", main.as_bytes())?;
        package.lock_dependencies()?;
        Ok(package)
    }

    /// A workspace that holds one of the project's examples.
    ///
    /// # Errors
    ///
    /// When there is no such example.
    pub fn of_example(name: &str) -> Result<Self> {
        let package = Self::empty(&format!("example-{name}"), name, Profile::Dev)?;
        let root = paths::workspace();
        package.write("Cargo.toml", manifest::workspace_of(name)?.as_bytes())?;
        let example = Path::new("examples").join(name);
        for (file, text) in files(&root.join(&example))? {
            let text = match file.as_str() {
                "Cargo.toml" => manifest::with_shared_features(&text)?,
                _ => text,
            };
            package.write(&example.join(file).to_string_lossy(), &text)?;
        }
        package.lock_dependencies()?;
        Ok(package)
    }

    /// Waits until no other test uses the folder, and clears it.
    fn empty(name: &str, folder: &str, profile: Profile) -> Result<Self> {
        let base = paths::target()?.join("scenarios");
        let work = base
            .join("work")
            .join(format!("{name}-{profile:?}").to_lowercase());
        manifest::write_settings(&base.join("work").join(".cargo"))?;
        let lock = File::create(work.with_extension("lock"))?;
        lock.lock()?;
        remove(&work)?;
        let root = work.join(folder);
        fs::create_dir_all(&root)?;
        Ok(Self {
            source: root.clone(),
            root,
            profile,
            env: Vec::new(),
            name: name.to_owned(),
            work,
            target: TargetFolder::Shared,
            _lock: lock,
        })
    }

    /// `CARGO_TARGET_DIR`, unless the package has a target folder of its own.
    ///
    /// # Errors
    ///
    /// When the tests run outside a target folder.
    pub fn shared_target(&self) -> Result<Option<PathBuf>> {
        match self.target {
            TargetFolder::Shared => Ok(Some(seed::shared()?)),
            TargetFolder::Own | TargetFolder::Symlink => Ok(None),
        }
    }

    /// Has all that is built for the package optimised, dependencies too: what all work copies share is not.
    ///
    /// # Errors
    ///
    /// When the settings can't be written.
    pub fn optimise(&self) -> Result<()> {
        self.write(".cargo/config.toml", manifest::OPTIMISED.as_bytes())
    }

    /// Saves what a version changes, and returns the files that stood before and differ now.
    ///
    /// # Errors
    ///
    /// When the version does not exist or changes nothing.
    pub fn save(&self, version: &str, manner: Manner) -> Result<BTreeSet<String>> {
        let overlay = self.source.join(version);
        let deleted = fs::read_to_string(overlay.join(DELETED)).unwrap_or_default();
        let mut files = files(&overlay)?;
        files.retain(|(file, _)| file != DELETED);
        if manner != Manner::Touch {
            files.retain(|(file, text)| {
                self.read(file).ok().as_ref() != Some(&manifest::filled(file, text))
            });
        }
        ensure!(
            !files.is_empty() || !deleted.is_empty(),
            "{} changes nothing",
            overlay.display()
        );
        // New files first, so that nothing refers to a file that is not there yet.
        files.sort_by_key(|(file, _)| self.root.join(file).exists());
        let mut changed = BTreeSet::new();
        for (file, text) in files {
            if self.root.join(&file).exists() {
                changed.insert(file.clone());
            }
            match manner {
                Manner::ByRename => self.write_by_rename(&file, &text)?,
                Manner::InPlace | Manner::Touch => self.write(&file, &text)?,
            }
        }
        for file in deleted.lines() {
            self.delete(file)?;
        }
        Ok(changed)
    }

    /// Writes a file in place, with the folders above it.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn write(&self, file: &str, text: &[u8]) -> Result<()> {
        let path = self.root.join(file);
        let folder = path.parent().context("a file has a folder")?;
        fs::create_dir_all(folder)?;
        // A script that stands already keeps its mode, as it does under an editor.
        fs::write(&path, manifest::filled(file, text))
            .with_context(|| format!("writing {file}"))?;
        if text.starts_with(b"#!") {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(&path, mode)?;
        }
        Ok(())
    }

    fn write_by_rename(&self, file: &str, text: &[u8]) -> Result<()> {
        let path = self.root.join(file);
        let temporary = path.with_file_name("sedQuBon3");
        fs::write(&temporary, manifest::filled(file, text))?;
        fs::rename(&temporary, &path)?;
        Ok(())
    }

    /// Replaces the one occurrence of a text in a file.
    ///
    /// # Errors
    ///
    /// When the file does not contain the text exactly once.
    pub fn edit(&self, file: &str, from: &str, to: &str) -> Result<()> {
        let text = String::from_utf8(self.read(file)?)?;
        ensure!(
            text.matches(from).count() == 1,
            "{file} has not one {from:?}"
        );
        self.write(file, text.replace(from, to).as_bytes())
    }

    fn read(&self, file: &str) -> Result<Vec<u8>> {
        Ok(fs::read(self.root.join(file))?)
    }

    /// Deletes a file.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn delete(&self, file: &str) -> Result<()> {
        fs::remove_file(self.root.join(file)).with_context(|| format!("deleting {file}"))
    }

    /// Renames a file.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn rename(&self, from: &str, to: &str) -> Result<()> {
        fs::rename(self.root.join(from), self.root.join(to))
            .with_context(|| format!("renaming {from}"))
    }

    /// Renames the package's folder.
    ///
    /// # Errors
    ///
    /// When it cannot be renamed.
    pub fn relocate(&mut self, folder: &str) -> Result<()> {
        let root = self.work.join(folder);
        fs::rename(&self.root, &root)?;
        self.root = root;
        Ok(())
    }

    /// Gives the package an empty target folder of its own.
    pub fn use_own_target(&mut self) {
        self.target = TargetFolder::Own;
    }

    /// Gives the package a target folder of its own, with what it depends on built in the profile `dev`.
    ///
    /// # Errors
    ///
    /// When that does not build, or the package has such a folder already.
    pub fn use_own_planted_target(&mut self) -> Result<()> {
        self.use_own_target();
        seed::plant(&self.root.join("target"))
    }

    /// Sees to it that the runtime is built already in a folder below the shared target folder, where a tool builds too.
    ///
    /// # Errors
    ///
    /// When that does not build, or the target folder is not the shared one.
    pub fn plant_below_shared_target(&self, folder: &str) -> Result<()> {
        let target = self.shared_target()?;
        seed::plant_once(&target.context("it has its own")?.join(folder))
    }

    /// Removes from the shared target folder all that was built of this package.
    ///
    /// # Errors
    ///
    /// When something cannot be removed.
    pub fn clean(&self) -> Result<()> {
        let profile = match self.profile {
            Profile::Dev => "debug",
            Profile::Release => "release",
        };
        let Some(target) = self.shared_target()? else {
            return Ok(());
        };
        for folder in ["", "deps", "examples", "incremental", ".fingerprint"] {
            let Ok(entries) = fs::read_dir(target.join(profile).join(folder)) else {
                continue;
            };
            for path in entries.flatten().map(|entry| entry.path()) {
                if self.built(&path) {
                    remove(&path)?;
                }
            }
        }
        Ok(())
    }

    /// Whether an artefact has this package's name.
    fn built(&self, path: &Path) -> bool {
        let artefact = path.file_name().unwrap_or_default().to_string_lossy();
        let artefact = artefact.replace('-', "_");
        let name = self.name.replace('-', "_");
        let library = format!("lib{name}");
        let rest = artefact
            .strip_prefix(&name)
            .or_else(|| artefact.strip_prefix(&library));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || has_digest(rest))
    }

    /// The workspace's lock file pins what the scenarios depend on too.
    fn lock_dependencies(&self) -> Result<()> {
        let lock = self.root.join("Cargo.lock");
        if !lock.exists() {
            fs::copy(paths::workspace().join("Cargo.lock"), lock)?;
        }
        Ok(())
    }
}

/// Whether cargo's digest follows, and not more of the name of another package.
fn has_digest(rest: &str) -> bool {
    let word = rest
        .strip_prefix('_')
        .and_then(|rest| rest.split(['_', '.']).next());
    word.is_some_and(|word| word.len() > 12 && word.contains(|one: char| one.is_ascii_digit()))
}

impl Drop for Package {
    fn drop(&mut self) {
        if std::env::var_os(KEEP_VARIABLE).is_none() {
            // What is left is cleared by the next run.
            let _ = self.clean();
            let _ = remove(&self.work);
        }
    }
}

/// Removes a file or a folder, if there is one.
fn remove(path: &Path) -> Result<()> {
    let removed = match path.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// All files below a folder, by their path in it.
fn files(folder: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        let entries = fs::read_dir(&next).with_context(|| format!("reading {}", next.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder)?.to_string_lossy().into_owned();
                found.push((name, fs::read(&path)?));
            }
        }
    }
    found.sort();
    Ok(found)
}
