//! From an edit to a loaded version: compile, check, link, load, one after the other.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use hotswap_layout::{EntryBody, Finding, Program, Root, compare, report};
use hotswap_protocol::manifest::{Entry, Image, Manifest};

use crate::edits::{self, Sources};
use crate::entries::{self, EntryFacts};
use crate::events::{Event, Phases, StillOld};
use crate::facts::{Analysed, Cache};
use crate::host::Host;
use crate::image::state::{Initialisers, Shared, State};
use crate::image::support::Support;
use crate::image::{self, Images, Linked};
use crate::membership::with_dependents;
use crate::plugin::capture::LinkCapture;
use crate::program::Connection;
use crate::reach::{self, Reach};
use crate::rebuild::{self, Replays};
use crate::unit::{ObjectFile, Unit};

mod dependencies;

/// A version whose code or values are alive, to check later ones against.
#[derive(Debug)]
struct Alive {
    types: Arc<Program>,
    entries: Vec<EntryFacts>,
    /// The symbols of shared statics in this version, by path.
    statics: Vec<Shared>,
}

/// Makes edits live in one running program.
#[derive(Debug)]
pub struct Engine {
    units: Vec<Unit>,
    host: Host,
    cache: Cache,
    replays: Replays,
    images: Images,
    support: Support,
    /// What ran before `main` or at the load of an image.
    ran: Initialisers,
    reach: Reach,
    sources: Sources,
    /// The entries of the current image.
    current: Vec<EntryFacts>,
    connection: Connection,
    /// Shared libraries of the process, to link images against.
    libraries: Vec<PathBuf>,
    /// The Rust libraries in the host that are not hot.
    cold_libraries: Vec<PathBuf>,
    alive: Vec<Alive>,
    /// Units whose sources were edited since they last compiled.
    stale: BTreeSet<usize>,
    /// Files edited since the last version that went live.
    edited: BTreeSet<PathBuf>,
    /// Digests of all units in the version that is current.
    live: Vec<BTreeSet<u128>>,
}

/// What became of the compile phase.
enum Compiled {
    Yes,
    Failed(String),
}

impl Engine {
    /// An engine for a program that was just started from `host`.
    pub fn new(
        units: Vec<Unit>,
        host: Host,
        link: LinkCapture,
        cache: Cache,
        folder: &Path,
        connection: Connection,
    ) -> Result<Self> {
        let rustc = units
            .last()
            .and_then(|unit| unit.capture.program.last())
            .cloned();
        let images = Images::new(
            folder.join("images"),
            &rustc.unwrap_or_else(|| "rustc".into()),
        )?;
        let libraries = shared_libraries(&host, connection.hello.pid)?;
        let mut sources = Sources::default();
        sources.edited(
            &units
                .iter()
                .flat_map(|unit| unit.sources.iter().cloned())
                .collect(),
        );
        let live = units.iter().map(Unit::digests).collect();
        Ok(Self {
            replays: Replays::new(folder.join("replay")),
            units,
            cache,
            images,
            support: Support::default(),
            ran: Initialisers::of_host(&host),
            reach: Reach::default(),
            sources,
            current: Vec::new(),
            host,
            connection,
            libraries,
            cold_libraries: link.cold_libraries,
            alive: Vec::new(),
            stale: BTreeSet::new(),
            edited: BTreeSet::new(),
            live,
        })
    }

    /// The hot units, whose sources are to be watched.
    pub fn units(&self) -> &[Unit] {
        &self.units
    }

    /// The entries of the program as it was started.
    pub fn entry_paths(&self) -> Vec<String> {
        self.host
            .entries
            .iter()
            .map(|entry| entry.path.clone())
            .collect()
    }

    /// The program's process id.
    pub fn pid(&self) -> u32 {
        self.connection.hello.pid
    }

    /// The program's build id.
    pub fn build_id(&self) -> String {
        self.host.build_id.to_string()
    }

    /// Whether some hot unit was made from this file.
    pub fn compiles(&self, file: &Path) -> bool {
        self.units.iter().any(|unit| unit.sources.contains(file))
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
        self.edited.extend(files.iter().cloned());
        for (index, unit) in self.units.iter().enumerate() {
            if files.iter().any(|file| unit.sources.contains(file)) {
                self.stale.insert(index);
            }
        }
        clock.phases.detect = clock.lap();
        if let Compiled::Failed(message) = self.compile()? {
            return Ok(Event::CompileError { message });
        }
        clock.phases.compile = clock.lap();
        self.go_live(clock)
    }

