//! From an edit to a loaded version: compile, check, link, load, one after the other.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use hotswap_layout::Program;
use hotswap_layout::migrate::Way;
use hotswap_protocol::manifest::Image;

use crate::diagnostics::Form;
use crate::edits;
use crate::entries::{self, EntryFacts};
use crate::events::Event;
use crate::facts::{Analysed, Cache};
use crate::hooks;
use crate::host::Host;
use crate::image::renamed::Renamed;
use crate::image::state::{Initialisers, Places, State, Told};
use crate::image::support::Support;
use crate::image::{self, DebugInfo, Images, Linked, Part};
use crate::plugin::capture::LinkCapture;
use crate::program::listener::OwnReverts;
use crate::reach::{self, Index};
use crate::reprs::Reprs;
use crate::texts::{self, Texts};
use crate::unit::{ObjectFile, Unit};

mod carry;
pub mod check;
mod clock;
mod compilation;
mod decide;
mod dependencies;
pub mod earlier;
mod guard;
mod libraries;
pub mod load;
mod manifest;
pub mod migration;
pub mod modules;
mod needed;
mod outcome;
mod published;
mod refusal;
pub mod revert;
mod statics;
mod still_old;

use clock::Clock;
use compilation::{Compilation, Compiled};
use decide::Decided;
use guard::{Alive, Guard};
use load::Sink;
use migration::Cells;
use outcome::{Brought, Swap};
use revert::{History, Record};

/// Makes edits live in one running program.
#[derive(Debug)]
pub struct Engine {
    units: Vec<Unit>,
    host: Host,
    cache: Cache,
    compilation: Compilation,
    images: Images,
    support: Support,
    /// What ran before `main` or at the load of an image.
    ran: Initialisers,
    /// The sources of the version that is current.
    edits: edits::Sources,
    texts: Texts,
    references: Index,
    /// What images can bind to in the host.
    exported: reach::NodeSet,
    /// The sections of the host's objects, by digest.
    sections: HashSet<u64>,
    /// What was to say of statics in the current version.
    told: Vec<Told>,
    reprs: Reprs,
    /// The entries of the current image.
    current: Vec<EntryFacts>,
    sink: Sink,
    /// Shared libraries of the process, to link images against.
    libraries: Vec<PathBuf>,
    /// The Rust libraries in the host that are not hot.
    cold_libraries: Vec<PathBuf>,
    /// Rust libraries that the program needs since, and the host does not have.
    added_libraries: Vec<PathBuf>,
    /// Other builds of them were asked for, and wait for a restart.
    dependencies_refused: bool,
    guard: Guard,
    /// The layouts of all state in cells.
    cells: Cells,
    /// The statics that have another name in the version that runs than the one they are known by.
    renamed: Renamed,
    /// Files edited since the last version that went live.
    edited: BTreeSet<PathBuf>,
    /// What these said when the compiler began to read them.
    read: BTreeMap<PathBuf, Vec<u8>>,
    /// The number of the version that is current.
    version: u64,
    /// Where statics are in it.
    placed: Places,
    /// Digests of all units in it.
    live: Vec<BTreeSet<u128>>,
    /// The versions that a revert can go back to.
    history: History,
    /// The reverts that the program made by itself, and nobody has taken note of.
    own_reverts: OwnReverts,
    /// The image that was loaded last and its version, until somebody asks.
    loaded: Option<(PathBuf, u64)>,
    /// Nothing goes live now.
    only_checks: bool,
}

