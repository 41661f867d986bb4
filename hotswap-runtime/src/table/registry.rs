//! All slots of the process, and what each change does to them.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::ptr;

use super::counters::Counters;
use super::plan::{Bodies, Identified, Identity, PreparedTable, RegisterError, TableReport};
use super::switch::{Switch, Tables, Target};
use super::{Resolved, count};
use crate::entry::{Descriptor, FUTURE};
use crate::hidden::{self, Hidden};
use crate::inflight::record::CounterId;

/// The host's version.
const HOST: u64 = 0;

/// The slots, in the order of their numbers; slot 1 comes first.
pub(super) struct Registry {
    slots: Vec<Slot>,
    /// Empty until the first entry is registered, since a map cannot be made in a constant.
    by_identity: Option<HashMap<Identity, u32>>,
    /// Slots of the host's descriptors, by address.
    of_host: Option<HashMap<usize, u32>>,
    /// Addresses of descriptors of images that are prepared and not published.
    prepared: Vec<Hidden>,
    tables: Tables,
    counters: Counters,
}

struct Slot {
    /// The path, or before the tool has told it, the name the macro gave.
    path: String,
    /// The body that the host has for this slot.
    host: Option<Target>,
    /// The body that calls run.
    current: Target,
    /// Whether its calls are futures, which may end on another thread.
    is_future: bool,
}

// SAFETY: the bodies are addresses of code, and never read or written through.
unsafe impl Send for Slot {}

