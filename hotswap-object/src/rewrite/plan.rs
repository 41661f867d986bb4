//! Decides for each symbol of an object where references to it shall lead.

use std::collections::HashMap;

use object::elf;

use crate::bindings::{Binding, Bindings};
use crate::constants::is_constant;
use crate::elf::patch::{NewSymbol, Patch};
use crate::elf::{Elf, Symbol};
use crate::error::RewriteError;
use crate::facts::{global_statics, statics};
use crate::state::Role;

/// Where references to a symbol shall lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Where they lead now.
    Stay,
    /// To a static of elsewhere, through the undefined symbol with this index.
    Remote(u32),
    /// To a host's thread-local at this distance from the thread pointer.
    Thread(i64),
    /// To the image's own thread-local with this symbol.
    OwnThread(u32),
    /// To something another file defines that no binding tells about, through its own symbol.
    Undefined(u32),
    /// To one of several statics: told by the section they lie in.
    BySection,
    /// To writable memory that only a static's initial value may lead to, since nothing names it.
    Nameless,
}

/// A plan, and the offset from the symbol it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    pub plan: Plan,
    pub offset: i64,
}

/// A static's range in its section.
#[derive(Debug, Clone, Copy)]
struct Range {
    start: u64,
    size: u64,
    plan: Plan,
}

/// The plans of an object's symbols.
#[derive(Debug)]
pub struct Plans {
    symbols: Vec<Plan>,
    /// Section and offset of each symbol.
    places: Vec<(usize, u64)>,
    ranges: HashMap<usize, Vec<Range>>,
    /// Sections of which nothing is used any more.
    pub vacated: Vec<usize>,
}

/// Symbols that the linker defines in each file.
const LINKER_DEFINED: &[&str] = &[
    "__start_",
    "__stop_",
    "_GLOBAL_OFFSET_TABLE_",
    "_DYNAMIC",
    "__dso_handle",
    "__ehdr_start",
    "__executable_start",
    "__tls_get_addr",
];

impl Plans {
    /// Plans for all symbols; makes those of bound statics undefined.
    pub fn new(
        elf: &Elf<'_>,
        roles: &[Role],
        bindings: &Bindings,
        patch: &mut Patch<'_, '_>,
    ) -> Result<Self, RewriteError> {
        let mut plans = Self {
            symbols: vec![Plan::Stay; elf.symbols.len()],
            places: Vec::with_capacity(elf.symbols.len()),
            ranges: HashMap::new(),
            vacated: Vec::new(),
        };
        plans.plan_statics(elf, roles, bindings, patch)?;
        plans.find_vacated(elf);
        for (index, symbol) in elf.symbols.iter().enumerate() {
            plans
                .places
                .push((symbol.section.unwrap_or(0), symbol.value));
            if !symbol.defined && !symbol.name.is_empty() {
                plans.symbols[index] = plan_undefined(elf, index, bindings, patch)?;
            } else if plans.symbols[index] == Plan::Stay
                && let Some(section) = symbol.section
            {
                plans.symbols[index] = match plans.ranges.contains_key(&section) {
                    true => Plan::BySection,
                    false if is_nameless(elf, roles, section) => Plan::Nameless,
                    false => Plan::Stay,
                };
            }
        }
        Ok(plans)
    }

    fn plan_statics(
        &mut self,
        elf: &Elf<'_>,
        roles: &[Role],
        bindings: &Bindings,
        patch: &mut Patch<'_, '_>,
    ) -> Result<(), RewriteError> {
        let mut statics = statics(elf, roles);
        statics.extend(bound_constants(elf, bindings));
        let globals = global_statics(elf, &statics);
        let mut twins = Vec::new();
        for index in statics {
            let symbol = &elf.symbols[index];
            if let Some(&twin) = globals.get(symbol.name).filter(|_| symbol.is_local()) {
                twins.push((index, twin));
                continue;
            }
            let plan = plan_static(elf, index, bindings, patch)?;
            self.symbols[index] = plan;
            if let Some(section) = symbol.section {
                let range = Range {
                    start: symbol.value,
                    size: symbol.size,
                    plan,
                };
                self.ranges.entry(section).or_default().push(range);
            }
        }
        for (index, twin) in twins {
            self.symbols[index] = self.symbols[twin];
        }
        Ok(())
    }

    /// Whether references to a symbol can be left alone.
    pub fn stays(&self, symbol: usize) -> bool {
        self.symbols
            .get(symbol)
            .is_none_or(|plan| *plan == Plan::Stay)
    }

    /// The plan of a symbol, by itself.
    pub fn of(&self, symbol: usize) -> Plan {
        self.symbols.get(symbol).copied().unwrap_or(Plan::Stay)
    }

