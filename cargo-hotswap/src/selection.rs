//! What the user asked to build and run: cargo's own flags.

use std::path::{Path, PathBuf};

use clap::Args;

/// The flags of `cargo run` that say what is built and how; passed on to cargo.
///
/// Some are empty: the flag was given without a value, and cargo answers with the values it takes.
#[derive(Debug, Clone, Default, Args)]
pub struct Selection {
    /// How much cargo tells.
    #[command(flatten)]
    pub messages: Messages,
    /// Package with the target to run
    #[arg(
        short,
        long,
        value_name = "SPEC",
        num_args = 0..=1,
        default_missing_value = "",
        help_heading = "Package Selection"
    )]
    pub package: Option<String>,
    /// Name of the bin target to run
    #[arg(
        long,
        value_name = "NAME",
        num_args = 0..=1,
        default_missing_value = "",
        help_heading = "Target Selection"
    )]
    pub bin: Vec<String>,
    /// Name of the example target to run
    #[arg(
        long,
        value_name = "NAME",
        num_args = 0..=1,
        default_missing_value = "",
        help_heading = "Target Selection"
    )]
    pub example: Vec<String>,
    /// Space or comma separated list of features to activate
    #[arg(
        short = 'F',
        long,
        value_name = "FEATURES",
        help_heading = "Feature Selection"
    )]
    pub features: Vec<String>,
    /// Activate all available features
    #[arg(long, help_heading = "Feature Selection")]
    pub all_features: bool,
    /// Do not activate the `default` feature
    #[arg(long, help_heading = "Feature Selection")]
    pub no_default_features: bool,
    /// Number of parallel jobs, defaults to # of CPUs.
    #[arg(
        short,
        long,
        value_name = "N",
        allow_hyphen_values = true,
        help_heading = "Compilation Options"
    )]
    pub jobs: Option<String>,
    /// Do not abort the build as soon as there is an error
    #[arg(long, help_heading = "Compilation Options")]
    pub keep_going: bool,
    /// Build artifacts in release mode, with optimizations
    #[arg(
        short,
        long,
        conflicts_with = "profile",
        help_heading = "Compilation Options"
    )]
    pub release: bool,
    /// Build artifacts with the specified profile
    #[arg(
        long,
        value_name = "PROFILE-NAME",
        help_heading = "Compilation Options"
    )]
    pub profile: Option<String>,
    /// Build for the target triple
    #[arg(
        long,
        value_name = "TRIPLE",
        num_args = 0..=1,
        default_missing_value = "",
        help_heading = "Compilation Options"
    )]
    pub target: Vec<String>,
    /// Directory for all generated artifacts
    #[arg(long, value_name = "DIRECTORY", help_heading = "Compilation Options")]
    pub target_dir: Option<PathBuf>,
    /// Output a build timing report at the end of the first build
    #[arg(long, help_heading = "Compilation Options")]
    pub timings: bool,
    /// Path to Cargo.toml
    #[arg(long, value_name = "PATH", help_heading = "Manifest Options")]
    pub manifest_path: Option<PathBuf>,
    /// Ignore `rust-version` specification in packages
    #[arg(long, help_heading = "Manifest Options")]
    pub ignore_rust_version: bool,
    /// Assert that `Cargo.lock` will remain unchanged
    #[arg(long, help_heading = "Manifest Options")]
    pub locked: bool,
    /// Run without accessing the network
    #[arg(long, help_heading = "Manifest Options")]
    pub offline: bool,
    /// Equivalent to specifying both --locked and --offline
    #[arg(long, help_heading = "Manifest Options")]
    pub frozen: bool,
    /// Whether a base is built. Each crate of the workspace is optimised as one unit then, unless somebody asks for
    /// several, which takes longer to compile, and runs faster.
    #[arg(skip)]
    pub for_base: bool,
}

/// Cargo's flags about its messages and its configuration.
#[derive(Debug, Clone, Default, Args)]
pub struct Messages {
    /// Say more (-vv and -vvv: also what `cargo run -v` and `-vv` say)
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Do not print status messages
    #[arg(short, long)]
    pub quiet: bool,
    /// Coloring [possible values: auto, always, never]
    #[arg(long, value_enum, value_name = "WHEN", hide_possible_values = true)]
    pub color: Option<Colour>,
    /// Override a configuration value
    #[arg(long, value_name = "KEY=VALUE|PATH")]
    pub config: Vec<String>,
    /// Unstable (nightly-only) flags to Cargo, see 'cargo -Z help' for details
    #[arg(short = 'Z', value_name = "FLAG")]
    pub unstable: Vec<String>,
    /// In which form cargo gives the compiler's messages in the first build.
    #[arg(skip)]
    pub diagnostics: Diagnostics,
}

/// When to write colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    /// On a terminal, as the usual variables say.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What becomes of the compiler's messages in the first build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Diagnostics {
    /// They are part of the result.
    #[default]
    Collected,
    /// Cargo writes them itself.
    Shown,
    /// Cargo writes them itself, one line each.
    Short,
}

impl Selection {
    /// The name of cargo's profile.
    pub fn profile_name(&self) -> &str {
        match (&self.profile, self.release) {
            (Some(name), _) => name,
            (None, true) => "release",
            (None, false) => "dev",
        }
    }

    /// Flags that choose features, profile, folders and the like; not package or target.
    pub fn cargo_flags(&self) -> Vec<String> {
        let mut flags = Flags(self.manifest_flags());
        flags.values("--features", &self.features);
        flags.values("--profile", [self.profile_name()]);
        flags.values("--jobs", &self.jobs);
        flags.values("--target", &self.target);
        flags.values(
            "--target-dir",
            self.target_dir.iter().map(|path| text(path)),
        );
        flags.set("--all-features", self.all_features);
        flags.set("--no-default-features", self.no_default_features);
        flags.set("--keep-going", self.keep_going);
        flags.set("--ignore-rust-version", self.ignore_rust_version);
        flags.0
    }

