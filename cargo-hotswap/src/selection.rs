//! What the user asked to build and run: cargo's own selection flags.

use std::path::PathBuf;

use clap::Args;

/// The flags of `cargo run` that say what is built and how; passed on to cargo.
#[derive(Debug, Clone, Default, Args)]
pub struct Selection {
    /// Package with the target to run
    #[arg(short, long, value_name = "SPEC", help_heading = "Package Selection")]
    pub package: Option<String>,
    /// Name of the bin target to run
    #[arg(long, value_name = "NAME", help_heading = "Target Selection")]
    pub bin: Option<String>,
    /// Name of the example target to run
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with = "bin",
        help_heading = "Target Selection"
    )]
    pub example: Option<String>,
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
    /// Number of parallel jobs
    #[arg(short, long, value_name = "N", help_heading = "Compilation Options")]
    pub jobs: Option<String>,
    /// Build for the target triple
    #[arg(long, value_name = "TRIPLE", help_heading = "Compilation Options")]
    pub target: Option<String>,
    /// Directory for all generated artifacts
    #[arg(long, value_name = "DIRECTORY", help_heading = "Compilation Options")]
    pub target_dir: Option<PathBuf>,
    /// Path to Cargo.toml
    #[arg(long, value_name = "PATH", help_heading = "Manifest Options")]
    pub manifest_path: Option<PathBuf>,
    /// Assert that `Cargo.lock` will remain unchanged
    #[arg(long, help_heading = "Manifest Options")]
    pub locked: bool,
    /// Run without accessing the network
    #[arg(long, help_heading = "Manifest Options")]
    pub offline: bool,
    /// Equivalent to specifying both --locked and --offline
    #[arg(long, help_heading = "Manifest Options")]
    pub frozen: bool,
    /// Override a configuration value
    #[arg(long, value_name = "KEY=VALUE|PATH", help_heading = "Manifest Options")]
    pub config: Vec<String>,
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
        let mut flags = self.manifest_flags();
        let mut option = |name: &str, value: &str| {
            flags.push(name.to_owned());
            flags.push(value.to_owned());
        };
        for features in &self.features {
            option("--features", features);
        }
        option("--profile", self.profile_name());
        if let Some(jobs) = &self.jobs {
            option("--jobs", jobs);
        }
        if let Some(target) = &self.target {
            option("--target", target);
        }
        if let Some(folder) = &self.target_dir {
            option("--target-dir", &folder.to_string_lossy());
        }
        for (flag, set) in [
            ("--all-features", self.all_features),
            ("--no-default-features", self.no_default_features),
        ] {
            if set {
                flags.push(flag.to_owned());
            }
        }
        flags
    }

    /// Flags about the manifest, which `cargo metadata` takes too.
    pub fn manifest_flags(&self) -> Vec<String> {
        let mut flags = Vec::new();
        if let Some(path) = &self.manifest_path {
            flags.push("--manifest-path".to_owned());
            flags.push(path.to_string_lossy().into_owned());
        }
        for config in &self.config {
            flags.push("--config".to_owned());
            flags.push(config.clone());
        }
        for (flag, set) in [
            ("--locked", self.locked),
            ("--offline", self.offline),
            ("--frozen", self.frozen),
        ] {
            if set {
                flags.push(flag.to_owned());
            }
        }
        flags
    }
}