    /// Where a reference leads that is `offset` bytes from a symbol.
    pub fn resolve(&self, symbol: usize, offset: i64) -> Result<Resolved, &'static str> {
        let plan = self.of(symbol);
        if plan != Plan::BySection {
            return Ok(Resolved { plan, offset });
        }
        let (section, value) = self.places[symbol];
        let at = value.wrapping_add_signed(offset);
        let ranges = self
            .ranges
            .get(&section)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let inside = |range: &&Range| {
            at.checked_sub(range.start)
                .is_some_and(|at| at < range.size)
        };
        let range = match ranges {
            [only] => only,
            _ => match ranges.iter().find(inside) {
                Some(range) => range,
                None if ranges.iter().all(|range| !leaves(range.plan)) => {
                    return Ok(Resolved {
                        plan: Plan::Stay,
                        offset,
                    });
                }
                None => return Err("the reference leads between the statics of a section"),
            },
        };
        let offset = at.cast_signed().wrapping_sub(range.start.cast_signed());
        Ok(Resolved {
            plan: range.plan,
            offset,
        })
    }

    /// A section can go when every static in it lives elsewhere and no memory lies between them.
    fn find_vacated(&mut self, elf: &Elf<'_>) {
        for (&section, ranges) in &self.ranges {
            let gone = ranges.iter().all(|range| leaves(range.plan));
            let whole = match ranges.as_slice() {
                [_] => true,
                _ => elf.symbols.iter().all(|symbol| {
                    symbol.section != Some(section)
                        || symbol.is_section()
                        || ranges.iter().any(|range| range.start == symbol.value)
                }),
            };
            if gone && whole {
                self.vacated.push(section);
            }
        }
        self.vacated.sort_unstable();
    }
}

/// Indices of the read-only statics that are the host's. All others are the image's own.
fn bound_constants(elf: &Elf<'_>, bindings: &Bindings) -> impl Iterator<Item = usize> {
    let is_bound = |symbol: &Symbol<'_>| {
        let bound = || bindings.symbols.get(symbol.name);
        is_constant(elf, symbol) && matches!(bound(), Some(Binding::Host { .. }))
    };
    (1..elf.symbols.len()).filter(move |&index| is_bound(&elf.symbols[index]))
}

/// Whether a section holds writable memory that the compiler made for an initial value.
fn is_nameless(elf: &Elf<'_>, roles: &[Role], section: usize) -> bool {
    let header = &elf.sections[section];
    roles[section] == Role::State
        && header.size != 0
        && (header.name.starts_with(".data") || header.name.starts_with(".bss"))
}

fn leaves(plan: Plan) -> bool {
    matches!(plan, Plan::Remote(_) | Plan::Thread(_))
}

fn plan_static(
    elf: &Elf<'_>,
    index: usize,
    bindings: &Bindings,
    patch: &mut Patch<'_, '_>,
) -> Result<Plan, RewriteError> {
    let symbol = &elf.symbols[index];
    let thread_local = symbol.kind == elf::STT_TLS;
    let wrong = |reason| RewriteError::Binding {
        symbol: symbol.name.to_owned(),
        reason,
    };
    match bindings.symbols.get(symbol.name) {
        None => Err(RewriteError::Unbound {
            symbol: symbol.name.to_owned(),
        }),
        Some(Binding::Image) if thread_local => Ok(Plan::OwnThread(index as u32)),
        Some(Binding::Image) => Ok(Plan::Stay),
        Some(Binding::Host { .. }) if thread_local => {
            Err(wrong("a thread-local has no single address"))
        }
        Some(Binding::Host { symbol: name } | Binding::Global { symbol: name }) => {
            import(symbol, index, name, patch)
        }
        Some(Binding::HostThreadLocal { .. }) if !thread_local => {
            Err(wrong("it isn't a thread-local"))
        }
        Some(Binding::HostThreadLocal { offset }) => {
            vacate(symbol, index, patch)?;
            Ok(Plan::Thread(*offset))
        }
    }
}

/// Takes a symbol away to which nothing will refer any more.
fn vacate(
    symbol: &Symbol<'_>,
    index: usize,
    patch: &mut Patch<'_, '_>,
) -> Result<(), RewriteError> {
    if !symbol.is_local() {
        let name = patch.name(&format!("{}.vacated", symbol.name))?;
        patch.vacate(index, name)?;
    }
    Ok(())
}

/// Makes a static that this object defines, or needs, one that `name` of elsewhere defines.
fn import(
    symbol: &Symbol<'_>,
    index: usize,
    name: &str,
    patch: &mut Patch<'_, '_>,
) -> Result<Plan, RewriteError> {
    let name = if name == symbol.name {
        patch.name_of(index)?
    } else {
        patch.name(name)?
    };
    let kind = if symbol.kind == elf::STT_TLS {
        elf::STT_TLS
    } else {
        elf::STT_NOTYPE
    };
    if symbol.is_local() {
        let new = NewSymbol {
            name,
            binding: elf::STB_GLOBAL,
            kind,
            section: None,
            value: 0,
            size: 0,
        };
        return Ok(Plan::Remote(patch.add_symbol(new)?));
    }
    patch.undefine(index, name, kind)?;
    Ok(Plan::Remote(index as u32))
}

fn plan_undefined(
    elf: &Elf<'_>,
    index: usize,
    bindings: &Bindings,
    patch: &mut Patch<'_, '_>,
) -> Result<Plan, RewriteError> {
    let symbol = &elf.symbols[index];
    let distance = match bindings.symbols.get(symbol.name) {
        Some(Binding::Image) => return Ok(Plan::Stay),
        Some(Binding::Host { symbol: name } | Binding::Global { symbol: name }) => {
            return import(symbol, index, name, patch);
        }
        Some(Binding::HostThreadLocal { offset }) => Some(offset),
        None => bindings.host_thread_locals.get(symbol.name),
    };
    if let Some(&distance) = distance {
        vacate(symbol, index, patch)?;
        return Ok(Plan::Thread(distance));
    }
    if LINKER_DEFINED
        .iter()
        .any(|prefix| symbol.name.starts_with(prefix))
    {
        return Ok(Plan::Stay);
    }
    if symbol.visibility != elf::STV_DEFAULT {
        patch.make_default(index)?;
    }
    Ok(Plan::Undefined(index as u32))
}
