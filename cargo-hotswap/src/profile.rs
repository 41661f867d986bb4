//! Settings of cargo's profiles that patching can't live with, and what stands for them.

use std::path::Path;

use toml::Value;

/// Environment variables that change the profile for hotswap's builds, as name and value.
///
/// Link-time optimisation leaves libraries without machine code, so that nothing could be linked
/// in full; it is switched off only where the profile asks for it, since a changed profile means
/// that dependencies are built once more.
pub fn overrides(workspace: &Path, profile: &str) -> Vec<(String, String)> {
    let prefix = format!("CARGO_PROFILE_{}", profile.to_uppercase().replace('-', "_"));
    match asks_for_lto(&manifest(workspace), profile) {
        true => vec![(format!("{prefix}_LTO"), "off".to_owned())],
        false => Vec::new(),
    }
}

/// What the user set and hotswap does not follow, in words.
pub fn overridden(workspace: &Path, profile: &str) -> Vec<&'static str> {
    let manifest = manifest(workspace);
    let strip = setting(&manifest, profile, "strip");
    let mut settings = Vec::new();
    if asks_for_lto(&manifest, profile) {
        settings.push("`lto` is set aside, since a patch needs the libraries' machine code");
    }
    if strip.is_some_and(|strip| strip != &Value::Boolean(false) && strip.as_str() != Some("none"))
    {
        settings.push("`strip` is set aside, since a patch is linked against the symbols");
    }
    settings
}

fn manifest(workspace: &Path) -> Value {
    let text = std::fs::read_to_string(workspace.join("Cargo.toml")).unwrap_or_default();
    toml::from_str(&text).unwrap_or_else(|_| Value::Table(Default::default()))
}

fn asks_for_lto(manifest: &Value, profile: &str) -> bool {
    let lto = setting(manifest, profile, "lto");
    lto.is_some_and(|lto| lto != &Value::Boolean(false) && lto.as_str() != Some("off"))
}

/// A profile's setting, followed through `inherits`.
fn setting<'a>(manifest: &'a Value, profile: &str, name: &str) -> Option<&'a Value> {
    let mut profile = profile.to_owned();
    for _ in 0..16 {
        let table = manifest
            .get("profile")
            .and_then(|profiles| profiles.get(&profile));
        if let Some(value) = table.and_then(|table| table.get(name)) {
            return Some(value);
        }
        profile = table?.get("inherits")?.as_str()?.to_owned();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::overrides;

    #[test]
    fn switches_off_only_what_is_on() {
        for (manifest, profile, expected) in [
            ("", "release", None),
            ("[profile.release]\nlto = false", "release", None),
            ("[profile.release]\nlto = \"off\"", "release", None),
            (
                "[profile.release]\nlto = true",
                "release",
                Some("CARGO_PROFILE_RELEASE_LTO"),
            ),
            ("[profile.release]\nlto = \"fat\"", "dev", None),
            (
                "[profile.release]\nlto = \"thin\"\n[profile.my-own]\ninherits = \"release\"",
                "my-own",
                Some("CARGO_PROFILE_MY_OWN_LTO"),
            ),
        ] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
            let found = overrides(folder.path(), profile);
            let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(
                names,
                expected.into_iter().collect::<Vec<_>>(),
                "{manifest}"
            );
        }
    }
}
