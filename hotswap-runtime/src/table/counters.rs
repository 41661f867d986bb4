//! Which counter counts what: one for each version and slot that has code of its own.

use std::collections::BTreeMap;

use crate::inflight::record::CounterId;

/// Counters in use, by the version whose code they count, and those that are free again.
#[derive(Debug)]
pub(crate) struct Counters {
    by_version: BTreeMap<u64, Vec<Counted>>,
    free: Vec<CounterId>,
    /// Number 0 is [`CounterId::NONE`].
    made: u32,
}

/// A counter, and the slot whose calls it counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    pub(crate) slot: u32,
    pub(crate) counter: CounterId,
}

impl Counters {
    pub(crate) const fn new() -> Self {
        Self {
            by_version: BTreeMap::new(),
            free: Vec::new(),
            made: 0,
        }
    }

    /// A counter for calls of `slot` that run the code of `version`.
    ///
    /// When there are too many, which takes millions alive at once, the calls go uncounted.
    pub(crate) fn give(&mut self, version: u64, slot: u32) -> CounterId {
        let Some(counter) = self.free.pop().or_else(|| self.make()) else {
            return CounterId::NONE;
        };
        let counted = Counted { slot, counter };
        self.by_version.entry(version).or_default().push(counted);
        counter
    }

    #[cfg(test)]
    pub(super) fn made(&self) -> u32 {
        self.made
    }

    fn make(&mut self) -> Option<CounterId> {
        let counter = CounterId::from_number(self.made + 1)?;
        self.made += 1;
        Some(counter)
    }

    /// The counters of `version`'s code.
    pub(crate) fn of(&self, version: u64) -> &[Counted] {
        self.by_version.get(&version).map_or(&[], Vec::as_slice)
    }

    /// All counters that are given out.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Counted> {
        self.by_version.values().flatten()
    }

    /// Takes back the counters for which `in_use` is false and no call is under way. `count` tells
    /// the calls under way of the counters it is given.
    ///
    /// A counter may be given out again at once: a call that is just beginning under it finds that
    /// the table has moved, and ends under it too.
    pub(crate) fn reclaim(
        &mut self,
        in_use: impl Fn(Counted) -> bool,
        count: impl Fn(&[CounterId]) -> Vec<u64>,
    ) {
        let idle = |counted: &Counted| !in_use(*counted);
        let ids: Vec<CounterId> = self
            .all()
            .filter(|counted| idle(counted))
            .map(|counted| counted.counter)
            .collect();
        let calls = count(&ids);
        let mut drained: Vec<CounterId> = ids
            .into_iter()
            .zip(calls)
            .filter_map(|(id, calls)| (calls == 0).then_some(id))
            .collect();
        drained.sort_unstable();
        for counted in self.by_version.values_mut() {
            counted.retain(|counted| drained.binary_search(&counted.counter).is_err());
        }
        self.by_version.retain(|_, counted| !counted.is_empty());
        // Low numbers are given out first, so that threads need no buckets they don't have.
        self.free.extend(drained);
        self.free.sort_unstable_by(|a, b| b.cmp(a));
    }
}
