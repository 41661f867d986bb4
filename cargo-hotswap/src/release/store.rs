//! The releases of one program on the machine where it runs, and which of them is permanent.
//!
//! What is permanent is one symbolic link, which is exchanged in one step: whoever is ended at any point leaves the
//! one release or the other. The history beside it is read in the light of the link.

use std::cell::Cell;
use std::fs::{self, File, Permissions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cargo_metadata::semver::Version;

use super::Refused;
use super::about::{self, About, Part};
use super::code;
use super::file::{Contents, SIGNATURE_FILE, Sealed, TEXT_FILE};
use crate::output;

mod disk;
mod history;

use disk::{make_folders, names, remove, rename, sync, write};
use history::History;

#[cfg(test)]
mod tests;

/// The folder of all releases.
const RELEASES: &str = "releases";

/// The link to the one that the program is started from.
const PERMANENT: &str = "permanent";

/// The versions that were permanent.
const HISTORY: &str = "history.json";

/// The file that whoever changes something holds locked.
const LOCK: &str = "lock";

/// What names of folders begin with that are not releases yet, and that are none any more.
const UNFINISHED: [&str; 2] = [".new-", ".gone-"];

/// The releases of one program.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    /// The name of the program.
    pub name: String,
    /// What is no release was told.
    told: Cell<bool>,
    /// How many steps a test lets it do.
    #[cfg(test)]
    steps: Cell<usize>,
}

/// A release in a store.
#[derive(Debug, Clone)]
pub struct Release {
    /// What it says of itself.
    pub about: About,
    folder: PathBuf,
}

/// The right to change a store.
#[derive(Debug)]
pub struct Change<'a> {
    store: &'a Store,
    lock: File,
}

impl Store {
    /// The store of a program below this folder, whether there is one or not.
    pub fn of(root: &Path, name: &str) -> Self {
        Self {
            folder: root.join(name),
            name: name.to_owned(),
            told: Cell::new(false),
            #[cfg(test)]
            steps: Cell::new(usize::MAX),
        }
    }

    /// The store of the program with this name or, without one, of the only program that there is.
    ///
    /// # Errors
    ///
    /// There is none, or several are and none is named.
    pub fn find(root: &Path, name: Option<&str>) -> Result<Self> {
        let mut names = names(root)?;
        names.retain(|found| root.join(found).join(RELEASES).is_dir());
        names.retain(|found| name.is_none_or(|name| name == found));
        let text = match (names.as_slice(), name) {
            ([one], _) => return Ok(Self::of(root, one)),
            ([], None) => format!("there are no releases in {}", root.display()),
            ([], Some(name)) => format!("there are no releases of `{name}` in {}", root.display()),
            (several, _) => format!(
                "there are releases of {} in {}: say which with `--name`",
                several.join(", "),
                root.display()
            ),
        };
        Err(Refused::new(code::NONE, text).into())
    }

    /// All releases, by version. What else somebody has put beside them is told, and hinders nobody: least of all
    /// from going back.
    ///
    /// # Errors
    ///
    /// Their folder can't be read.
    pub fn releases(&self) -> Result<Vec<Release>> {
        let mut names = names(&self.folder.join(RELEASES))?;
        names.retain(|name| !name.starts_with('.'));
        let mut releases = Vec::new();
        for version in names {
            match self.release(&version) {
                Ok(release) => releases.push(release),
                Err(error) if !self.told.get() => {
                    output::warning(&format!("`{version}` is left out: {error:#}"));
                }
                Err(_) => {}
            }
        }
        self.told.set(true);
        releases.sort_by_cached_key(|release| order(&release.about.version));
        Ok(releases)
    }