impl Engine {
    /// An engine for a program that was just started from `host`.
    pub fn new(
        units: Vec<Unit>,
        host: Host,
        link: LinkCapture,
        cache: Cache,
        folder: &Path,
        sink: Sink,
        debug: DebugInfo,
    ) -> Result<Self> {
        let images = Images::new(folder.join("images"), &units, debug)?;
        let libraries = sink.libraries(&host)?;
        let mut edits = edits::Sources::default();
        let texts = Texts::default();
        let all: Vec<PathBuf> = sources(&units).into_iter().map(Path::to_owned).collect();
        texts.read_ahead(&all);
        edits.edited(&texts::contents(&all), &texts);
        let mut references = Index::default();
        references.update(&objects(&units))?;
        let sections = references.sections(objects(&units).iter().map(|object| object.digest));
        let mut reprs = Reprs::default();
        reprs.read(sources(&units), &BTreeSet::new(), &texts);
        reprs.went_live();
        let cells = Cells::of_host(&host);
        let live: Vec<_> = units.iter().map(Unit::digests).collect();
        let record = Record::of(&live, &[], &cells, &Places::default());
        let history = History::begin(&units, &reprs, record);
        Ok(Self {
            compilation: Compilation::new(folder.join("replay"), &units)?,
            units,
            cache,
            images,
            support: Support::default(),
            ran: Initialisers::of_host(&host),
            edits,
            texts,
            references,
            sections,
            exported: host.exported().map(reach::node_of).collect(),
            told: Vec::new(),
            reprs,
            current: Vec::new(),
            host,
            sink,
            libraries,
            cold_libraries: link.cold_libraries,
            added_libraries: Vec::new(),
            dependencies_refused: false,
            guard: Guard::default(),
            cells,
            renamed: Renamed::default(),
            edited: BTreeSet::new(),
            read: BTreeMap::new(),
            version: 0,
            placed: Places::default(),
            live,
            history,
            own_reverts: OwnReverts::default(),
            loaded: None,
            only_checks: false,
        })
    }

    /// Names what its patches bring so that no other engine's do the same: by this mark.
    pub fn set_mark(&mut self, mark: &str) {
        self.support.set_mark(mark);
    }

    /// The hot units, whose sources are to be watched.
    pub fn units(&self) -> &[Unit] {
        &self.units
    }

    /// How the compiler gives its messages from now on.
    pub fn set_form(&mut self, form: Form) {
        self.compilation.set_form(form);
    }

    /// The next version tells of each call of these entries, given as descriptors name them.
    pub fn log_calls(&mut self, entries: &[String]) {
        self.compilation.log_calls(&self.units, entries);
    }

    /// Whether a version that went live has more to tell types by than the program as it was started.
    pub fn is_beyond_host(&self) -> bool {
        self.guard.is_beyond_host()
    }

    /// The entries of the program as it was started.
    pub fn entries(&self) -> &[EntryFacts] {
        &self.host.entries
    }

    /// The program's process id.
    pub fn pid(&self) -> u32 {
        self.sink.pid()
    }

    /// The program's build id.
    pub fn build_id(&self) -> String {
        self.host.build_id.to_string()
    }

    /// Whether some hot unit was made from this file.
    pub fn compiles(&self, file: &Path) -> bool {
        self.units.iter().any(|unit| unit.sources.contains(file))
    }

    /// The image that was loaded since the last call, and the version that it brought.
    pub fn take_image(&mut self) -> Option<(PathBuf, u64)> {
        self.loaded.take()
    }

    /// Makes an edit of these files live; every way it can end is an event.
    pub fn update(&mut self, files: &[PathBuf], detected: Instant) -> Event {
        let result = self.try_update(files, detected);
        result.unwrap_or_else(|error| Event::Failed {
            message: format!("{error:#}"),
        })
    }

    fn try_update(&mut self, files: &[PathBuf], detected: Instant) -> Result<Event> {
        let mut clock = Clock::new(detected);
        self.catch_up();
        self.go_forward();
        self.begin(files);
        self.compilation.edited(&self.units, files);
        self.texts.begin_edit();
        clock.phases.detect = clock.lap();
        self.images.start_early();
        let compiled = self
            .compilation
            .run(&mut self.units, &self.cache, &self.texts)?;
        if let Compiled::Failed { message, summary } = compiled {
            let message = dependencies::without_refused(message, self.dependencies_refused);
            return Ok(Event::CompileError { message, summary });
        }
        clock.phases.compile = clock.lap();
        self.go_live(clock)
    }