    /// Takes over units that cargo has built anew, after an edit that only cargo understands.
    pub fn update_from_cargo(
        &mut self,
        units: Vec<Unit>,
        link: &LinkCapture,
        files: &[PathBuf],
        detected: Instant,
    ) -> Event {
        let mut clock = Clock::new(detected);
        clock.phases.compile = clock.lap();
        self.edited.extend(files.iter().cloned());
        let (added, exchanged) = dependencies::compare(&self.cold_libraries, &link.cold_libraries);
        if !exchanged.is_empty() {
            return dependencies::refusal(exchanged);
        }
        self.units = units;
        self.stale.clear();
        self.replays.forget();
        self.support.abort();
        self.support.add_libraries(added);
        let result = self.try_go_live(clock);
        result.unwrap_or_else(|error| Event::Failed {
            message: format!("{error:#}"),
        })
    }

    /// Compiles the stale units and all that depend on them.
    fn compile(&mut self) -> Result<Compiled> {
        let dependencies = self.dependencies();
        let todo = with_dependents(&dependencies, &self.stale);
        self.stale.extend(&todo);
        for index in todo {
            match self.replays.compile(&mut self.units[index])? {
                rebuild::Outcome::Compiled { .. } => {
                    self.stale.remove(&index);
                }
                rebuild::Outcome::Failed { errors } => {
                    return Ok(Compiled::Failed(errors.join("\n")));
                }
            }
        }
        Ok(Compiled::Yes)
    }

    fn dependencies(&self) -> Vec<Vec<usize>> {
        self.units
            .iter()
            .map(|unit| unit.dependencies.clone())
            .collect()
    }

    /// Checks, links and loads what the units are now.
    fn go_live(&mut self, clock: Clock) -> Result<Event> {
        self.support.abort();
        self.try_go_live(clock)
    }

    fn try_go_live(&mut self, mut clock: Clock) -> Result<Event> {
        let digests: Vec<_> = self.units.iter().map(Unit::digests).collect();
        if digests == self.live {
            let files = std::mem::take(&mut self.edited).into_iter().collect();
            return Ok(Event::Unchanged { files });
        }
        let changed = self.units.iter().enumerate();
        let changed = changed
            .filter(|(_, unit)| self.host.differs(unit))
            .map(|(at, _)| at);
        let members = with_dependents(&self.dependencies(), &changed.collect());
        let analysed = self.analyse()?;
        let mut state = State::default();
        state.set_host_thread_locals(&self.host);
        for &index in &members {
            let objects: Vec<&Analysed> = analysed[index].iter().map(AsRef::as_ref).collect();
            state.add_unit(
                &self.units[index],
                &objects,
                &self.host,
                &mut self.support,
                &self.ran,
            )?;
        }
        if !state.refused.is_empty() {
            return Ok(refused_statics(&state.refused));
        }
        let types = analysed
            .iter()
            .flatten()
            .map(|object| Arc::clone(&object.types));
        let types = Arc::new(Program::new(
            types,
            self.units.iter().map(|unit| unit.name.clone()),
        ));
        clock.phases.check = clock.lap();
        let (linked, support) = self.link(&members, &state)?;
        clock.phases.link = clock.lap();
        let entries = match &linked {
            Some(linked) => entries::read(&linked.bytes, &types)?,
            None => Vec::new(),
        };
        let next = Alive {
            types,
            entries,
            statics: state.shared,
        };
        let refused: Vec<Finding> = self.refusals(&next);
        if let Some(message) = report::refusal(&refused) {
            let items = refused
                .iter()
                .map(|finding| finding.subject.clone())
                .collect();
            return Ok(Event::Refused {
                reason: "layout",
                message,
                items,
            });
        }
        clock.phases.check += clock.lap();
        let manifest = self.manifest(linked, &next.entries, &support);
        let (_, prepared) = self
            .connection
            .prepare(manifest)
            .context("the patch was not loaded")?;
        let (version, _) = self
            .connection
            .commit()
            .context("the patch did not go live")?;
        clock.phases.load = clock.lap();
        self.live = digests;
        self.support.commit(support);
        self.ran.add(state.new_initialisers);
        self.current = next.entries.clone();
        self.remember(next);
        self.cache
            .retain(self.units.iter().flat_map(|unit| &unit.objects));
        let still_old = self.still_old(&members)?;
        let mut now_new = prepared.replaced;
        now_new.extend(prepared.added);
        Ok(Event::Swapped {
            version,
            files: std::mem::take(&mut self.edited).into_iter().collect(),
            phases: clock.phases,
            entries: now_new,
            reshaped: prepared.reshaped,
            still_old,
            statics: state.reports,
        })
    }