impl Registry {
    pub(super) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            by_identity: None,
            of_host: None,
            prepared: Vec::new(),
            tables: Tables::new(),
            counters: Counters::new(),
        }
    }

    pub(super) fn register_host(
        &mut self,
        switch: &Switch,
        entries: Vec<Identified>,
    ) -> Result<(), RegisterError> {
        for entry in &entries {
            if self.slot_of(&entry.identity).is_some_and(|slot| {
                self.slots[index(slot)].host.is_some()
                    && self.host_slot(entry.descriptor()) != Some(slot)
            }) {
                let path = entry.identity.path.clone();
                return Err(RegisterError::Duplicate { path });
            }
        }
        let mut new = Vec::new();
        for entry in entries {
            if let Some(slot) = self.host_slot(entry.descriptor()) {
                self.slots[index(slot)]
                    .path
                    .clone_from(&entry.identity.path);
                self.identities().insert(entry.identity, slot);
            } else {
                let path = entry.identity.path.clone();
                let descriptor = entry.descriptor();
                let slot = self.add_host(path, descriptor, entry.body.get());
                self.identities().insert(entry.identity, slot);
                new.push((descriptor, slot));
            }
        }
        if !new.is_empty() {
            self.show(switch, switch.version());
            for (descriptor, slot) in new {
                descriptor.assign(slot);
            }
        }
        Ok(())
    }

    pub(super) fn prepare(
        &mut self,
        switch: &Switch,
        version: u64,
        entries: Vec<Identified>,
        gone: HashSet<String>,
    ) -> Result<PreparedTable, RegisterError> {
        let current = switch.version();
        if version <= current {
            return Err(RegisterError::Order { version, current });
        }
        self.reclaim();
        let report = self.report(&entries, &gone);
        self.prepared
            .extend(entries.iter().map(|entry| entry.descriptor));
        Ok(PreparedTable {
            version,
            entries,
            gone,
            report,
        })
    }

    pub(super) fn abandon(&mut self, entries: &[Identified]) {
        let gone: HashSet<Hidden> = entries.iter().map(|e| e.descriptor).collect();
        self.prepared.retain(|address| !gone.contains(address));
    }

    pub(super) fn publish(
        &mut self,
        switch: &Switch,
        version: u64,
        entries: Vec<Identified>,
        gone: &HashSet<String>,
    ) -> Bodies {
        let before = Bodies::of(self.slots.iter().map(|slot| slot.current.body));
        self.abandon(&entries);
        // An entry of the image's crates whose signature changed keeps, for callers compiled
        // against the old one, the last body of that signature: not the host's, which is older.
        let in_image: HashSet<&str> = entries.iter().map(|e| e.identity.path.as_str()).collect();
        for slot in &mut self.slots {
            if let Some(host) = slot.host
                && !in_image.contains(slot.path.as_str())
                && !gone.contains(&slot.path)
            {
                slot.current = host;
            }
        }
        let mut assigned = Vec::with_capacity(entries.len());
        for entry in entries {
            let slot = match self.slot_of(&entry.identity) {
                Some(slot) => slot,
                None => self.add(entry.identity.clone(), entry.is_future),
            };
            self.slots[index(slot)].current = Target {
                body: entry.body.get(),
                counter: self.counters.give(version, slot),
            };
            assigned.push((entry, slot));
        }
        self.show(switch, version);
        // A slot must be in a table before it is assigned. A call that the new code makes meanwhile
        // waits for the registry's lock in `resolve`.
        for (entry, slot) in assigned {
            entry.descriptor().assign(slot);
        }
        before
    }

    /// Slots that are younger than the bodies keep theirs: only code that came with them calls them.
    pub(super) fn restore(&mut self, switch: &Switch, version: u64, bodies: &Bodies) {
        self.reclaim();
        for (number, body) in (1..).zip(bodies.iter()) {
            let slot = &mut self.slots[index(number)];
            if ptr::eq(slot.current.body, body) {
                continue;
            }
            slot.current = match slot.host {
                Some(host) if ptr::eq(host.body, body) => host,
                _ => Target {
                    body,
                    counter: self.counters.give(version, number),
                },
            };
        }
        self.show(switch, version);
    }

    /// The path of the entry whose calls in the code of `version` have the counter that is meant.
    pub(super) fn entry_of(
        &self,
        version: u64,
        is_meant: impl Fn(CounterId) -> bool,
    ) -> Option<String> {
        let mut counted = self.counters.of(version).iter();
        let counted = counted.find(|counted| is_meant(counted.counter))?;
        Some(self.slots[index(counted.slot)].path.clone())
    }

    pub(super) fn in_flight(&self, version: u64) -> Vec<(String, u64)> {
        let counted = self.counters.of(version);
        let ids: Vec<CounterId> = counted.iter().map(|counted| counted.counter).collect();
        counted
            .iter()
            .zip(count(&ids))
            .filter(|(_, calls)| *calls > 0)
            .map(|(counted, calls)| (self.slots[index(counted.slot)].path.clone(), calls))
            .collect()
    }

    pub(super) fn close(&mut self, switch: &Switch) {
        let targets = self.targets();
        self.tables.close(switch, &targets);
        hidden::wipe(targets);
    }

    pub(super) fn open(&mut self, switch: &Switch) {
        self.tables.open();
        self.show(switch, switch.version());
    }

    pub(super) fn open_at_publish(&mut self) {
        self.tables.open();
    }

    pub(super) fn calls_under_way(&self) -> u64 {
        let ids: Vec<CounterId> = self.counters.all().map(|counted| counted.counter).collect();
        count(&ids).into_iter().sum()
    }

    pub(super) fn counters_of_threads(&self) -> Vec<CounterId> {
        let all = self.counters.all();
        let of_threads = all.filter(|counted| !self.slots[index(counted.slot)].is_future);
        of_threads.map(|counted| counted.counter).collect()
    }

    pub(super) fn resolve(
        &mut self,
        switch: &Switch,
        entry: &'static Descriptor,
        body: *const (),
    ) -> Resolved {
        let assigned = entry.slot();
        if assigned != 0 {
            return Resolved::Slot(assigned);
        }
        if self.prepared.contains(&Hidden::new(entry)) {
            let counter = CounterId::NONE;
            return Resolved::Own(Target { body, counter });
        }
        let slot = self.add_host(entry.name().to_owned(), entry, body);
        self.show(switch, switch.version());
        entry.assign(slot);
        Resolved::Slot(slot)
    }

    #[cfg(test)]
    pub(super) fn tables_made(&self) -> usize {
        self.tables.made()
    }

    #[cfg(test)]
    pub(super) fn counters_made(&self) -> u32 {
        self.counters.made()
    }

    /// Publishes what the slots hold.
    fn show(&mut self, switch: &Switch, version: u64) {
        let targets = self.targets();
        self.tables.publish(switch, version, &targets);
        hidden::wipe(targets);
    }

    /// Publishes the same table once more, under a stamp of its own.
    pub(super) fn renew(&mut self, switch: &Switch) {
        self.show(switch, switch.version());
    }

    /// Takes out of tables that are not current what only they still have.
    pub(super) fn scrub(&mut self, switch: &Switch) {
        let targets = self.targets();
        self.tables.scrub(switch, &targets);
        hidden::wipe(targets);
    }

    /// The paths of entries whose calls run code in this range.
    pub(super) fn running(&self, range: &Range<usize>) -> Vec<String> {
        let is_in = |target: Target| range.contains(&target.body.addr());
        let slots = self.slots.iter();
        slots
            .filter(|slot| is_in(slot.current) || slot.host.is_some_and(is_in))
            .map(|slot| slot.path.clone())
            .collect()
    }

    fn targets(&self) -> Vec<Target> {
        self.slots.iter().map(|slot| slot.current).collect()
    }

    /// Adds a slot for an entry of the host.
    fn add_host(&mut self, path: String, entry: &'static Descriptor, body: *const ()) -> u32 {
        let slot = self.next_slot();
        let counter = self.counters.give(HOST, slot);
        let target = Target { body, counter };
        self.slots.push(Slot {
            path,
            host: Some(target),
            current: target,
            is_future: is_future(entry),
        });
        self.of_host
            .get_or_insert_default()
            .insert(address(entry), slot);
        slot
    }

    /// Adds a slot that the host has no body for; the caller fills it.
    fn add(&mut self, identity: Identity, is_future: bool) -> u32 {
        let slot = self.next_slot();
        self.slots.push(Slot {
            path: identity.path.clone(),
            host: None,
            current: Target {
                body: ptr::null(),
                counter: CounterId::NONE,
            },
            is_future,
        });
        self.identities().insert(identity, slot);
        slot
    }

    fn next_slot(&self) -> u32 {
        // Slots are of entries and signatures that a person wrote: there are never 2^32.
        u32::try_from(self.slots.len() + 1).unwrap_or(u32::MAX)
    }

    fn identities(&mut self) -> &mut HashMap<Identity, u32> {
        self.by_identity.get_or_insert_default()
    }

    fn slot_of(&self, identity: &Identity) -> Option<u32> {
        self.by_identity.as_ref()?.get(identity).copied()
    }

    fn host_slot(&self, entry: &'static Descriptor) -> Option<u32> {
        self.of_host.as_ref()?.get(&address(entry)).copied()
    }

    /// Takes back the counters of code that no table holds and no call runs.
    fn reclaim(&mut self) {
        let slots = &self.slots;
        let in_use = |counted: super::counters::Counted| {
            let slot = &slots[index(counted.slot)];
            slot.current.counter == counted.counter
                || slot
                    .host
                    .is_some_and(|host| host.counter == counted.counter)
        };
        self.counters.reclaim(in_use, count);
    }

    fn report(&self, entries: &[Identified], gone: &HashSet<String>) -> TableReport {
        let mut report = TableReport::default();
        let known: HashSet<&str> = self.slots.iter().map(|slot| slot.path.as_str()).collect();
        let in_image: HashSet<&str> = entries.iter().map(|e| e.identity.path.as_str()).collect();
        let mut filled = HashSet::new();
        for entry in entries {
            let path = &entry.identity.path;
            let list = match self.slot_of(&entry.identity) {
                Some(slot) => {
                    filled.insert(slot);
                    &mut report.replaced
                }
                None if known.contains(path.as_str()) => &mut report.reshaped,
                None => &mut report.added,
            };
            list.push(path.clone());
        }
        for (number, slot) in (1..).zip(&self.slots) {
            if filled.contains(&number) || in_image.contains(slot.path.as_str()) {
                continue;
            }
            match slot.host.filter(|_| !gone.contains(&slot.path)) {
                Some(host) if host.body != slot.current.body => {
                    report.replaced.push(slot.path.clone());
                }
                None => report.carried.push(slot.path.clone()),
                _ => {}
            }
        }
        for list in [&mut report.replaced, &mut report.carried] {
            list.sort();
            list.dedup();
        }
        report
    }
}

fn is_future(entry: &Descriptor) -> bool {
    entry.flags() & FUTURE != 0
}

fn index(slot: u32) -> usize {
    slot as usize - 1
}

fn address(entry: &'static Descriptor) -> usize {
    ptr::from_ref(entry).addr()
}