    /// Takes note of files before the compiler reads them: what is saved meanwhile is another edit.
    pub fn begin(&mut self, files: &[PathBuf]) {
        self.edited.extend(files.iter().cloned());
        self.read = texts::contents(&self.edited);
    }

    /// Takes over units that cargo has built anew, after an edit that only cargo understands.
    pub fn update_from_cargo(
        &mut self,
        units: Vec<Unit>,
        link: &LinkCapture,
        detected: Instant,
    ) -> Event {
        let result = self.try_update_from_cargo(units, link, detected);
        result.unwrap_or_else(|error| Event::Failed {
            message: format!("{error:#}"),
        })
    }

    fn try_update_from_cargo(
        &mut self,
        units: Vec<Unit>,
        link: &LinkCapture,
        detected: Instant,
    ) -> Result<Event> {
        let mut clock = Clock::new(detected);
        clock.phases.compile = clock.lap();
        let (added, exchanged) = dependencies::compare(&self.cold_libraries, &link.cold_libraries);
        self.dependencies_refused = !exchanged.is_empty();
        if self.dependencies_refused {
            return Ok(dependencies::refusal(exchanged));
        }
        self.catch_up();
        self.go_forward();
        self.compilation.done_by_cargo(&units)?;
        self.units = units;
        self.added_libraries = added;
        self.go_live(clock)
    }

    /// Checks, links and loads what the units are now.
    fn go_live(&mut self, clock: Clock) -> Result<Event> {
        // Not what an editor had there for a moment while it saved.
        let (units, edited) = (&self.units, &mut self.edited);
        edited.retain(|file| file.is_file() || sources(units).contains(file.as_path()));
        self.reprs
            .read(sources(&self.units), &self.edited, &self.texts);
        match self.bring_live(clock, Way::Forward)? {
            Brought::Unchanged => {
                let files = std::mem::take(&mut self.edited).into_iter().collect();
                Ok(Event::Unchanged { files })
            }
            Brought::Refused(refusal) => Ok(*refusal),
            Brought::Live(swap) => {
                let record = Record::of(&self.live, &self.current, &self.cells, &self.placed);
                self.history
                    .went_live(swap.version, &mut self.units, &self.reprs, record);
                Ok(self.report(*swap))
            }
        }
    }

    /// The same, whatever the units were made from.
    fn bring_live(&mut self, mut clock: Clock, way: Way) -> Result<Brought> {
        self.support.abort();
        self.support.add_libraries(self.added_libraries.clone());
        let digests: Vec<_> = self.units.iter().map(Unit::digests).collect();
        if digests == self.live {
            return Ok(Brought::Unchanged);
        }
        let decided = match self.decide(way)? {
            Ok(decided) => decided,
            Err(refusal) => return Ok(Brought::Refused(refusal)),
        };
        let Decided {
            members,
            analysed,
            types,
            renamed,
            mut state,
            known,
            plan,
        } = decided;
        let namesake = entries::of_namesake(&self.units, &analysed);
        clock.phases.check = clock.lap();
        let parts = self.needed(&members, &plan, &mut state)?;
        let (linked, support) = self.link(&parts, &state)?;
        clock.phases.link = clock.lap();
        let entries = match &linked {
            Some(linked) => entries::read(&linked.bytes, &types, &namesake)?,
            None => Vec::new(),
        };
        let next = Alive {
            types,
            entries,
            statics: state.shared.clone(),
            cells: state.cells.clone(),
        };
        let refused = self
            .guard
            .refusals(&self.host, &next, &self.reprs.changes(), &plan.migrated);
        if let Some(refusal) = refusal::layouts("layout", &refused, &self.units) {
            return Ok(Brought::Refused(Box::new(refusal)));
        }
        clock.phases.check += clock.lap();
        let image = linked.as_ref().map(|linked| linked.manifest.path.clone());
        let gone = self.gone(&analysed, &namesake);
        let back = self.way_back(way, &plan, &known);
        let cells =
            migration::for_program((&plan, &known), back, &self.host, linked.as_ref(), &state)?;
        let hooks = hooks::of_units(&self.units, &analysed)?;
        let located = hooks::located(&hooks, linked.as_ref(), &self.host.symbols)?;
        let mut manifest = self.manifest(linked, &next.entries, gone, &support, cells);
        manifest.hooks = located;
        self.compilation.settle()?;
        let (version, prepared, committed) = match self.load(manifest) {
            Ok(loaded) => loaded,
            Err(error) => match refusal::state(&error) {
                Some(refusal) => return Ok(Brought::Refused(Box::new(refusal))),
                None => return Err(error),
            },
        };
        clock.phases.load = clock.lap();
        self.version = version;
        self.loaded = image.map(|path| (path, version));
        self.support.commit(support);
        self.ran.add(state.new_initialisers.iter().cloned());
        let migrated = outcome::migrated(&plan, &committed);
        self.cells.are_live(plan, &known);
        self.renamed = renamed;
        self.is_live(digests, next);
        self.placed = state.placed.clone();
        Ok(Brought::Live(Box::new(Swap {
            version,
            prepared,
            migrated,
            remarks: outcome::remarks(committed),
            hooks,
            members,
            parts,
            state,
            phases: clock.phases,
        })))
    }