    /// Functions that were edited and that no entry leads to: whoever runs them now goes on in the
    /// old code.
    fn still_old(&mut self, members: &BTreeSet<usize>) -> Result<Vec<StillOld>> {
        let edited = self.sources.edited(&self.edited);
        if edited.is_empty() {
            return Ok(Vec::new());
        }
        let objects: Vec<&ObjectFile> = members
            .iter()
            .flat_map(|&index| &self.units[index].objects)
            .collect();
        let bodies = self.current.iter().map(|entry| entry.body_symbol.clone());
        let found = self.reach.follow(objects.iter().copied(), bodies)?;
        let entries: BTreeSet<&str> = self
            .current
            .iter()
            .map(|entry| entry.path.as_str())
            .collect();
        let new = reach::functions(&found.reached);
        let mains = found
            .defined
            .iter()
            .filter(|symbol| reach::is_main(symbol))
            .cloned();
        let from_main = self
            .reach
            .follow(objects, mains.collect::<Vec<_>>())?
            .reached;
        let from_main = reach::functions(&from_main);
        let old = reach::functions(&found.defined).into_iter().filter(|path| {
            let short = edits::short_path(path);
            short.is_some_and(|short| edited.contains(&short))
                && !new.contains(path)
                && !entries.contains(path.as_str())
        });
        let old = old.map(|function| {
            let reason = reason_for_old(&function, from_main.contains(&function));
            StillOld { function, reason }
        });
        Ok(old.collect())
    }

    /// The facts of all objects, unit by unit.
    fn analyse(&self) -> Result<Vec<Vec<Arc<Analysed>>>> {
        self.units
            .iter()
            .map(|unit| self.cache.analyse(&unit.objects))
            .collect()
    }

