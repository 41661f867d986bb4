//! A file whose reader blocks until it is let go: holds a compilation where a test wants it.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Result;
use rustix::fs::{CWD, FileType, Mode};

/// A named pipe that a source file includes with `include_str!`.
#[derive(Debug)]
pub struct Gate {
    path: PathBuf,
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

    /// Waits until a compiler stands at the gate, and lets it through with this text.
    ///
    /// A plain file takes the pipe's place first, so that whoever reads it later passes.
    ///
    /// # Errors
    ///
    /// When the pipe or the file cannot be written.
    pub fn open(self, text: &str) -> Result<()> {
        let mut pipe = OpenOptions::new().write(true).open(&self.path)?;
        let plain = self.path.with_extension("plain");
        fs::write(&plain, text)?;
        fs::rename(&plain, &self.path)?;
        pipe.write_all(text.as_bytes())?;
        Ok(())
    }
}
