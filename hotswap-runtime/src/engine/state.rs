//! The part of a patch that concerns cells: what the manifest says, as addresses and functions.
//!
//! Before the image is loaded, [`announce`] makes the executable's cells known, and notes which ones
//! will be expected with another layout. Afterwards [`prepare`] resolves the plans. Only
//! [`PreparedState::commit`] changes anything that a program can see.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use hotswap_protocol::manifest::{Manifest, Side};
use hotswap_protocol::message::ErrorCode;
use hotswap_protocol::state::{self, CellChange, Migration};

use crate::convert::Versions;
use crate::convert::resolve::{Functions, Refused, Resolver};
use crate::engine::elf::Use;
use crate::engine::fork;
use crate::engine::loaded::Loaded;
use crate::hidden::Hidden;
use crate::inflight::gate::Gate;
use crate::live::facts::FactsOf;
use crate::live::handle::Handle;
use crate::live::versions::{self, Cell, File, Init};
use crate::migrate::code_change::Run;
use crate::sorted::Sorted;
use crate::table;
use crate::transaction::{Aborted, Assembled, Change, Done, Transaction, limits};

/// Why the cells of a patch were not prepared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    #[error("cell `{path}`: {side} has no {role} at {address:#x}")]
    Address {
        path: String,
        side: Side,
        role: &'static str,
        address: u64,
    },
    #[error("cell `{path}`: {side} does not say where its handle is, and no version has")]
    NoHandle { path: String, side: Side },
    #[error(
        "cell `{path}` has a value of the layout {from}, and the patch has no way from that to {to}"
    )]
    NoWay {
        path: String,
        from: String,
        to: String,
    },
    #[error("cell `{path}`, {problem}")]
    Plan { path: String, problem: Refused },
    #[error("{side} has no function `{symbol}` at {address:#x}")]
    Function {
        symbol: String,
        side: Side,
        address: u64,
    },
}

impl StateError {
    /// The protocol's name for the failure.
    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            Self::Address { .. } | Self::NoHandle { .. } | Self::Function { .. } => {
                ErrorCode::BadManifest
            }
            Self::NoWay { .. } | Self::Plan { .. } => ErrorCode::StateRefused,
        }
    }
}

/// A cell of a manifest, as addresses and functions.
#[derive(Debug, Clone)]
struct Bound {
    path: Arc<str>,
    type_name: Arc<str>,
    layout: Arc<str>,
    handle: &'static Handle,
    /// Functions of the version, hidden: an old version's cells are no reference to its image.
    init: Option<Hidden>,
    facts: Hidden,
}

impl Bound {
    fn init(&self) -> Option<Init> {
        // SAFETY: it was made from such a function, of an image that stays as long as this is asked.
        self.init
            .map(|init| unsafe { mem::transmute::<*const (), Init>(init.get()) })
    }

    fn facts(&self) -> FactsOf {
        // SAFETY: as in `init`.
        unsafe { mem::transmute::<*const (), FactsOf>(self.facts.get()) }
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self.handle).addr()
    }

    fn into_cell(self, version: u64) -> (usize, Cell) {
        let address = self.address();
        let cell = Cell {
            handle: Some(self.handle),
            init: self.init(),
            facts: self.facts(),
            path: self.path,
            type_name: self.type_name,
            layout: self.layout,
            since: version,
            contested: false,
        };
        (address, cell)
    }
}

/// All cells that the code of a version knows, and its functions that make whole values for them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cells {
    bound: Arc<[Bound]>,
    /// Hidden, as above.
    functions: Arc<Sorted<String, Hidden>>,
}

impl Cells {
    fn functions(&self) -> Functions {
        let functions = self.functions.iter().map(|(symbol, run)| {
            // SAFETY: it was made from such a function, of an image that stays as long as this is asked.
            let run = unsafe { mem::transmute::<*const (), Run>(run.get()) };
            (symbol.clone(), run)
        });
        functions.collect()
    }
}

