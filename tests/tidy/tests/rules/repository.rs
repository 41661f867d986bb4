//! The files of this repository.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Sources that are looked at by a compiler or a scenario, not by people: they have rules of their
/// own.
const FIXTURES: [&str; 2] = ["tests/scenarios/", "hotswap-macros/tests/mistakes/"];

/// The checked-out repository.
pub struct Repository {
    root: PathBuf,
}

/// A Rust file.
pub struct SourceFile {
    /// Its path below the root.
    pub path: String,
    /// Its content.
    pub text: String,
}

impl Repository {
    /// The repository that this test belongs to.
    pub fn find() -> Self {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = own
            .ancestors()
            .nth(2)
            .expect("the package lies two folders below the root");
        Self {
            root: root.to_owned(),
        }
    }

    /// The place of a path below the root.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The content of a file that must be there.
    pub fn read(&self, path: &str) -> String {
        let text = std::fs::read_to_string(self.path(path));
        text.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// All files that git knows or would take up; in a copy without git, all that are no build
    /// output.
    pub fn tracked(&self) -> Vec<String> {
        let git = Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .current_dir(&self.root)
            .output();
        let mut files: Vec<String> = match git {
            Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout)
                .split_terminator('\0')
                .filter(|file| self.path(file).is_file())
                .map(str::to_owned)
                .collect(),
            _ => {
                let mut found = Vec::new();
                self.walk(Path::new(""), &mut found);
                found
            }
        };
        files.sort();
        files.dedup();
        assert!(files.len() > 100, "only {} files were found", files.len());
        files
    }

    fn walk(&self, folder: &Path, found: &mut Vec<String>) {
        let entries = std::fs::read_dir(self.root.join(folder)).expect("a folder can be read");
        for entry in entries.flatten() {
            let (name, kind) = (entry.file_name(), entry.file_type().expect("a kind"));
            let path = folder.join(&name);
            if kind.is_dir() && name != "target" && name != ".git" {
                self.walk(&path, found);
            } else if kind.is_file() {
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }

    /// The project's own Rust files.
    pub fn sources(&self) -> Vec<SourceFile> {
        let own = |path: &String| {
            path.ends_with(".rs") && !FIXTURES.iter().any(|fixture| path.starts_with(fixture))
        };
        let paths = self.tracked().into_iter().filter(own);
        paths
            .map(|path| SourceFile {
                text: self.read(&path),
                path,
            })
            .collect()
    }
}
