//! A browser without a window, to look at pages as their readers do.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

/// Names a browser that is not on the path, or is called otherwise.
const VARIABLE: &str = "HOTSWAP_TESTS_BROWSER";

/// What browsers of one family are called.
const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "chrome-headless-shell",
];

/// A browser of chromium's family.
#[derive(Debug)]
pub struct Browser(PathBuf);

/// A page after its scripts have run.
#[derive(Debug)]
pub struct Page {
    /// Its elements, as markup.
    pub dom: String,
    /// What it said on the console, errors among it.
    pub console: Vec<String>,
}

impl Browser {
    /// The browser of this machine; where there is none, that is said, loudly.
    #[must_use]
    pub fn find() -> Option<Self> {
        let named = env::var_os(VARIABLE).map(PathBuf::from);
        let found = named.or_else(|| {
            let folders = env::var_os("PATH")?;
            let folders: Vec<_> = env::split_paths(&folders).collect();
            let mut paths = NAMES
                .iter()
                .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
            paths.find(|path| path.is_file())
        });
        if found.is_none() {
            eprintln!(
                "SKIPPED: no browser on the path ({}), so the page was not looked at; install \
                 chromium, or name one in {VARIABLE}",
                NAMES.join(", ")
            );
        }
        found.map(Self)
    }

    /// Opens a page.
    ///
    /// # Errors
    ///
    /// When the browser can't.
    pub fn open(&self, page: &Path) -> Result<Page> {
        let profile = tempfile::tempdir()?;
        let output = Command::new(&self.0)
            .args(["--headless", "--disable-gpu", "--no-first-run"])
            // Its sandbox does not work in every container, and the page is our own.
            .arg("--no-sandbox")
            .arg(format!("--user-data-dir={}", profile.path().display()))
            // Nothing but the file is to be loaded.
            .arg("--host-resolver-rules=MAP * ~NOTFOUND")
            .args(["--enable-logging=stderr", "--dump-dom"])
            .arg(format!("file://{}", page.display()))
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("running {}", self.0.display()))?;
        let words = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}: {words}", output.status);
        let console = words.lines().filter(|line| line.contains(":CONSOLE"));
        Ok(Page {
            dom: String::from_utf8(output.stdout)?,
            console: console.map(str::to_owned).collect(),
        })
    }
}

impl Page {
    /// The text of an element that has this id, up to the next tag.
    #[must_use]
    pub fn text_of(&self, id: &str) -> Option<&str> {
        let element = self.dom.split_once(&format!("id=\"{id}\""))?.1;
        let text = element.split_once('>')?.1;
        Some(text.split('<').next().unwrap_or(text))
    }

    /// How often something occurs in the markup.
    #[must_use]
    pub fn count(&self, markup: &str) -> usize {
        self.dom.matches(markup).count()
    }
}
