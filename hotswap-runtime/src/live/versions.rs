//! Which layout each version's code expects of each cell, and which one its value has.
//!
//! As long as no patch has come there is nothing here, and every access fits.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::thread::ThreadId;

use crate::live::facts::FactsOf;
use crate::live::handle::Handle;
use crate::sorted::Sorted;
use crate::sync::{Mutex, MutexGuard, lock};

static VERSIONS: Mutex<Versions> = Mutex::new(Versions {
    files: Vec::new(),
    cells: BTreeMap::new(),
});

/// A function that makes a cell's first value, of a type that only its caller knows.
pub(crate) type Init = fn();

/// What is known of files and cells. Cells go by their handles' addresses.
struct Versions {
    files: Vec<File>,
    cells: BTreeMap<usize, Cell>,
}

/// The executable, or an image.
#[derive(Debug)]
pub(crate) struct File {
    /// The version that it brought.
    pub(crate) version: u64,
    /// Where it lies in memory.
    pub(crate) range: Range<usize>,
    /// The layouts that its code expects, by handle.
    pub(crate) layouts: Sorted<usize, Arc<str>>,
}

/// A cell, as the current version knows it.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    /// Its handle, at the address by which it goes.
    pub(crate) handle: Option<&'static Handle>,
    /// The canonical path of its static.
    pub(crate) path: Arc<str>,
    /// Its type's name, for people.
    pub(crate) type_name: Arc<str>,
    /// The layout of its value, or of the one that it will get.
    pub(crate) layout: Arc<str>,
    /// The version in which it got that layout.
    pub(crate) since: u64,
    /// Makes its first value, if not the function in the handle.
    pub(crate) init: Option<Init>,
    /// What is known of its value's type.
    pub(crate) facts: FactsOf,
    /// Whether there is code, or will be, that expects another layout.
    pub(crate) contested: bool,
}

/// Whether code may use a cell's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It expects the layout that the value has.
    Fits,
    /// It expects another one; why, for people.
    Stale(String),
}

fn versions() -> MutexGuard<'static, Versions> {
    lock(&VERSIONS)
}

/// Judges an access by code with this mark to the cell with this handle.
///
/// The caller holds the cell, so that the answer is good as long as it does.
pub(crate) fn judge(handle: usize, mark: usize) -> Verdict {
    let versions = versions();
    let Some(cell) = versions.cells.get(&handle) else {
        // The tool does not know the cell, so its type never changes.
        return Verdict::Fits;
    };
    let file = versions.file(mark);
    match file.and_then(|file| file.layouts.get(&handle)) {
        Some(expected) if *expected == cell.layout => Verdict::Fits,
        // Code of an image that is not current yet, or of an added dependency.
        None if !cell.contested => Verdict::Fits,
        _ => Verdict::Stale(stale(cell, file)),
    }
}

fn stale(cell: &Cell, file: Option<&File>) -> String {
    let Cell {
        path,
        type_name,
        since,
        ..
    } = cell;
    let code = match file {
        Some(file) => format!("code of version {}", file.version),
        None => "code that no version lists".to_owned(),
    };
    format!(
        "`{path}` holds a `{type_name}` with the layout of version {since}, and {code} expects \
         another one: what uses the cell after a swap must be called through an entry"
    )
}

/// The version whose code has this mark.
pub(crate) fn version_of(mark: usize) -> Option<u64> {
    versions().file(mark).map(|file| file.version)
}

/// The cell of this path, with its handle.
pub(crate) fn find(path: &str) -> Option<(usize, Cell)> {
    let versions = versions();
    let mut cells = versions.cells.iter();
    let found = cells.find(|(_, cell)| *cell.path == *path);
    found.map(|(handle, cell)| (*handle, cell.clone()))
}

/// Whether the thread has asked for a guard of a known cell, which is still there.
pub(crate) fn are_held_by(thread: ThreadId) -> bool {
    let versions = versions();
    let mut handles = versions.cells.values().filter_map(|cell| cell.handle);
    handles.any(|handle| {
        let lock = &handle.core().lock;
        lock.any_holder(|holder| holder.who.thread.id() == thread)
    })
}

/// The function that makes the first value of the cell with this handle, if not its own.
pub(crate) fn init(handle: usize) -> Option<Init> {
    versions().cells.get(&handle).and_then(|cell| cell.init)
}

/// The function that tells of the type of the cell with this handle, if not its own.
pub(crate) fn facts(handle: usize) -> Option<FactsOf> {
    versions().cells.get(&handle).map(|cell| cell.facts)
}

/// All cells that are known, in the order of their paths.
pub(crate) fn all() -> Vec<Cell> {
    let mut cells: Vec<Cell> = versions().cells.values().cloned().collect();
    cells.sort_by(|a, b| a.path.cmp(&b.path));
    cells
}

/// A text that is in memory already, if it is the same: one more for each version would be one more block of which a
/// part is never written to.
pub(crate) fn same(known: Option<&Arc<str>>, text: &str) -> Arc<str> {
    let known = known.filter(|known| ***known == *text);
    known.map_or_else(|| text.into(), Arc::clone)
}

/// Adds a file, unless it is there, and cells that are new with it.
pub(crate) fn add(file: File, cells: Vec<(usize, Cell)>) {
    let mut versions = versions();
    if !versions.files.iter().any(|known| known.range == file.range) {
        versions.files.push(file);
    }
    for (handle, cell) in cells {
        versions.cells.entry(handle).or_insert(cell);
    }
}

/// Forgets a file that is out of memory.
pub(crate) fn forget(range: &Range<usize>) {
    let mut versions = versions();
    versions
        .files
        .retain(|file| !range.contains(&file.range.start));
    for handle in versions.cells.values().filter_map(|cell| cell.handle) {
        handle.core().forget_marks_in(range);
    }
}

/// The paths of cells that code or data in this range is needed for.
pub(crate) fn needing(range: &Range<usize>) -> Vec<String> {
    let versions = versions();
    let cells = versions.cells.iter().filter(|(handle, cell)| {
        range.contains(handle)
            || range.contains(&(cell.facts as usize))
            || cell
                .init
                .is_some_and(|init| range.contains(&(init as usize)))
    });
    cells.map(|(_, cell)| cell.path.to_string()).collect()
}

/// Notes that code may exist that expects another layout of a cell than its value has.
pub(crate) fn contest(handle: usize) {
    if let Some(cell) = versions().cells.get_mut(&handle) {
        cell.contested = true;
    }
}

/// Changes what is known of a cell. Its layout is changed only by who holds the cell alone.
pub(crate) fn update(handle: usize, change: impl FnOnce(&mut Cell)) {
    if let Some(cell) = versions().cells.get_mut(&handle) {
        change(cell);
    }
}

impl Versions {
    fn file(&self, mark: usize) -> Option<&File> {
        let mut files = self.files.iter().rev();
        files.find(|file| file.range.contains(&mark))
    }
}
