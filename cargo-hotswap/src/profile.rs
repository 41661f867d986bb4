//! Settings of cargo's profiles that patching can't live with, and what stands for them.

use std::path::Path;

use toml::{Table, Value};

/// The profiles of a workspace as cargo sees them: its manifest's, under those of configuration
/// files, under variables.
#[derive(Debug, Default)]
pub struct Profiles {
    /// Manifest and configuration files, the strongest first, each with its name.
    layers: Vec<(String, Table)>,
    /// Variables that begin with `CARGO_PROFILE_`.
    variables: Vec<(String, String)>,
}

/// A profile's setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Its value.
    pub value: Value,
    /// The file or variable that says so.
    pub origin: String,
}

impl Profiles {
    /// Reads the profiles of a workspace; what can't be read is cargo's to complain about.
    pub fn read(workspace: &Path) -> Self {
        let mut files: Vec<_> = cargo_config2::Walk::new(workspace).collect();
        files.push(workspace.join("Cargo.toml"));
        let layers = files.into_iter().filter_map(|file| {
            let text = std::fs::read_to_string(&file).ok()?;
            let mut table: Table = toml::from_str(&text).ok()?;
            match table.remove("profile")? {
                Value::Table(profiles) => Some((file.display().to_string(), profiles)),
                _ => None,
            }
        });
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            let is_profile = name.starts_with("CARGO_PROFILE_");
            is_profile.then_some((name, value.into_string().ok()?))
        });
        Self {
            layers: layers.collect(),
            variables: variables.collect(),
        }
    }

    /// A profile's setting, followed through `inherits`; what nobody said is `None`.
    pub fn get(&self, profile: &str, key: &str) -> Option<Setting> {
        let mut profile = profile.to_owned();
        for _ in 0..16 {
            if let Some(setting) = self.own(&profile, key) {
                return Some(setting);
            }
            let above = self.own(&profile, "inherits");
            profile = match (above, profile.as_str()) {
                (Some(above), _) => above.value.as_str()?.to_owned(),
                (None, "test") => "dev".to_owned(),
                (None, "bench") => "release".to_owned(),
                (None, _) => return None,
            };
        }
        None
    }

    fn own(&self, profile: &str, key: &str) -> Option<Setting> {
        let variable = variable(profile, key);
        if let Some((name, text)) = self.variables.iter().find(|(name, _)| *name == variable) {
            let value = match text.as_str() {
                "true" => Value::Boolean(true),
                "false" => Value::Boolean(false),
                text => text
                    .parse()
                    .map_or_else(|_| Value::String(text.to_owned()), Value::Integer),
            };
            let origin = name.clone();
            return Some(Setting { value, origin });
        }
        self.layers.iter().find_map(|(file, profiles)| {
            let value = profiles.get(profile)?.get(key)?.clone();
            let origin = file.clone();
            Some(Setting { value, origin })
        })
    }

    fn asks_for_lto(&self, profile: &str) -> bool {
        let lto = self.get(profile, "lto").map(|setting| setting.value);
        lto.is_some_and(|lto| lto != Value::Boolean(false) && lto.as_str() != Some("off"))
    }

    /// Whether a profile has all crates optimised as one.
    pub fn has_fat_lto(&self, profile: &str) -> bool {
        let lto = self.get(profile, "lto").map(|setting| setting.value);
        lto.is_some_and(|lto| lto == Value::Boolean(true) || lto.as_str() == Some("fat"))
    }

    fn asks_for_strip(&self, profile: &str) -> bool {
        let strip = self.get(profile, "strip").map(|setting| setting.value);
        strip.is_some_and(|strip| strip != Value::Boolean(false) && strip.as_str() != Some("none"))
    }
}

/// The variable of a profile's setting.
fn variable(profile: &str, key: &str) -> String {
    let upper = |text: &str| text.to_uppercase().replace('-', "_");
    format!("CARGO_PROFILE_{}_{}", upper(profile), upper(key))
}

