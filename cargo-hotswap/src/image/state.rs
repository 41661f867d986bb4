//! State across versions: which of the host's statics a patch's objects are bound to.

use std::collections::{BTreeMap, HashSet};

use anyhow::Result;
use hotswap_object::statics::{self, Novelty, Verdict};
use hotswap_object::{Binding, Bindings, Pointee, StaticFacts, Storage};

use super::support::Support;

use crate::events::StaticReport;
use crate::facts::Analysed;
use crate::host::{Host, HostUnit};
use crate::unit::Unit;

/// A static that is one and the same in two versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// Its path.
    pub path: String,
    /// Its symbol where it is defined: in the host or in a support image.
    pub host: String,
    /// Whether a support image defines it.
    pub after_host: bool,
    /// Its symbol in the patch.
    pub patch: String,
    /// Whether each thread has its own.
    pub thread_local: bool,
}

/// What a patch does with state.
#[derive(Debug, Default)]
pub struct State {
    /// What its objects are bound to.
    pub bindings: Bindings,
    /// The statics it shares with the host.
    pub shared: Vec<Shared>,
    /// What the user may want to know.
    pub reports: Vec<StaticReport>,
    /// Statics that can't go live, with the reason.
    pub refused: Vec<(String, String)>,
}

impl State {
    /// Decides about the statics of one unit.
    ///
    /// # Errors
    ///
    /// A new static's initial value can't be found.
    pub fn add_unit(
        &mut self,
        unit: &Unit,
        analysed: &[&Analysed],
        host: &Host,
        support: &mut Support,
    ) -> Result<()> {
        let statics: Vec<StaticFacts> =
            analysed.iter().flat_map(|object| object.facts.statics.iter().cloned()).collect();
        let base = host.units.get(&unit.id());
        let mut known = base.map(|unit| unit.statics.clone()).unwrap_or_default();
        let later = support.statics(&unit.id());
        known.retain(|older| !later.iter().any(|static_| static_.path == older.path));
        known.extend_from_slice(later);
        for (facts, found) in statics.iter().zip(statics::match_statics(&known, &statics)) {
            self.decide(unit, facts, found.verdict, host, support)?;
        }
        self.drop_initialisers(analysed, base);
        Ok(())
    }

    fn decide(
        &mut self,
        unit: &Unit,
        facts: &StaticFacts,
        verdict: Verdict,
        host: &Host,
        support: &mut Support,
    ) -> Result<()> {
        match verdict {
            Verdict::Same { host: symbol } => self.share(facts, symbol, host, support),
            Verdict::Kept { host: symbol, .. } => {
                self.report(facts, "kept", "its initialiser was edited, its value is state and stays");
                self.share(facts, symbol, host, support);
            }
            Verdict::New(_) if is_registration(facts) => {
                self.bindings.symbols.insert(facts.symbol.clone(), Binding::Image);
            }
            Verdict::New(novelty) => {
                if novelty == Novelty::OtherContent {
                    self.report(facts, "new", "it points at other read-only data now");
                }
                match support.add(unit.id(), facts, &unit.objects)? {
                    Some(symbol) => self.share(facts, symbol, host, support),
                    None => {
                        self.bindings.symbols.insert(facts.symbol.clone(), Binding::Image);
                    }
                }
            }
            Verdict::Refused(reason) => self.refuse(facts, &reason.to_string()),
            _ => self.refuse(facts, "its treatment is unknown"),
        }
        Ok(())
    }

    fn report(&mut self, facts: &StaticFacts, verdict: &'static str, reason: &str) {
        let name = facts.path.clone();
        self.reports.push(StaticReport { name, verdict, reason: reason.to_owned() });
    }

    fn refuse(&mut self, facts: &StaticFacts, reason: &str) {
        self.refused.push((facts.path.clone(), reason.to_owned()));
    }

    fn share(&mut self, facts: &StaticFacts, symbol: String, host: &Host, support: &Support) {
        let thread_local = matches!(facts.storage, Storage::ThreadData | Storage::ThreadBss);
        let binding = if support.exports(&symbol) {
            Binding::Global { symbol: symbol.clone() }
        } else if thread_local {
            match host.symbols.thread_locals.get(&symbol) {
                Some(offset) => Binding::HostThreadLocal { offset: *offset },
                None => return self.not_exported(facts),
            }
        } else if host.symbols.symbols.get(&symbol).is_some_and(|found| found.exported) {
            Binding::Host { symbol: symbol.clone() }
        } else {
            return self.not_exported(facts);
        };
        self.bindings.symbols.insert(facts.symbol.clone(), binding);
        self.shared.push(Shared {
            path: facts.path.clone(),
            after_host: support.exports(&symbol),
            host: symbol,
            patch: facts.symbol.clone(),
            thread_local,
        });
    }

    fn not_exported(&mut self, facts: &StaticFacts) {
        self.refuse(facts, "the executable does not export it, so a patch can't reach its value");
    }

    /// Registrations that ran before `main` in the host must not run again: per path, as many as
    /// the host has are dropped, what is new runs.
    fn drop_initialisers(&mut self, analysed: &[&Analysed], base: Option<&HostUnit>) {
        let mut ran: BTreeMap<&str, usize> = BTreeMap::new();
        for initialiser in base.map(|unit| unit.initialisers.as_slice()).unwrap_or_default() {
            *ran.entry(initialiser.path.as_str()).or_default() += 1;
        }
        for initialiser in analysed.iter().flat_map(|object| &object.facts.initialisers) {
            if let Some(count) = ran.get_mut(initialiser.path.as_str()).filter(|count| **count > 0) {
                *count -= 1;
                self.bindings.dropped_initialisers.insert(initialiser.symbol.clone());
            }
        }
    }

    /// Thread-locals of the host that no object of the image defines, by symbol.
    pub fn set_host_thread_locals(&mut self, host: &Host) {
        self.bindings.host_thread_locals = host.symbols.thread_locals.clone();
    }

    /// The symbols that the patch finds in support images.
    pub fn global_symbols(&self) -> HashSet<String> {
        let global = self.bindings.symbols.values().filter_map(|binding| match binding {
            Binding::Global { symbol } => Some(symbol.clone()),
            _ => None,
        });
        global.collect()
    }
}

/// Whether a macro made this static to register what it describes, as `tracing` makes callsites:
/// code rather than state, which nobody expects to last.
fn is_registration(facts: &StaticFacts) -> bool {
    let name = facts.path.rsplit("::").next().unwrap_or_default();
    let described = facts.pointers.iter().any(|(_, to)| matches!(to, Pointee::Constant(_)));
    described && (name.starts_with("__") || name == "CALLSITE")
}
