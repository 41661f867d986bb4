//! What the program is told of a patch.

use std::collections::HashSet;
use std::sync::Arc;

use hotswap_protocol::manifest::{Entry, Image, Manifest};

use super::Engine;
use super::migration::ForProgram;
use crate::entries::{self, EntryFacts};
use crate::facts::Analysed;
use crate::image::Linked;

impl Engine {
    /// The host's entries that the newest code no longer has, in the image or not.
    pub(super) fn gone(
        &self,
        analysed: &[Vec<Arc<Analysed>>],
        namesake: &HashSet<String>,
    ) -> Vec<String> {
        let now = analysed.iter();
        let now: HashSet<String> = now
            .flat_map(|objects| entries::paths(objects, namesake))
            .collect();
        let host = self.host.units.values().flat_map(|unit| &unit.entries);
        host.filter(|path| !now.contains(*path)).cloned().collect()
    }

    /// What the program is told of a patch: `linked` is its image, `entries` are those in it, and
    /// `gone` those that the newest code has no longer.
    pub(super) fn manifest(
        &self,
        linked: Option<Linked>,
        entries: &[EntryFacts],
        gone: Vec<String>,
        support: &[Image],
        cells: ForProgram,
    ) -> Manifest {
        let mut manifest = Manifest::new(self.host.build_id.clone());
        manifest.host.backtrace = self.host.backtrace;
        manifest.support = support.to_vec();
        manifest.image = linked.map(|linked| linked.manifest);
        manifest.base_entries = self.host.entries.iter().map(entry).collect();
        manifest.image_entries = entries.iter().map(entry).collect();
        manifest.gone = gone;
        manifest.base_cells = cells.base;
        manifest.image_cells = cells.image;
        manifest.base_functions = cells.base_functions;
        manifest.image_functions = cells.image_functions;
        manifest.base_hooks.clone_from(&self.host.hooks);
        manifest.migration = cells.migration;
        manifest.back = cells.back;
        manifest
    }
}

impl Engine {
    /// Puts the manifest beside the image, for those who debug patches.
    pub(super) fn show(&self, manifest: &Manifest) {
        let Some(image) = &manifest.image else { return };
        if self.images.are_for_debuggers()
            && let Ok(text) = serde_json::to_vec_pretty(manifest)
        {
            // It is there to be looked at.
            let _ = std::fs::write(image.path.with_extension("json"), text);
        }
    }
}

fn entry(facts: &EntryFacts) -> Entry {
    Entry {
        path: facts.path.clone(),
        fingerprint: facts.fingerprint.clone(),
        descriptor: facts.descriptor,
        body: facts.body,
    }
}