    /// Flags about the manifest, which `cargo metadata` takes too.
    pub fn manifest_flags(&self) -> Vec<String> {
        let mut flags = Flags::default();
        flags.values(
            "--manifest-path",
            self.manifest_path.iter().map(|path| text(&real(path))),
        );
        flags.values("--config", &self.messages.config);
        for flag in &self.messages.unstable {
            flags.0.push(format!("-Z{flag}"));
        }
        flags.set("--locked", self.locked);
        flags.set("--offline", self.offline);
        flags.set("--frozen", self.frozen);
        flags.0
    }

    /// Flags that choose package and target, as they were given.
    pub fn target_flags(&self) -> Vec<String> {
        let mut flags = Flags::default();
        flags.values("--package", &self.package);
        flags.values("--bin", &self.bin);
        flags.values("--example", &self.example);
        flags.0
    }

    /// Flags about what cargo tells of a build that is shown.
    pub fn shown_flags(&self) -> Vec<String> {
        let mut flags = Flags::default();
        // The first one is meant for edits; cargo would show how it calls each compiler.
        for _ in 1..self.messages.verbose {
            flags.0.push("--verbose".to_owned());
        }
        flags.set("--quiet", self.messages.quiet);
        flags.set("--timings", self.timings);
        flags.values("--color", self.messages.color.map(Colour::word));
        flags.0
    }
}

impl Colour {
    fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A manifest where its folder really is, since compilers tell of sources there, whatever links lead to it. A manifest
/// that is a link itself belongs to the folder in which it is one.
fn real(manifest: &Path) -> PathBuf {
    let place = manifest.parent().zip(manifest.file_name());
    let real = place.and_then(|(folder, name)| Some(folder.canonicalize().ok()?.join(name)));
    real.unwrap_or_else(|| manifest.to_owned())
}

#[derive(Default)]
struct Flags(Vec<String>);

impl Flags {
    fn set(&mut self, name: &str, set: bool) {
        if set {
            self.0.push(name.to_owned());
        }
    }

    /// A flag for each value; an empty one leaves the flag without.
    fn values(&mut self, name: &str, values: impl IntoIterator<Item = impl AsRef<str>>) {
        for value in values {
            self.0.push(name.to_owned());
            if !value.as_ref().is_empty() {
                self.0.push(value.as_ref().to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use clap::Parser;

    use super::Selection;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        selection: Selection,
        #[arg(trailing_var_arg = true)]
        args: Vec<String>,
    }

    #[test]
    fn what_cargo_takes_is_passed_on() {
        let table = [
            ("", "--profile dev", "", ""),
            ("-r", "--profile release", "", ""),
            ("--profile my-own", "--profile my-own", "", ""),
            (
                "-p app --bin first",
                "--profile dev",
                "--package app --bin first",
                "",
            ),
            ("--bin", "--profile dev", "--bin", ""),
            (
                "--bin a --bin b --example c",
                "--profile dev",
                "--bin a --bin b --example c",
                "",
            ),
            ("-p", "--profile dev", "--package", ""),
            ("--target", "--profile dev --target", "", ""),
            (
                "-F a,b --features c --all-features --no-default-features",
                "--features a,b --features c --profile dev --all-features --no-default-features",
                "",
                "",
            ),
            (
                "-j -1 --keep-going --target t --target-dir d --ignore-rust-version",
                "--profile dev --jobs -1 --target t --target-dir d --keep-going \
                 --ignore-rust-version",
                "",
                "",
            ),
            (
                "--manifest-path m --config a=1 --config b -Z x -Zy --locked --offline --frozen",
                "--manifest-path m --config a=1 --config b -Zx -Zy --locked --offline --frozen \
                 --profile dev",
                "",
                "",
            ),
            (
                "-vvv --timings --color never",
                "--profile dev",
                "",
                "--verbose --verbose --timings --color never",
            ),
            ("-v", "--profile dev", "", ""),
            ("-q", "--profile dev", "", "--quiet"),
        ];
        for (given, build, target, shown) in table {
            let words = std::iter::once("run").chain(given.split_whitespace());
            let line = Line::try_parse_from(words).expect(given);
            assert_eq!(line.selection.cargo_flags().join(" "), build, "{given}");
            assert_eq!(line.selection.target_flags().join(" "), target, "{given}");
            assert_eq!(line.selection.shown_flags().join(" "), shown, "{given}");
            assert!(line.args.is_empty(), "{given}");
        }
    }

    #[test]
    fn what_cargo_refuses_is_refused() {
        for given in [
            "--release --profile dev",
            "-p a -p b",
            "--lib",
            "--workspace",
            "--test x",
        ] {
            let words = std::iter::once("run").chain(given.split_whitespace());
            assert!(Line::try_parse_from(words).is_err(), "{given}");
        }
    }

    #[test]
    fn a_manifest_behind_links_is_named_where_its_folder_is() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let [own, link] = ["own", "link"].map(|name| folder.join(name));
        std::fs::create_dir(&own).unwrap();
        symlink(&own, &link).unwrap();
        symlink(folder.join("elsewhere.toml"), own.join("Cargo.toml")).unwrap();
        let selection = Selection {
            manifest_path: Some(link.join("Cargo.toml")),
            ..Selection::default()
        };
        let named = own.join("Cargo.toml").display().to_string();
        assert_eq!(selection.manifest_flags(), ["--manifest-path", &named]);
    }
}
