//! A package in a folder of its own below the target folder, and edits of one of its files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// What an edit replaces: a number in the code of an edited file.
pub const MARKER: &str = "1000_u32";

/// What an edit does to the lines of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// Changes a number, and no line moves.
    InPlace,
    /// Changes the number and inserts one more line at the top.
    InsertLine,
}

/// A package that is edited.
#[derive(Debug)]
pub struct Work {
    /// The package's folder.
    pub root: PathBuf,
    /// Its target folder, kept from run to run so that dependencies are built once.
    pub target: PathBuf,
    file: PathBuf,
    original: String,
}

impl Work {
    /// An empty folder for a package of this name; its target folder may be warm.
    ///
    /// # Errors
    ///
    /// The target folder of the benches can't be found or written.
    pub fn folder(name: &str) -> Result<(PathBuf, PathBuf)> {
        let base = hotswap_tests::target()?.join("hotswap-bench").join(name);
        let root = base.join(name);
        if root.exists() {
            fs::remove_dir_all(&root).with_context(|| format!("clearing {}", root.display()))?;
        }
        fs::create_dir_all(root.join("src"))?;
        Ok((root, base.join("target")))
    }

    /// A package that stands in `root`, of which this file will be edited.
    ///
    /// # Errors
    ///
    /// The file can't be read or has not one [`MARKER`].
    pub fn new(root: PathBuf, target: PathBuf, file: &str) -> Result<Self> {
        let file = root.join(file);
        let original =
            fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        let markers = original.matches(MARKER).count();
        ensure!(markers == 1, "{} has {markers} markers", file.display());
        Ok(Self {
            root,
            target,
            file,
            original,
        })
    }

    /// A package of which no single file is meant.
    pub fn whole(root: PathBuf, target: PathBuf) -> Self {
        Self {
            file: root.clone(),
            original: String::new(),
            root,
            target,
        }
    }

    /// The file that is edited.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The number that stands in the code after an edit.
    pub fn number(edit: usize) -> usize {
        1000 + edit
    }

    /// Writes the file as it is after this many edits; 0 is the original. The file is renamed into
    /// its place, so that nobody sees half of it.
    ///
    /// # Errors
    ///
    /// The file can't be written.
    pub fn save(&self, edit: Edit, count: usize) -> Result<()> {
        let mut text = match edit {
            Edit::InPlace => String::new(),
            Edit::InsertLine => "// One more line.\n".repeat(count),
        };
        text += &self
            .original
            .replace(MARKER, &format!("{}_u32", Self::number(count)));
        let temporary = self.file.with_extension("saving");
        fs::write(&temporary, text)?;
        fs::rename(&temporary, &self.file)
            .with_context(|| format!("writing {}", self.file.display()))
    }

    /// Takes a text in a file of a package in preparation and puts another in its place.
    ///
    /// # Errors
    ///
    /// The file does not have the text exactly once.
    pub fn prepare(root: &Path, file: &str, from: &str, to: &str) -> Result<()> {
        let path = root.join(file);
        let text =
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        ensure!(
            text.matches(from).count() == 1,
            "{file} has not one {from:?}"
        );
        Ok(fs::write(&path, text.replace(from, to))?)
    }
}
