//! A file whose reader blocks until it is let go: holds a compilation where a test wants it.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::mpsc::channel,
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::fs::{CWD, FileType, Mode};

/// How long a compiler may take to reach a gate before the test fails.
const DEADLINE: Duration = Duration::from_secs(600);

/// A named pipe that a source file includes with `include_str!`.
#[derive(Debug)]
pub struct Gate {
    path: PathBuf,
}

/// A gate at which a compiler waits.
#[derive(Debug)]
pub struct Held {
    path: PathBuf,
    pipe: File,
}

impl Gate {
    /// Puts a gate at a path where nothing is.
    ///
    /// # Errors
    ///
    /// When the pipe cannot be made.
    pub fn close(path: &Path) -> Result<Self> {
        rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        Ok(Self {
            path: path.to_path_buf(),
        })
    }

    /// Waits until somebody reads the file.
    ///
    /// # Errors
    ///
    /// When nobody does.
    pub fn await_reader(self) -> Result<Held> {
        let (sender, opened) = channel();
        let path = self.path.clone();
        // Opening a pipe for writing blocks until there is a reader.
        thread::spawn(move || sender.send(OpenOptions::new().write(true).open(path)));
        let pipe = opened
            .recv_timeout(DEADLINE)
            .context("nobody came to the gate")??;
        Ok(Held {
            path: self.path,
            pipe,
        })
    }
}

impl Held {
    /// The processes that wait at the gate.
    ///
    /// # Errors
    ///
    /// When the processes of the system cannot be listed.
    pub fn readers(&self) -> Result<Vec<u32>> {
        let own = std::process::id();
        let mut readers = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let entry = entry?;
            let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            // Others' processes cannot be looked into, and some end meanwhile.
            let files = fs::read_dir(entry.path().join("fd"))
                .into_iter()
                .flatten()
                .flatten();
            let mut targets = files.filter_map(|file| fs::read_link(file.path()).ok());
            if pid != own && targets.any(|target| target == self.path) {
                readers.push(pid);
            }
        }
        Ok(readers)
    }

    /// Lets everybody through; they read this text.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn open(mut self, text: &str) -> Result<()> {
        // Whoever opens it from now on finds a plain file.
        let plain = self.path.with_extension("plain");
        fs::write(&plain, text)?;
        fs::rename(&plain, &self.path)?;
        // The reader may have been killed.
        let _ = self.pipe.write_all(text.as_bytes());
        Ok(())
    }
}
