//! Asking the system for facts. Nothing here judges.

use std::path::Path;

use cargo_metadata::{Metadata, MetadataCommand};

use super::facts::{Facts, Profile, Role};
use crate::config::{self, Config};
use crate::profile::Profiles;
use crate::project::Project;
use crate::selection::Selection;
use package::package;
use system::{folder, inotify, sockets, system};
use tools::{linker, patch_linker, toolchain, wrappers};

mod package;
mod system;
mod tools;

/// Gathers all facts about building and running this selection here.
pub fn gather(selection: &Selection) -> Facts {
    let project = Project::find(selection);
    let here = std::env::current_dir().unwrap_or_default();
    let root = project
        .as_ref()
        .map_or(here, |project| project.workspace_root.clone());
    let configured = cargo_config2::Config::load_with_cwd(&root).ok();
    let toolchain = toolchain(configured.as_ref(), selection);
    let target = toolchain.target.clone();
    let rustflags = configured
        .as_ref()
        .and_then(|config| config.rustflags(&*target).ok().flatten())
        .map(|flags| flags.flags)
        .unwrap_or_default();
    let program = configured
        .as_ref()
        .and_then(|config| config.linker(&*target).ok().flatten())
        .map(|path| path.to_string_lossy().into_owned());
    let metadata = metadata(selection);
    let target_folder = match &project {
        Ok(project) => project.target_directory.clone(),
        Err(_) => root.join("target"),
    };
    let settings = match &project {
        Ok(project) => Config::load(project, &config::Flags::default())
            .map(|config| config.warnings)
            .map_err(|error| format!("{error:#}")),
        Err(_) => Ok(Vec::new()),
    };
    Facts {
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        linker: linker(program, &rustflags),
        patch_linker: patch_linker(configured.as_ref(), &toolchain),
        toolchain,
        rustflags,
        profile: profile(&root, selection.profile_name()),
        settings,
        inotify: inotify(metadata.as_ref().ok()),
        package: metadata.and_then(|metadata| package(&metadata, &project, selection)),
        wrappers: wrappers(configured.as_ref()),
        folders: vec![
            folder(Role::Sources, &root),
            folder(Role::Target, &target_folder),
            folder(Role::Temporary, &std::env::temp_dir()),
        ],
        sockets: sockets(),
        system: system(),
    }
}

fn metadata(selection: &Selection) -> Result<Metadata, String> {
    let mut command = MetadataCommand::new();
    command.other_options(selection.manifest_flags());
    command.exec().map_err(|error| match error {
        cargo_metadata::Error::CargoMetadata { stderr } => {
            let said = stderr.trim();
            said.strip_prefix("error: ").unwrap_or(said).to_owned()
        }
        other => other.to_string(),
    })
}

fn profile(root: &Path, name: &str) -> Profile {
    let profiles = Profiles::read(root);
    let get = |key: &str| profiles.get(name, key);
    Profile {
        name: name.to_owned(),
        lto: get("lto"),
        strip: get("strip"),
        panic: get("panic"),
        debug: get("debug"),
        split_debuginfo: get("split-debuginfo"),
        opt_level: get("opt-level"),
        codegen_units: get("codegen-units"),
    }
}