/// What a commit does to cells.
pub(crate) struct PreparedState {
    /// The file that the version brings; none if it has the code of others.
    file: Option<File>,
    /// All cells that the new code knows.
    cells: Cells,
    version: u64,
    transaction: Transaction,
}

/// Makes the executable's cells known, and notes those for which the new code expects another
/// layout. It has no other effect, and may be repeated.
pub(crate) fn announce(manifest: &Manifest, host: &Loaded) -> Result<(), StateError> {
    if manifest.base_cells.is_empty() && manifest.image_cells.is_empty() {
        return Ok(());
    }
    announce_base(&manifest.base_cells, host)?;
    for cell in expected(manifest) {
        if let Some((handle, known)) = versions::find(&cell.path)
            && *known.layout != *cell.layout
        {
            versions::contest(handle);
        }
    }
    Ok(())
}

/// Makes the executable's cells known.
pub(crate) fn announce_base(cells: &[state::Cell], host: &Loaded) -> Result<(), StateError> {
    let cells = bind(cells, host, Side::Base)?;
    let file = file(0, host, &cells);
    let cells = cells.into_iter().map(|cell| cell.into_cell(0)).collect();
    versions::add(file, cells);
    Ok(())
}

/// The handles of the executable's cells, by path.
pub(crate) fn handles(
    cells: &[state::Cell],
    host: &Loaded,
) -> Result<BTreeMap<String, &'static Handle>, StateError> {
    let cells = bind(cells, host, Side::Base)?;
    let cells = cells
        .into_iter()
        .map(|cell| (cell.path.to_string(), cell.handle));
    Ok(cells.collect())
}

/// The cells as the new code expects them.
fn expected(manifest: &Manifest) -> &[state::Cell] {
    match manifest.image {
        Some(_) => &manifest.image_cells,
        None => &manifest.base_cells,
    }
}

/// Resolves what becomes of the cells, which the code of the current version knows so. This runs functions
/// of the image that tell of types.
pub(crate) fn prepare(
    manifest: &Manifest,
    host: &Loaded,
    image: Option<&Loaded>,
    (current, version): (&Cells, u64),
) -> Result<PreparedState, StateError> {
    let (loaded, side) = match image {
        Some(image) => (image, Side::Image),
        None => (host, Side::Base),
    };
    let bound = bind(expected(manifest), loaded, side)?;
    let mut functions = functions(&manifest.base_functions, host, Side::Base)?;
    if let Some(image) = image {
        functions.extend(self::functions(
            &manifest.image_functions,
            image,
            Side::Image,
        )?);
    }
    let cells = Cells {
        bound: bound.into(),
        functions: Arc::new(functions.into_iter().collect()),
    };
    Ok(PreparedState {
        transaction: transaction((current, &cells), &manifest.migration, version)?,
        file: image.map(|image| file(version, image, &cells.bound)),
        cells,
        version,
    })
}

/// The cells of the executable, as its own code knows them.
pub(crate) fn base_cells(manifest: &Manifest, host: &Loaded) -> Result<Cells, StateError> {
    let cells = bind(&manifest.base_cells, host, Side::Base)?;
    let functions = functions(&manifest.base_functions, host, Side::Base)?;
    Ok(Cells {
        bound: cells.into(),
        functions: Arc::new(functions.into_iter().collect()),
    })
}

/// Resolves what becomes of the cells when a version with code that knows these is current again.
/// This runs functions of images that tell of types.
pub(crate) fn prepare_back(
    (current, cells): (&Cells, &Cells),
    back: &Migration,
    version: u64,
) -> Result<PreparedState, StateError> {
    Ok(PreparedState {
        transaction: transaction((current, cells), back, version)?,
        file: None,
        cells: cells.clone(),
        version,
    })
}