    /// Records that a version is current.
    fn is_live(&mut self, digests: Vec<BTreeSet<u128>>, version: Alive) {
        self.live = digests;
        self.reprs.went_live();
        self.current = version.entries.clone();
        self.guard.remember(&self.host, version);
        self.cache.retain(
            self.units
                .iter()
                .flat_map(|unit| &unit.objects)
                .chain(self.compilation.published_objects()),
        );
    }

    /// The types of all units as they are now.
    fn types(&self, analysed: &[Vec<Arc<Analysed>>]) -> Arc<Program> {
        let types = analysed.iter().flatten();
        Arc::new(Program::new(
            types.map(|object| Arc::clone(&object.types)),
            self.units.iter().map(|unit| unit.name.clone()),
        ))
    }

    /// The facts of all objects, unit by unit.
    fn analyse(&self) -> Result<Vec<Vec<Arc<Analysed>>>> {
        self.units
            .iter()
            .map(|unit| self.cache.analyse(&unit.objects))
            .collect()
    }

    /// Links the parts and checks that the host has what they need; `None` where there is none,
    /// because everything is as it was in the host.
    fn link(&mut self, parts: &[Part], state: &State) -> Result<(Option<Linked>, Vec<Image>)> {
        let (linker, folder) = (self.images.linker(), self.images.folder());
        let support = self.support.link(linker, folder, &self.libraries)?;
        if parts.is_empty() {
            return Ok((None, support));
        }
        let linked = self.images.link(
            self.version + 1,
            parts,
            &state.bindings,
            &self.libraries,
            &self.support.image_exports(),
        )?;
        let symbols = &self.host.symbols.symbols;
        let added = self.support.exported();
        let exported = |name: &str| {
            symbols.get(name).is_some_and(|symbol| symbol.exported) || added.contains(name)
        };
        let missing = image::missing_symbols(&linked.bytes, exported, &state.global_symbols())?;
        if let Some(first) = missing.first() {
            anyhow::bail!(
                "the new code needs `{}`{}, which the running program does not have; restart it",
                hotswap_object::canonical_path(first),
                match missing.len() {
                    1 => String::new(),
                    more => format!(" and {} other symbols", more - 1),
                }
            );
        }
        Ok((Some(linked), support))
    }
}

/// The objects of these units.
fn objects(units: &[Unit]) -> Vec<&ObjectFile> {
    units.iter().flat_map(|unit| &unit.objects).collect()
}

/// The files that these units were made from.
fn sources(units: &[Unit]) -> BTreeSet<&Path> {
    let files = units.iter().flat_map(|unit| &unit.sources);
    files.map(PathBuf::as_path).collect()
}
