//! Taking signed patch files, because the program asks for it.

use std::path::{Path, PathBuf};

use crate::engine;

/// How a program takes patch files.
///
/// It also takes those that are signed with a key that was compiled in, by the variable
/// `HOTSWAP_PUBLIC_KEY`, or that stands in `/etc/hotswap/keys.pub`, which must be root's alone.
#[derive(Debug, Clone, Default)]
pub struct Listen {
    pub(crate) name: Option<String>,
    pub(crate) keys: Vec<String>,
    pub(crate) audit_log: Option<PathBuf>,
}

impl Listen {
    /// By the name of its executable, with the keys that are there anyway, and without an audit log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The name by which `cargo hotswap patch --name` finds it.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Patch files that are signed with this key are taken, too: the text of a public key of minisign's, or
    /// its second line alone.
    #[must_use]
    pub fn public_key(mut self, key: impl Into<String>) -> Self {
        self.keys.push(key.into());
        self
    }

    /// Every act on patches is appended to this file, as a line of JSON. What can't be written there is not
    /// done. The file is also where the program learns, when it starts, how far patches of this build have
    /// come, so that an older one is not applied again.
    #[must_use]
    pub fn audit_log(mut self, path: impl AsRef<Path>) -> Self {
        self.audit_log = Some(path.as_ref().to_owned());
        self
    }
}

/// Why a program takes no patch files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Code can't be replaced on this target.
    #[error("code can't be replaced on this target")]
    Unsupported,
    /// A key that can't be read.
    #[error("{0}")]
    Key(String),
    /// The audit log can't be used.
    #[error("{0}")]
    Audit(String),
    /// There is no socket to be had.
    #[error("{0}")]
    Socket(String),
}

/// Takes signed patch files from now on, from processes of this user and of root.
///
/// There is a socket for them in a folder of the user's own, never one on a network. `cargo hotswap patch`
/// finds it. The environment variable `HOTSWAP_LISTEN=1` does the same before `main`, with
/// `HOTSWAP_AUDIT` for the audit log; without either nothing listens.
///
/// In a process that listens already, keys and audit log are added; the name stays.
///
/// # Errors
///
/// The options can't be used, or there is no socket. The program goes on without.
///
/// # Examples
///
/// ```no_run
/// if let Err(error) = hotswap::listen(hotswap::Listen::new().name("web")) {
///     eprintln!("this server can't be patched: {error}");
/// }
/// ```
pub fn listen(options: Listen) -> Result<(), ListenError> {
    engine::listen_to_patches(options)
}