    /// The release with this version.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn release(&self, version: &str) -> Result<Release> {
        about::check_version(version)?;
        let folder = self.folder.join(RELEASES).join(version);
        let text = match fs::read(folder.join(TEXT_FILE)) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let text = format!(
                    "there is no release {version} of `{}`\n  = help: `cargo hotswap release unpack` brings it here",
                    self.name
                );
                return Err(Refused::new(code::NONE, text).into());
            }
            text => text.with_context(|| format!("could not read {}", folder.display()))?,
        };
        let about =
            About::read(&text).with_context(|| format!("{} is no release", folder.display()))?;
        if about.version != version || about.name != self.name {
            bail!(
                "{} is release {} of `{}`",
                folder.display(),
                about.version,
                about.name
            );
        }
        Ok(Release { about, folder })
    }

    /// The version that the program is started from; none if none ever was made permanent.
    ///
    /// # Errors
    ///
    /// The link can't be read.
    pub fn permanent(&self) -> Result<Option<String>> {
        let link = self.link();
        match fs::read_link(&link) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            target => {
                let target = target.with_context(|| {
                    format!(
                        "{} is not the link to the permanent release\n  = help: move it away, and say again what is \
                         permanent",
                        link.display()
                    )
                })?;
                let version = target.file_name().and_then(|name| name.to_str());
                let version =
                    version.with_context(|| format!("{} leads nowhere", link.display()))?;
                Ok(Some(version.to_owned()))
            }
        }
    }

    /// The link to what is permanent.
    pub fn link(&self) -> PathBuf {
        self.folder.join(PERMANENT)
    }

    /// Where the program is started from.
    pub fn executable(&self) -> PathBuf {
        self.link().join(&self.name)
    }

    /// The versions that were permanent, the oldest first; the last one is.
    ///
    /// # Errors
    ///
    /// That can't be read.
    pub fn history(&self) -> Result<Vec<String>> {
        Ok(self.read_history()?.until(self.permanent()?.as_deref()))
    }

    fn read_history(&self) -> Result<History> {
        let path = self.folder.join(HISTORY);
        match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(History::default()),
            text => {
                let text = text.with_context(|| format!("could not read {}", path.display()))?;
                History::read(&text).with_context(|| {
                    format!(
                        "{} can't be read\n  = help: move it away; what was permanent before is forgotten then",
                        path.display()
                    )
                })
            }
        }
    }

    /// The right to change something, which one process has at a time.
    ///
    /// # Errors
    ///
    /// Another has it, or the folder can't be written.
    pub fn change(&self) -> Result<Change<'_>> {
        let releases = self.folder.join(RELEASES);
        let context = || format!("could not write {}", self.folder.display());
        self.check_owner()?;
        make_folders(&releases).with_context(context)?;
        let lock = File::create(self.folder.join(LOCK)).with_context(context)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let text = format!(
                    "another process is changing the releases of `{}`\n  = help: try again when it is done",
                    self.name
                );
                return Err(Refused::new(code::BUSY, text).into());
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(context),
        }
        let change = Change { store: self, lock };
        change.clear(&releases);
        Ok(change)
    }

    /// Refuses to leave files, as root, that the one whose folder it is can't write afterwards.
    fn check_owner(&self) -> Result<()> {
        let mut folders = self.folder.ancestors();
        let there = folders.find_map(|folder| Some((folder, fs::metadata(folder).ok()?.uid())));
        if let Some((folder, owner)) = there
            && owner != 0
            && rustix::process::geteuid().is_root()
        {
            bail!(
                "{} is of the user {owner}, who could change nothing there any more after root did\n  = help: run this \
                 as that user",
                folder.display()
            );
        }
        Ok(())
    }

    /// The audit log of what is done here.
    pub fn audit_log(&self) -> PathBuf {
        self.folder.join("audit.log")
    }

    /// A step is about to be done; a test may end it here.
    fn step(&self) -> Result<()> {
        #[cfg(test)]
        match self.steps.get().checked_sub(1) {
            Some(left) => self.steps.set(left),
            None => bail!("ended by a test"),
        }
        Ok(())
    }
}

/// What versions are put in order by: 1.10.0 comes after 1.9.0, and what is no version number in cargo's sense before
/// all that are.
fn order(version: &str) -> (Option<Version>, String) {
    (Version::parse(version).ok(), version.to_owned())
}

impl Release {
    /// The bytes of a part, as they were when it was signed.
    ///
    /// # Errors
    ///
    /// It has none, or it was changed.
    pub fn part(&self, part: Part) -> Result<Vec<u8>> {
        let path = self.folder.join(part.file(&self.about.name));
        let described = self.about.part(part);
        let described = described.with_context(|| format!("the release has no {part:?}"))?;
        let bytes =
            fs::read(&path).with_context(|| format!("could not read {}", path.display()))?;
        if !described.is_of(&bytes) {
            let text = format!(
                "{} was changed after it was signed\n  = help: `cargo hotswap release make --plan` signs an edited \
                 plan; to have the release as it was, unpack it again",
                path.display()
            );
            return Err(Refused::new(code::NOT_TRUSTED, text).into());
        }
        Ok(bytes)
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        // Closing is not enough: a child that has not got as far as its `exec` has the same open file.
        let _ = self.lock.unlock();
    }
}

