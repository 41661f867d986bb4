//! Facts about object files, read once for each content.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use anyhow::{Context, Result};
use hotswap_layout::ObjectTypes;
use hotswap_object::ObjectFacts;

use crate::unit::ObjectFile;

/// What is known of one object file.
#[derive(Debug)]
pub struct Analysed {
    /// Symbols, statics, entries.
    pub facts: ObjectFacts,
    /// Types, from the debug information.
    pub types: Arc<ObjectTypes>,
}

/// Analyses by content digest. Object files of incremental builds recur from edit to edit.
#[derive(Debug, Default)]
pub struct Cache {
    analysed: Mutex<HashMap<u128, Arc<Analysed>>>,
}

impl Cache {
    /// The analyses of these objects, in order; new ones are made on all processors.
    ///
    /// # Errors
    ///
    /// An object is damaged or of a kind that can't be patched.
    pub fn analyse<'a>(
        &self,
        objects: impl IntoIterator<Item = &'a ObjectFile>,
    ) -> Result<Vec<Arc<Analysed>>> {
        let objects: Vec<&ObjectFile> = objects.into_iter().collect();
        let known = self.lock();
        let mut analysed: Vec<_> = objects
            .iter()
            .map(|object| known.get(&object.digest).map(Arc::clone))
            .collect();
        drop(known);
        let new = analysed.iter().zip(&objects);
        let new = new.filter_map(|(known, object)| known.is_none().then_some(*object));
        // Threads are started for work alone: an edit asks for all objects, and few are new.
        let mut new = read_all(&new.collect::<Vec<_>>(), |object| self.one(object))?.into_iter();
        for place in analysed.iter_mut().filter(|place| place.is_none()) {
            *place = new.next();
        }
        Ok(analysed.into_iter().flatten().collect())
    }

    /// Forgets all objects but these.
    pub fn retain<'a>(&self, objects: impl IntoIterator<Item = &'a ObjectFile>) {
        let kept: std::collections::HashSet<u128> =
            objects.into_iter().map(|object| object.digest).collect();
        self.lock().retain(|digest, _| kept.contains(digest));
    }

    fn one(&self, object: &ObjectFile) -> Result<Arc<Analysed>> {
        if let Some(found) = self.lock().get(&object.digest) {
            return Ok(Arc::clone(found));
        }
        let context = || format!("could not read the object file {}", object.name);
        let facts = hotswap_object::inspect(&object.bytes).with_context(context)?;
        let types = Arc::new(hotswap_layout::read_object(&object.bytes).with_context(context)?);
        let analysed = Arc::new(Analysed { facts, types });
        self.lock().insert(object.digest, Arc::clone(&analysed));
        Ok(analysed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u128, Arc<Analysed>>> {
        self.analysed
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Reads these objects on all processors; the results are in their order.
///
/// # Errors
///
/// The first of the errors.
pub fn read_all<T: Send + Sync>(
    objects: &[&ObjectFile],
    read: impl Fn(&ObjectFile) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let results: Vec<OnceLock<Result<T>>> = objects.iter().map(|_| OnceLock::new()).collect();
    on_all_processors(objects.len(), |at| {
        let _ = results[at].set(read(objects[at]));
    });
    let done = results
        .into_iter()
        .map(|slot| slot.into_inner().context("a worker stopped")?);
    done.collect()
}

/// Calls `work` with every index below `count`, on as many threads as there are processors.
pub fn on_all_processors(count: usize, work: impl Fn(usize) + Sync) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let take = || loop {
        let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if at >= count {
            return;
        }
        work(at);
    };
    std::thread::scope(|scope| {
        for _ in 1..processors().min(count) {
            scope.spawn(take);
        }
        take();
    });
}

/// How many processors this process may use. To ask for it is to read files, so it is asked once.
pub fn processors() -> usize {
    static PROCESSORS: OnceLock<usize> = OnceLock::new();
    *PROCESSORS.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}