    /// Links the members and checks that the host has what they need; `None` where there is no
    /// member, because everything is as it was in the host.
    fn link(
        &mut self,
        members: &BTreeSet<usize>,
        state: &State,
    ) -> Result<(Option<Linked>, Vec<Image>)> {
        let (linker, folder) = (self.images.linker(), self.images.folder());
        let support = self.support.link(linker, folder, &self.libraries)?;
        if members.is_empty() {
            return Ok((None, support));
        }
        let units: Vec<&Unit> = members.iter().map(|&index| &self.units[index]).collect();
        let linked = self.images.link(
            &units,
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

    /// What the layout guard refuses, against every version that still has values or code alive.
    fn refusals(&self, next: &Alive) -> Vec<Finding> {
        let base = self.host.entries.as_slice();
        let mut findings = compare(&self.host.types, &next.types, &roots(base, None, next));
        for alive in &self.alive {
            let roots = roots(&alive.entries, Some(&alive.statics), next);
            findings.extend(compare(&alive.types, &next.types, &roots));
        }
        findings.retain(|finding| finding.verdict == hotswap_layout::Verdict::Refused);
        findings
    }

    /// Keeps a version to check later ones against, unless it tells nothing new: its signatures are
    /// those of a version that is kept already, and it brought no static.
    fn remember(&mut self, next: Alive) {
        let fingerprints = |entries: &[EntryFacts]| -> BTreeSet<(String, String)> {
            entries
                .iter()
                .map(|entry| (entry.path.clone(), entry.fingerprint.clone()))
                .collect()
        };
        let new = fingerprints(&next.entries);
        let known = self.alive.iter().map(|alive| fingerprints(&alive.entries));
        let host = fingerprints(&self.host.entries);
        let brought = next
            .statics
            .iter()
            .filter(|shared| shared.after_host)
            .any(|shared| {
                let mut kept = self.alive.iter().flat_map(|alive| &alive.statics);
                !kept.any(|other| other.host == shared.host)
            });
        if brought || !known.chain([host]).any(|known| new.is_subset(&known)) {
            self.alive.push(next);
        }
    }

    fn manifest(
        &self,
        linked: Option<Linked>,
        entries: &[EntryFacts],
        support: &[Image],
    ) -> Manifest {
        let mut manifest = Manifest::new(self.host.build_id.clone());
        manifest.host.backtrace = self.host.backtrace_statics();
        manifest.support = support.to_vec();
        manifest.image = linked.map(|linked| linked.manifest);
        manifest.base_entries = self.host.entries.iter().map(entry).collect();
        manifest.image_entries = entries.iter().map(entry).collect();
        manifest
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

/// Where values can cross from an older version to the next: entries that both have, and statics
/// that both share. `statics` names them in the older version; in the host they have host names.
fn roots(old: &[EntryFacts], statics: Option<&[Shared]>, next: &Alive) -> Vec<Root> {
    let mut roots = Vec::new();
    for new in &next.entries {
        let Some(old) = old.iter().find(|old| old.path == new.path) else {
            continue;
        };
        let body = |facts: &EntryFacts| EntryBody {
            symbol: facts.body_symbol.clone(),
            signature: facts.signature.clone(),
        };
        roots.push(Root::Entry {
            path: new.path.clone(),
            old: body(old),
            new: body(new),
        });
    }
    for shared in &next.statics {
        let old = match statics {
            None => (!shared.after_host).then_some(&shared.host),
            Some(statics) => statics
                .iter()
                .find(|old| old.host == shared.host)
                .map(|old| &old.patch),
        };
        let Some(old) = old.cloned() else { continue };
        let (path, new) = (shared.path.clone(), shared.patch.clone());
        roots.push(if shared.thread_local {
            Root::ThreadLocal { path, old, new }
        } else {
            Root::Static { path, old, new }
        });
    }
    roots
}

fn reason_for_old(function: &str, from_main: bool) -> String {
    let mark = "mark it, or a function that calls it, with `#[hotswap::entry]`";
    if function.ends_with("::main") {
        "it runs already, and a running function is not replaced".to_owned()
    } else if from_main {
        format!("not reached from any entry, only from `main`, which runs already; {mark}")
    } else {
        format!("not reached from any entry; {mark}")
    }
}

fn refused_statics(refused: &[(String, String)]) -> Event {
    let mut message = String::new();
    for (name, reason) in refused {
        message += &format!("the static `{name}` can't go live: {reason}\n");
    }
    message += "= why: its value in the running program would be read as something else\n";
    message += "= help: undo the change to the static, or restart the program";
    Event::Refused {
        reason: "static",
        message,
        items: refused.iter().map(|(name, _)| name.clone()).collect(),
    }
}

/// Measures one phase after the other.
struct Clock {
    last: Instant,
    phases: Phases,
}

impl Clock {
    fn new(detected: Instant) -> Self {
        Self {
            last: detected,
            phases: Phases::default(),
        }
    }

    /// Milliseconds since the last lap.
    fn lap(&mut self) -> f64 {
        let now = Instant::now();
        let elapsed = now.duration_since(self.last).as_secs_f64() * 1e3;
        self.last = now;
        elapsed
    }
}

/// The shared libraries that the executable names, as the process has them loaded: images are
/// linked against the same files, so that their symbols carry the right versions.
fn shared_libraries(host: &Host, pid: u32) -> Result<Vec<PathBuf>> {
    let bytes = std::fs::read(&host.executable)
        .with_context(|| format!("could not read {}", host.executable.display()))?;
    let elf = object::read::elf::ElfFile64::<object::Endianness>::parse(bytes.as_slice())?;
    let names: BTreeSet<String> = needed(&elf)?.into_iter().collect();
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"))
        .with_context(|| format!("could not see what process {pid} has loaded"))?;
    let loaded: BTreeSet<PathBuf> = maps
        .lines()
        .filter_map(|line| line.find('/').map(|at| PathBuf::from(&line[at..])))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| names.contains(name))
        })
        .collect();
    Ok(loaded.into_iter().collect())
}

/// The `DT_NEEDED` names of an executable.
fn needed(elf: &object::read::elf::ElfFile64<'_, object::Endianness>) -> Result<Vec<String>> {
    use object::read::elf::{Dyn, FileHeader};
    let (header, data, endian) = (elf.elf_header(), elf.data(), elf.endian());
    let sections = header.sections(endian, data)?;
    let Some((entries, link)) = sections.dynamic(endian, data)? else {
        return Ok(Vec::new());
    };
    let strings = sections.strings(endian, data, link)?;
    let needed = entries
        .iter()
        .filter(|entry| entry.tag32(endian) == Some(object::elf::DT_NEEDED));
    let names = needed.map(|entry| {
        let name = entry.string(endian, strings)?;
        Ok(String::from_utf8_lossy(name).into_owned())
    });
    names.collect()
}
