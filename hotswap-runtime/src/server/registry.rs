//! All servers of the program, by number and by name.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock};
use std::thread::ThreadId;

use crate::server::control::Control;
use crate::server::errors::SpawnError;
use crate::server::serve::Shim;
use crate::sync::{AtomicUsize, Mutex, Ordering, lock};

#[derive(Debug, Default)]
struct Registry {
    servers: HashMap<u64, Arc<Control>>,
    names: HashMap<String, u64>,
    /// There while all servers are suspended: those that were started since, and are for that reason.
    born: Option<Vec<u64>>,
}

static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);

static NEXT: AtomicUsize = AtomicUsize::new(1);

/// A number that no server or message has had.
pub(crate) fn next_number() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed) as u64
}

/// Adds a server, unless another one has its name.
pub(crate) fn add(control: Control) -> Result<Arc<Control>, SpawnError> {
    let mut registry = lock(&REGISTRY);
    if let Some(name) = &control.name {
        if registry.names.contains_key(name) {
            return Err(SpawnError::NameTaken(name.clone()));
        }
        registry.names.insert(name.clone(), control.id);
    }
    if let Some(born) = &mut registry.born {
        born.push(control.id);
        control.lock().suspended = true;
    }
    let control = Arc::new(control);
    registry.servers.insert(control.id, Arc::clone(&control));
    Ok(control)
}

/// Takes a server out that has ended.
pub(crate) fn remove(control: &Control) {
    let mut registry = lock(&REGISTRY);
    registry.servers.remove(&control.id);
    if let Some(name) = &control.name {
        registry.names.remove(name);
    }
}

pub(crate) fn find(id: u64) -> Option<Arc<Control>> {
    lock(&REGISTRY).servers.get(&id).cloned()
}

pub(crate) fn named(name: &str) -> Option<Arc<Control>> {
    let registry = lock(&REGISTRY);
    let id = registry.names.get(name)?;
    registry.servers.get(id).cloned()
}

/// Has servers that do nothing, and whose turns would go through an entry in this range, take the entry of
/// another server of their type, the newest there is: all of them lead to the version that is current.
pub(crate) fn leave(range: &Range<usize>) {
    let is_inside = |shim: Shim| range.contains(&(shim as usize));
    let all = all();
    let mut newest: HashMap<usize, (u64, Shim)> = HashMap::new();
    for control in &all {
        let inner = control.lock();
        let (version, shim) = (inner.version, inner.shim);
        if !is_inside(shim) {
            let known = newest.entry(control.cell).or_insert((version, shim));
            if known.0 < version {
                *known = (version, shim);
            }
        }
    }
    for control in &all {
        let mut inner = control.lock();
        if let Some((_, shim)) = newest.get(&control.cell)
            && is_inside(inner.shim)
            && inner.busy.is_none()
        {
            inner.shim = *shim;
        }
    }
}

/// Has servers that wait on threads of their own clear what turns have left on their stacks, if the table is
/// new.
pub(crate) fn clear() {
    for control in all() {
        control.change(|_| ());
    }
}

/// All servers in the order in which they were started.
pub(crate) fn all() -> Vec<Arc<Control>> {
    sorted(&lock(&REGISTRY))
}

fn sorted(registry: &Registry) -> Vec<Arc<Control>> {
    let mut all: Vec<_> = registry.servers.values().cloned().collect();
    all.sort_by_key(|control| control.id);
    all
}

/// From now on servers are suspended when they are started. Gives those that have been, and whether
/// that was so before.
pub(crate) fn close() -> (Vec<Arc<Control>>, bool) {
    let mut registry = lock(&REGISTRY);
    let was_closed = registry.born.is_some();
    registry.born.get_or_insert_default();
    (sorted(&registry), was_closed)
}

/// Servers are no longer suspended when they are started. Gives those that were, and all.
pub(crate) fn open() -> (Vec<u64>, Vec<Arc<Control>>) {
    let mut registry = lock(&REGISTRY);
    let born = registry.born.take().unwrap_or_default();
    (born, sorted(&registry))
}

/// The server whose handler runs on this thread.
pub(crate) fn running_on(thread: ThreadId) -> Option<Arc<Control>> {
    let runs = |control: &Arc<Control>| {
        let busy = control.lock().busy;
        busy.is_some_and(|(other, _)| other == thread)
    };
    all().into_iter().find(runs)
}