impl Change<'_> {
    /// Removes what somebody left that was ended.
    fn clear(&self, releases: &Path) {
        for name in names(releases).unwrap_or_default() {
            if UNFINISHED.iter().any(|begin| name.starts_with(begin)) {
                // It does no harm where it is.
                let _ = fs::remove_dir_all(releases.join(name));
            }
        }
    }

    /// Brings a release here; false if it is here already. One that was damaged is mended.
    ///
    /// # Errors
    ///
    /// Another of the same version is here, or it can't be written.
    pub fn unpack(&self, sealed: &Sealed<'_>, contents: &Contents<'_>) -> Result<bool> {
        let version = &contents.about.version;
        let releases = self.store.folder.join(RELEASES);
        let place = releases.join(version);
        if place.exists() {
            return self.mend(&place, sealed, contents);
        }
        let new = tempfile::Builder::new()
            .prefix(".new-")
            .tempdir_in(&releases);
        let new = new.with_context(|| format!("could not write {}", releases.display()))?;
        fs::set_permissions(new.path(), Permissions::from_mode(0o755))?;
        for (part, bytes) in &contents.parts {
            self.store.step()?;
            let path = new.path().join(part.file(&self.store.name));
            write(&path, bytes, mode(*part))?;
        }
        write(
            &new.path().join(SIGNATURE_FILE),
            sealed.signature.unwrap_or_default(),
            0o644,
        )?;
        self.store.step()?;
        write(&new.path().join(TEXT_FILE), sealed.text, 0o644)?;
        sync(new.path())?;
        self.store.step()?;
        rename(&new.keep(), &place)?;
        Ok(true)
    }

    /// Gives a release that is here already what it should have; false if it has. It may be permanent, so each part is
    /// exchanged in one step.
    fn mend(&self, place: &Path, sealed: &Sealed<'_>, contents: &Contents<'_>) -> Result<bool> {
        let refused = |text: String| Err(Refused::new(code::DOES_NOT_FIT, text).into());
        let (name, version) = (&self.store.name, &contents.about.version);
        match fs::read(place.join(TEXT_FILE)) {
            Ok(text) if text == sealed.text => {}
            Ok(_) => {
                return refused(format!(
                    "another release {version} of `{name}` is here\n  = help: remove that one first, or give this one \
                     a version of its own"
                ));
            }
            Err(error) => {
                return refused(format!(
                    "{} is in the way, which is no release: {error}\n  = help: move it away",
                    place.display()
                ));
            }
        }
        let mut changed = false;
        for (part, bytes) in &contents.parts {
            let path = place.join(part.file(name));
            if fs::read(&path).is_ok_and(|found| found == *bytes) {
                continue;
            }
            let new = place.join(".part.new");
            remove(&new)?;
            write(&new, bytes, mode(*part))?;
            rename(&new, &path)?;
            changed = true;
        }
        Ok(changed)
    }

    /// Has the program start from this release from now on; false if it does already.
    ///
    /// # Errors
    ///
    /// The folder can't be written. Then it is as it was.
    pub fn set_permanent(&self, version: &str) -> Result<bool> {
        let before = self.store.permanent()?;
        if before.as_deref() == Some(version) {
            return Ok(false);
        }
        let history = self.store.read_history()?.with(before.as_deref(), version);
        self.write_history(&history)?;
        self.point_to(version)?;
        Ok(true)
    }

    /// Has the program start from the release that was permanent before this one.
    ///
    /// # Errors
    ///
    /// There is none, or the folder can't be written. Then it is as it was.
    pub fn go_back(&self) -> Result<()> {
        let history = self.store.history()?;
        let [.., before, _] = history.as_slice() else {
            bail!("no release was permanent before this one");
        };
        self.point_to(before)?;
        let history = self.store.read_history()?.until(Some(before));
        self.write_history(&History::of(history))
    }

    /// Takes a release away.
    ///
    /// # Errors
    ///
    /// It is permanent, or can't be removed.
    pub fn remove(&self, version: &str) -> Result<()> {
        if self.store.permanent()?.as_deref() == Some(version) {
            let text = format!("release {version} is permanent: the program is started from it");
            return Err(Refused::new(code::IN_USE, text).into());
        }
        let releases = self.store.folder.join(RELEASES);
        let gone = releases.join(format!(".gone-{version}"));
        self.store.step()?;
        rename(&releases.join(version), &gone)?;
        self.store.step()?;
        fs::remove_dir_all(&gone).with_context(|| format!("could not remove {}", gone.display()))
    }

    fn write_history(&self, history: &History) -> Result<()> {
        let path = self.store.folder.join(HISTORY);
        let new = path.with_extension("new");
        self.store.step()?;
        remove(&new)?;
        write(&new, &history.text()?, 0o644)?;
        self.store.step()?;
        rename(&new, &path)
    }

    /// Exchanges the link.
    fn point_to(&self, version: &str) -> Result<()> {
        let link = self.store.link();
        let new = self.store.folder.join("permanent.new");
        self.store.step()?;
        remove(&new)?;
        symlink(Path::new(RELEASES).join(version), &new)
            .with_context(|| format!("could not write {}", new.display()))?;
        self.store.step()?;
        rename(&new, &link)
    }
}

/// What may be done with the file of a part.
fn mode(part: Part) -> u32 {
    match part {
        Part::Executable => 0o755,
        _ => 0o644,
    }
}
