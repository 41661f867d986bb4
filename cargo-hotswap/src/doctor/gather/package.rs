//! The package that would run.

use std::collections::BTreeSet;

use cargo_metadata::{Metadata, TargetKind};

use crate::doctor::facts::Package;
use crate::init::sources::{self, Sources};
use crate::plugin::wrapper::OWN_CRATES;
use crate::project::Project;
use crate::selection::Selection;

/// The runtime's package.
const RUNTIME: &str = "hotswap-runtime";

/// What the program is made from, as far as manifests say it.
///
/// # Errors
///
/// It is not clear which package is meant.
pub fn package(
    metadata: &Metadata,
    project: &anyhow::Result<Project>,
    selection: &Selection,
) -> Result<Package, String> {
    let own = match project {
        Ok(project) => metadata
            .packages
            .iter()
            .find(|package| package.manifest_path.as_std_path() == project.manifest),
        // The package may be clear, though its executable is not.
        Err(_) => Some(
            sources::choose_package(metadata, selection).map_err(|error| format!("{error:#}"))?,
        ),
    };
    let mut used = BTreeSet::new();
    if let (Some(own), Some(resolve)) = (own, &metadata.resolve) {
        let mut ahead = vec![&own.id];
        while let Some(id) = ahead.pop() {
            if used.insert(id) {
                let node = resolve.nodes.iter().find(|node| node.id == *id);
                ahead.extend(node.into_iter().flat_map(|node| &node.dependencies));
            }
        }
    }
    let packages: Vec<_> = metadata
        .packages
        .iter()
        .filter(|one| used.contains(&one.id))
        .collect();
    let is_member = |one: &&&cargo_metadata::Package| {
        let crate_name = one.name.replace('-', "_");
        metadata.workspace_members.contains(&one.id)
            && !OWN_CRATES.contains(&crate_name.as_str())
            && !crate_name.starts_with("hotswap_")
    };
    let shared = |one: &&cargo_metadata::Package| {
        let kinds = [TargetKind::CDyLib, TargetKind::DyLib, TargetKind::StaticLib];
        one.targets
            .iter()
            .any(|target| target.kind.iter().any(|kind| kinds.contains(kind)))
    };
    let dynamic = |one: &&cargo_metadata::Package| {
        let only_dynamic = |target: &cargo_metadata::Target| target.kind == [TargetKind::DyLib];
        one.targets.iter().any(only_dynamic)
    };
    let members: Vec<_> = packages.iter().filter(is_member).copied().collect();
    let names = |list: Vec<&cargo_metadata::Package>| {
        list.iter()
            .map(|one| one.name.to_string())
            .collect::<Vec<_>>()
    };
    let others = packages
        .iter()
        .filter(|one| !members.iter().any(|member| member.id == one.id));
    Ok(Package {
        unclear: project.as_ref().err().map(|error| format!("{error:#}")),
        name: own.map(|own| own.name.to_string()).unwrap_or_default(),
        runtime: packages
            .iter()
            .find(|one| *one.name == RUNTIME)
            .map(|one| one.version.to_string()),
        entries: members
            .iter()
            .map(|one| sources::entries(&Sources::of_package(one)))
            .sum(),
        shared_crates: names(members.iter().copied().filter(shared).collect()),
        dynamic: names(others.copied().filter(dynamic).collect()),
    })
}