/// Environment variables that change the profile for hotswap's builds, as name and value.
///
/// Link-time optimisation leaves libraries without machine code, so that nothing could be linked
/// in full; it is switched off only where the profile asks for it, since a changed profile means
/// that dependencies are built once more.
pub fn overrides(workspace: &Path, profile: &str) -> Vec<(String, String)> {
    match Profiles::read(workspace).asks_for_lto(profile) {
        true => vec![(variable(profile, "lto"), "off".to_owned())],
        false => Vec::new(),
    }
}

/// What the user set and hotswap does not follow, in words.
pub fn overridden(workspace: &Path, profile: &str) -> Vec<&'static str> {
    let profiles = Profiles::read(workspace);
    let mut settings = Vec::new();
    if profiles.asks_for_lto(profile) {
        settings.push("`lto` is set aside, since a patch needs the libraries' machine code");
    }
    if profiles.asks_for_strip(profile) {
        settings.push("`strip` is set aside, since a patch is linked against the symbols");
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::{Profiles, overrides};

    #[test]
    fn switches_off_only_what_is_on() {
        let own = ".cargo/config.toml";
        for (file, text, profile, expected) in [
            ("Cargo.toml", "", "release", None),
            (
                "Cargo.toml",
                "[profile.release]\nlto = false",
                "release",
                None,
            ),
            (
                "Cargo.toml",
                "[profile.release]\nlto = \"off\"",
                "release",
                None,
            ),
            (
                "Cargo.toml",
                "[profile.release]\nlto = true",
                "release",
                Some("CARGO_PROFILE_RELEASE_LTO"),
            ),
            (
                "Cargo.toml",
                "[profile.release]\nlto = \"fat\"",
                "dev",
                None,
            ),
            (
                "Cargo.toml",
                "[profile.release]\nlto = \"fat\"",
                "bench",
                Some("CARGO_PROFILE_BENCH_LTO"),
            ),
            (
                "Cargo.toml",
                "[profile.release]\nlto = \"thin\"\n[profile.my-own]\ninherits = \"release\"",
                "my-own",
                Some("CARGO_PROFILE_MY_OWN_LTO"),
            ),
            (
                own,
                "[profile.dev]\nlto = true",
                "dev",
                Some("CARGO_PROFILE_DEV_LTO"),
            ),
        ] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::create_dir(folder.path().join(".cargo")).unwrap();
            std::fs::write(folder.path().join(file), text).unwrap();
            let found = overrides(folder.path(), profile);
            let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, expected.into_iter().collect::<Vec<_>>(), "{text}");
        }
    }

    #[test]
    fn fat_lto_has_two_names() {
        for (lto, expected) in [
            ("true", true),
            ("\"fat\"", true),
            ("\"thin\"", false),
            ("\"off\"", false),
            ("false", false),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let text =
                format!("[profile.release]\nlto = {lto}\n[profile.own]\ninherits = \"release\"");
            std::fs::write(folder.path().join("Cargo.toml"), text).unwrap();
            let profiles = Profiles::read(folder.path());
            let found = ["release", "own", "dev"].map(|profile| profiles.has_fat_lto(profile));
            assert_eq!(found, [expected, expected, false], "{lto}");
        }
    }

    #[test]
    fn the_stronger_place_decides() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(".cargo")).unwrap();
        let write =
            |file: &str, text: &str| std::fs::write(folder.path().join(file), text).unwrap();
        write(
            "Cargo.toml",
            "[profile.dev]\nopt-level = 1\nlto = true\npanic = \"abort\"",
        );
        write(
            ".cargo/config.toml",
            "[profile.dev]\nopt-level = 2\nlto = false",
        );
        let mut profiles = Profiles::read(folder.path());
        profiles.variables = vec![("CARGO_PROFILE_DEV_OPT_LEVEL".to_owned(), "3".to_owned())];
        let shown = |key: &str| {
            let setting = profiles.get("dev", key)?;
            let origin = setting.origin.rsplit('/').next().unwrap().to_owned();
            Some(format!("{} {origin}", setting.value))
        };
        for (key, expected) in [
            ("opt-level", Some("3 CARGO_PROFILE_DEV_OPT_LEVEL")),
            ("lto", Some("false config.toml")),
            ("panic", Some("\"abort\" Cargo.toml")),
            ("debug", None),
        ] {
            assert_eq!(shown(key).as_deref(), expected, "{key}");
        }
    }
}