/// How the values of cells become what these expect.
fn transaction(
    (current, cells): (&Cells, &Cells),
    migration: &Migration,
    version: u64,
) -> Result<Transaction, StateError> {
    let versions = Versions {
        from: table::current_version(),
        to: version,
    };
    let functions = (current.functions(), cells.functions());
    let mut resolver = Resolver::new(&migration.types).with_functions(functions, versions);
    let mut changes = Vec::new();
    for cell in &*cells.bound {
        let Some((_, known)) = versions::find(&cell.path) else {
            continue;
        };
        if known.layout != cell.layout {
            changes.push(Change {
                path: cell.path.to_string(),
                handle: cell.handle,
                conversion: resolve(&mut resolver, migration, cell, &known)?,
            });
        }
    }
    let conversions = resolver.finish().map_err(|problem| {
        let paths = changes.iter().map(|change| change.path.as_str());
        let path = paths.collect::<Vec<_>>().join("`, `");
        StateError::Plan { path, problem }
    })?;
    Ok(Transaction::new(conversions, changes))
}

fn resolve(
    resolver: &mut Resolver<'_>,
    migration: &Migration,
    cell: &Bound,
    known: &Cell,
) -> Result<usize, StateError> {
    let is_way = |change: &&CellChange| {
        *change.path == *cell.path && *change.from == *known.layout && *change.to == *cell.layout
    };
    let way = migration.cells.iter().find(is_way);
    let way = way.ok_or_else(|| StateError::NoWay {
        path: cell.path.to_string(),
        from: known.layout.to_string(),
        to: cell.layout.to_string(),
    })?;
    let (old, new) = ((known.facts)().schema, (cell.facts())().schema);
    let resolved = resolver.resolve(way.change, old(), new());
    resolved.map_err(|problem| StateError::Plan {
        path: cell.path.to_string(),
        problem,
    })
}

fn file(version: u64, loaded: &Loaded, cells: &[Bound]) -> File {
    let (first, bytes) = loaded.layout.span();
    let start = loaded.base + usize::try_from(first).unwrap_or(0);
    let layouts = cells
        .iter()
        .map(|cell| (cell.address(), Arc::clone(&cell.layout)));
    File {
        version,
        range: start..start + usize::try_from(bytes).unwrap_or(0),
        layouts: layouts.collect(),
    }
}

fn bind(cells: &[state::Cell], loaded: &Loaded, side: Side) -> Result<Vec<Bound>, StateError> {
    cells
        .iter()
        .map(|cell| bind_cell(cell, loaded, side))
        .collect()
}

fn functions(
    listed: &[state::Function],
    loaded: &Loaded,
    side: Side,
) -> Result<BTreeMap<String, Hidden>, StateError> {
    let bind = |function: &state::Function| {
        let address = loaded.address(function.address, 1, Use::Code);
        let address = address.ok_or_else(|| StateError::Function {
            symbol: function.symbol.clone(),
            side,
            address: function.address,
        })?;
        // By the tool's word it is the function in a descriptor of the macros, all of which have one
        // type. It tells its types before it is run.
        Ok((function.symbol.clone(), Hidden::new(address)))
    };
    listed.iter().map(bind).collect()
}

