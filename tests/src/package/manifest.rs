//! What cargo reads: the manifests of work copies, and the settings above them. Both see to it that as
//! much as can be of what the tests build is built once.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};

use crate::paths;

/// Stands for the path of `hotswap-runtime` in manifests.
const RUNTIME_PLACEHOLDER: &str = "$HOTSWAP_RUNTIME";
/// How manifests begin to depend on it.
const RUNTIME: &str = "hotswap-runtime = { path = \"$HOTSWAP_RUNTIME\"";
/// Cargo's settings for all work copies: what isn't swapped needs no debug information, as in the
/// workspace's own profile. It is most of what each host would be linked of. Nor is it optimised, which would take
/// half a minute for the runtime alone, and as long for procedural macros.
const SETTINGS: &str = "[profile.dev.package.\"*\"]\ndebug = false\n\
    [profile.release.package.\"*\"]\nopt-level = 0\n";

/// Settings of a work copy that is timed, or runs for long.
pub const OPTIMISED: &str =
    "[profile.dev]\nopt-level = 2\n[profile.release.package.\"*\"]\nopt-level = 3\n";

/// The manifest of a package that depends on the runtime alone.
pub fn default(name: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\nedition = \"2024\"\n\n[dependencies]\n\
         hotswap-runtime = {{ path = \"{RUNTIME_PLACEHOLDER}\" }}\n\n[workspace]\n"
    )
}

/// The manifest of a workspace that holds one example. Its profiles stay behind: with the settings
/// that all work copies share, the examples' dependencies are those of the scenarios.
pub fn workspace_of(example: &str) -> Result<String> {
    let root = paths::workspace();
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    let part = |from: &str, to: &str| {
        let start = manifest.find(from).with_context(|| format!("no {from}"))?;
        let length = manifest[start..]
            .find(to)
            .with_context(|| format!("no {to}"))?;
        anyhow::Ok(&manifest[start..start + length])
    };
    let path = format!("path = \"{}/", root.display());
    Ok(format!(
        "[workspace]\nresolver = \"3\"\nmembers = [\"examples/{example}\"]\n\n{}",
        part("[workspace.package]", "[profile.")?.replace("path = \"", &path)
    ))
}

/// An example's manifest with one dependency more, which makes its others those of all examples.
pub fn with_shared_features(manifest: &[u8]) -> Result<Vec<u8>> {
    let folder = paths::workspace().join("tests/features");
    let manifest = String::from_utf8(manifest.to_vec())?;
    let line = format!(
        "[dependencies]\nhotswap-test-features = {{ path = \"{}\" }}\n",
        folder.display()
    );
    ensure!(manifest.contains("[dependencies]\n"), "no dependencies");
    Ok(manifest.replacen("[dependencies]\n", &line, 1).into_bytes())
}

/// The text of a file, with the placeholder of a manifest filled in. What the runtime depends on gets the features
/// that it has under the examples, so that it is built once for both.
pub fn filled(file: &str, text: &[u8]) -> Vec<u8> {
    if !file.ends_with("Cargo.toml") {
        return text.to_vec();
    }
    let root = paths::workspace();
    let base = root.join("tests/features/base");
    let with_base = format!(
        "hotswap-test-base = {{ path = \"{}\" }}\n{RUNTIME}",
        base.display()
    );
    let runtime = root.join("hotswap-runtime");
    String::from_utf8_lossy(text)
        .replace(RUNTIME, &with_base)
        .replace(RUNTIME_PLACEHOLDER, &runtime.to_string_lossy())
        .into_bytes()
}

/// Writes the settings that all work copies share, unless they stand.
pub fn write_settings(folder: &Path) -> Result<()> {
    let file = folder.join("config.toml");
    if fs::read_to_string(&file).is_ok_and(|text| text == SETTINGS) {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    // By a rename, since another test may read it.
    let written = tempfile::NamedTempFile::new_in(folder)?;
    fs::write(written.path(), SETTINGS)?;
    written.persist(file)?;
    Ok(())
}