fn bind_cell(cell: &state::Cell, loaded: &Loaded, side: Side) -> Result<Bound, StateError> {
    let known = versions::find(&cell.path);
    let handle = match (cell.handle, &known) {
        (Some(address), _) => {
            let found = loaded.address(address, size_of::<Handle>() as u64, Use::State);
            let found = found.filter(|found| found.cast::<Handle>().is_aligned());
            found.ok_or_else(|| outside(cell, side, "handle", address))?
        }
        (None, Some((address, _))) => std::ptr::with_exposed_provenance(*address),
        (None, None) => {
            let path = cell.path.clone();
            return Err(StateError::NoHandle { path, side });
        }
    };
    // SAFETY: the address lies aligned in memory that its file keeps writable. That a handle stands
    // there is the tool's word, from the debug information of the file whose build id was compared.
    // The file stays for ever, or is dropped before anybody else hears of the handle.
    let handle = unsafe { &*handle.cast::<Handle>() };
    let function = |address: Option<u64>, role| {
        let find = |address| {
            let found = loaded.address(address, 1, Use::Code);
            found.ok_or_else(|| outside(cell, side, role, address))
        };
        address.map(find).transpose()
    };
    // By the tool's word these are the functions that the handle's initial value has, or would have. The
    // first is called only as what it is, by `live::make`; the third field of all handles is of one type.
    let init = function(cell.init, "function that makes the first value")?.map(Hidden::new);
    let facts = function(cell.schema, "schema")?;
    let of_known = |part: fn(&Cell) -> &Arc<str>| known.as_ref().map(|(_, known)| part(known));
    Ok(Bound {
        path: versions::same(of_known(|known| &known.path), &cell.path),
        type_name: versions::same(of_known(|known| &known.type_name), &cell.type_name),
        layout: versions::same(of_known(|known| &known.layout), &cell.layout),
        handle,
        init,
        facts: Hidden::new(facts.unwrap_or(handle.facts() as *const ())),
    })
}

fn outside(cell: &state::Cell, side: Side, role: &'static str, address: u64) -> StateError {
    StateError::Address {
        path: cell.path.clone(),
        side,
        role,
        address,
    }
}

/// The right to hold cells: no call begins and no fork comes while it lives.
#[derive(Debug)]
pub(crate) struct Turn {
    _gate: Gate,
    _fork: fork::Turn,
}

impl Turn {
    /// Waits for calls that are under way, but not long.
    pub(crate) fn take(patience: Duration) -> Self {
        // First of all: a child would have a gate that nobody opens.
        let fork = fork::Turn::take();
        let gate = Gate::close();
        gate.drain(patience);
        Self {
            _gate: gate,
            _fork: fork,
        }
    }
}

/// What is left to do when all new values stand.
pub(crate) struct AssembledState {
    file: Option<File>,
    cells: Cells,
    version: u64,
    /// None if no cell changes.
    values: Option<Assembled<Turn>>,
}

impl PreparedState {
    /// The cells that the new code knows.
    pub(crate) fn cells(&self) -> Cells {
        self.cells.clone()
    }

    /// Takes the guards of cells that change, and makes their new values. Counted calls wait at the
    /// gate meanwhile, and no fork comes between the first guard and the last.
    pub(crate) fn assemble(self) -> Result<AssembledState, Aborted> {
        let Self {
            file,
            cells,
            version,
            transaction,
        } = self;
        let values = if transaction.is_empty() {
            None
        } else {
            let limits = limits();
            Some(transaction.assemble(limits, || Turn::take(limits.calls))?)
        };
        Ok(AssembledState {
            file,
            cells,
            version,
            values,
        })
    }
}

impl AssembledState {
    /// Makes the new values those of the cells; `flip` makes the version current meanwhile.
    pub(crate) fn commit(self, flip: impl FnOnce()) -> Done {
        let Self {
            file,
            cells,
            version,
            values,
        } = self;
        let flip = || {
            note(file, &cells.bound, version);
            flip();
        };
        match values {
            Some(values) => values.commit(|| {
                // The new table lets calls in: they find the cells held, and then the new values.
                table::open_at_publish();
                flip();
            }),
            None => {
                fork::undivided(flip);
                Done::default()
            }
        }
    }
}

/// Notes what the version's code knows of cells. Those whose layout changes are held.
fn note(file: Option<File>, cells: &[Bound], version: u64) {
    for cell in cells {
        versions::update(cell.address(), |known| {
            if known.layout != cell.layout {
                known.layout = Arc::clone(&cell.layout);
                known.since = version;
            }
            known.type_name.clone_from(&cell.type_name);
            known.init = cell.init();
            known.facts = cell.facts();
        });
    }
    if let Some(file) = file {
        let cells = cells.iter().cloned();
        let cells = cells.map(|cell| cell.into_cell(version));
        versions::add(file, cells.collect());
    }
}
