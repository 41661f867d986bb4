//! Facts about an object: what it defines, what it needs, and which of it is state.

mod pointers;
mod schemas;
mod wishes;

use std::collections::{BTreeMap, HashMap, HashSet};

use object::elf;
use serde::{Deserialize, Serialize};

pub use self::pointers::Pointee;
use self::pointers::{Contents, digest};
pub use self::schemas::SchemaFacts;
pub use self::wishes::{Wish, WishFacts};
use crate::elf::{Elf, Symbol, offset_of, symbol_of};
use crate::error::ObjectError;
use crate::names::{self, canonical_path, is_item};
use crate::state::{ENTRY_SECTION, HOOK_SECTION, Role, SLICE_SECTION, roles};

/// What is known about an object without rewriting it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ObjectFacts {
    /// Symbols the object defines.
    pub symbols: Vec<SymbolFacts>,
    /// Names of the symbols it needs from elsewhere.
    pub undefined: Vec<String>,
    /// Its writable statics and thread-locals.
    pub statics: Vec<StaticFacts>,
    /// Its entries.
    pub entries: Vec<EntryFacts>,
    /// Its functions that run at start or exit.
    pub initialisers: Vec<InitialiserFacts>,
    /// What its types say of themselves for migrations.
    pub schemas: Vec<SchemaFacts>,
    /// What shall become of statics whose initialisers are edited.
    pub wishes: Vec<WishFacts>,
    /// Its functions that run at swaps.
    pub hooks: Vec<SchemaFacts>,
    /// The functions that its writable statics point at when the program starts.
    pub function_pointers: Vec<FunctionPointer>,
    /// The distributed slices (`linkme`) that it adds to, by the name of their section, with the bytes that it adds.
    pub slices: BTreeMap<String, u64>,
}

/// A pointer to a function in the initial value of a static.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FunctionPointer {
    /// Symbol of the static.
    pub of: String,
    /// Where it stands in the static, in bytes.
    pub offset: u64,
    /// Symbol of the function.
    pub function: String,
}

/// A symbol that an object defines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SymbolFacts {
    /// Mangled name.
    pub name: String,
    /// What it names.
    pub kind: SymbolKind,
    /// Who may refer to it.
    pub scope: Scope,
    /// Whether another definition may replace it.
    pub weak: bool,
    /// Name of its section.
    pub section: String,
    /// Whether its memory is state: writable or thread-local, and kept across versions.
    pub state: bool,
    /// Bytes it occupies.
    pub size: u64,
}

/// What a symbol names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SymbolKind {
    /// A function.
    Function,
    /// A static or a constant.
    Data,
    /// A thread-local.
    ThreadLocal,
    /// Something whose type the object does not tell.
    Other,
}

/// Who may refer to a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// Its own object.
    Local,
    /// Objects linked into the same file.
    Hidden,
    /// Everybody.
    Default,
}

/// Where a static's memory comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Storage {
    /// Initialised memory.
    Data,
    /// Memory that starts as zero.
    Bss,
    /// Initialised thread-local memory.
    ThreadData,
    /// Thread-local memory that starts as zero.
    ThreadBss,
}

impl Storage {
    /// Whether each thread has its own.
    pub fn is_thread_local(self) -> bool {
        matches!(self, Self::ThreadData | Self::ThreadBss)
    }
}

/// A writable static or a thread-local.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StaticFacts {
    /// Mangled name.
    pub symbol: String,
    /// Canonical path.
    pub path: String,
    /// Where its memory comes from.
    pub storage: Storage,
    /// Bytes it occupies.
    pub size: u64,
    /// Alignment of its section in bytes.
    pub align: u64,
    /// Digest of its initial bytes, pointers and trailing zeros left out.
    pub bytes: u64,
    /// Its initial pointers by offset.
    pub pointers: Vec<(u64, Pointee)>,
    /// What shall become of its value when its initialiser is edited, if the source says so. It may say
    /// so in another object: whoever has all of a crate fills it in.
    pub wish: Option<Wish>,
    /// The canonical path that it had under its old name, if the source says one. Filled in likewise.
    pub was: Option<String>,
    /// Bytes of its type, where debug information tells. Filled in likewise.
    pub type_size: Option<u64>,
}

impl StaticFacts {
    /// Whether the compiler made something else of it than was written: gave it another name, or another size than
    /// its type has.
    pub fn is_derived(&self) -> bool {
        // What has no size may have been given a byte.
        let typed = self.type_size.filter(|size| *size > 0);
        names::is_derived(&self.symbol) || typed.is_some_and(|size| size != self.size)
    }
}

/// An entry, told by its descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EntryFacts {
    /// Canonical path of the function.
    pub path: String,
    /// Symbol of the descriptor.
    pub descriptor: String,
    /// What the symbol of the body starts with; it ends there or a crate path follows.
    pub body_prefix: String,
    /// Symbols of the bodies that this object defines; another object of the crate may have them.
    pub bodies: Vec<String>,
}

/// A function that runs at start or exit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InitialiserFacts {
    /// Section that lists it, as `.init_array`.
    pub section: String,
    /// Symbol of the static that holds it; empty if it has none.
    pub symbol: String,
    /// Canonical path of that static.
    pub path: String,
    /// Canonical path of the function.
    pub function: Option<String>,
}

impl EntryFacts {
    /// Whether a symbol is the entry's body.
    pub fn is_body(&self, symbol: &str) -> bool {
        !self.body_prefix.is_empty()
            && symbol
                .strip_prefix(self.body_prefix.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['B', 'C', '.']))
    }
}

/// Reads the facts of a relocatable object.
///
/// # Errors
///
/// If the file is bitcode, not an x86_64 ELF object, or malformed.
pub fn inspect(object: &[u8]) -> Result<ObjectFacts, ObjectError> {
    let elf = Elf::object(object)?;
    let roles = roles(&elf);
    let mut facts = ObjectFacts::default();
    let mut seen = HashSet::new();
    for symbol in elf.symbols.iter().skip(1) {
        if symbol.name.is_empty() || matches!(symbol.kind, elf::STT_FILE | elf::STT_SECTION) {
            continue;
        }
        if !symbol.defined {
            facts.undefined.push(symbol.name.to_owned());
        } else if symbol.is_local() && !seen.insert(symbol.name) {
            // A name that occurs twice is a compiler's label, not an item.
        } else {
            facts.symbols.push(symbol_facts(&elf, &roles, symbol));
        }
    }
    let contents = Contents::new(&elf, &roles);
    let statics = statics(&elf, &roles);
    let twins = global_statics(&elf, &statics);
    for index in statics {
        let symbol = &elf.symbols[index];
        if symbol.is_local() && twins.contains_key(symbol.name) {
            continue;
        }
        let found = static_facts(&elf, &roles, &contents, index)?;
        if !found.pointers.is_empty() {
            facts
                .function_pointers
                .extend(function_pointers(&elf, symbol)?);
        }
        facts.statics.push(found);
    }
    facts.entries = entries(&elf);
    facts.initialisers = initialisers(&elf, &roles)?;
    facts.schemas = schemas::read(&elf)?;
    facts.wishes = wishes::read(&elf)?;
    facts.hooks = schemas::texts(&elf, HOOK_SECTION, "__HOTSWAP_HOOK")?;
    facts.slices = slices(&elf);
    Ok(facts)
}

/// The distributed slices of a file, by the name of their section, with their bytes.
pub(crate) fn slices(elf: &Elf<'_>) -> BTreeMap<String, u64> {
    let mut slices = BTreeMap::new();
    let sections = elf.sections.iter();
    for section in sections.filter(|section| section.name.starts_with(SLICE_SECTION)) {
        *slices.entry(section.name.to_owned()).or_default() += section.size;
    }
    slices
}

fn symbol_facts(elf: &Elf<'_>, roles: &[Role], symbol: &Symbol<'_>) -> SymbolFacts {
    let kind = match symbol.kind {
        elf::STT_FUNC | elf::STT_GNU_IFUNC => SymbolKind::Function,
        elf::STT_OBJECT | elf::STT_COMMON => SymbolKind::Data,
        elf::STT_TLS => SymbolKind::ThreadLocal,
        _ => SymbolKind::Other,
    };
    let scope = match symbol.visibility {
        _ if symbol.is_local() => Scope::Local,
        elf::STV_DEFAULT | elf::STV_PROTECTED => Scope::Default,
        _ => Scope::Hidden,
    };
    SymbolFacts {
        name: symbol.name.to_owned(),
        kind,
        scope,
        weak: symbol.binding == elf::STB_WEAK,
        section: symbol.section.map_or(String::new(), |section| {
            elf.sections[section].name.to_owned()
        }),
        state: symbol
            .section
            .is_some_and(|section| matches!(roles[section], Role::State | Role::ThreadState)),
        size: symbol.size,
    }
}

/// Indices of the symbols that name state.
pub(crate) fn statics(elf: &Elf<'_>, roles: &[Role]) -> Vec<usize> {
    let is_static = |symbol: &Symbol<'_>| {
        let object = matches!(
            symbol.kind,
            elf::STT_OBJECT | elf::STT_TLS | elf::STT_NOTYPE
        );
        object
            && is_item(symbol.name)
            && symbol
                .section
                .is_some_and(|section| matches!(roles[section], Role::State | Role::ThreadState))
    };
    (1..elf.symbols.len())
        .filter(|&index| is_static(&elf.symbols[index]))
        .collect()
}

/// Global ones of the given statics, by name. An exposed object has a local twin for some.
pub(crate) fn global_statics<'data>(
    elf: &Elf<'data>,
    statics: &[usize],
) -> HashMap<&'data str, usize> {
    let global = statics
        .iter()
        .filter(|&&index| !elf.symbols[index].is_local());
    global
        .map(|&index| (elf.symbols[index].name, index))
        .collect()
}

fn static_facts(
    elf: &Elf<'_>,
    roles: &[Role],
    contents: &Contents<'_, '_>,
    index: usize,
) -> Result<StaticFacts, ObjectError> {
    let symbol = &elf.symbols[index];
    let index = symbol
        .section
        .ok_or_else(|| ObjectError::malformed("static without a section"))?;
    let section = &elf.sections[index];
    let storage = match (roles[index], section.kind == elf::SHT_NOBITS) {
        (Role::ThreadState, false) => Storage::ThreadData,
        (Role::ThreadState, true) => Storage::ThreadBss,
        (_, false) => Storage::Data,
        (_, true) => Storage::Bss,
    };
    Ok(StaticFacts {
        symbol: symbol.name.to_owned(),
        path: canonical_path(symbol.name),
        storage,
        size: symbol.size,
        align: section.align,
        bytes: digest(contents.bytes(index, symbol.value, symbol.size)?),
        pointers: contents.pointers(index, symbol.value, symbol.size)?,
        wish: None,
        was: None,
        type_size: None,
    })
}

fn function_pointers(
    elf: &Elf<'_>,
    symbol: &Symbol<'_>,
) -> Result<Vec<FunctionPointer>, ObjectError> {
    let Some(section) = symbol.section else {
        return Ok(Vec::new());
    };
    let inside = symbol.value..symbol.value.saturating_add(symbol.size);
    let pointers = elf.relocations_of(section)?.iter();
    let pointers = pointers.filter(|pointer| inside.contains(&offset_of(pointer)));
    let named = pointers.filter_map(|pointer| {
        let function = function_name(elf, pointer)?;
        (!function.is_empty()).then(|| FunctionPointer {
            of: symbol.name.to_owned(),
            offset: offset_of(pointer) - symbol.value,
            function: function.to_owned(),
        })
    });
    Ok(named.collect())
}

fn entries(elf: &Elf<'_>) -> Vec<EntryFacts> {
    const DESCRIPTOR: &str = "__HOTSWAP_ENTRY";
    let in_section = |symbol: &&Symbol<'_>| {
        symbol
            .section
            .is_some_and(|section| elf.sections[section].name == ENTRY_SECTION)
            && symbol.name.contains(DESCRIPTOR)
    };
    let mut entries = Vec::new();
    for symbol in elf.symbols.iter().filter(in_section) {
        let path = canonical_path(symbol.name);
        let Some(path) = path.strip_suffix("::__HOTSWAP_ENTRY") else {
            continue;
        };
        let mut entry = EntryFacts {
            path: path.to_owned(),
            descriptor: symbol.name.to_owned(),
            body_prefix: body_prefix(symbol.name).unwrap_or_default(),
            bodies: Vec::new(),
        };
        let body = |symbol: &&Symbol<'_>| symbol.section.is_some() && entry.is_body(symbol.name);
        entry.bodies = elf
            .symbols
            .iter()
            .filter(body)
            .map(|symbol| symbol.name.to_owned())
            .collect();
        entries.push(entry);
    }
    entries
}

/// The mangled name of an entry's first closure, from that of its descriptor: both are children
/// of the same function, whose name stands at the same place in each.
fn body_prefix(descriptor: &str) -> Option<String> {
    let name = descriptor.strip_prefix("_RNv")?;
    let end = name.rfind("15___HOTSWAP_ENTRY")?;
    Some(format!("_RNC{}0", &name[..end]))
}

fn initialisers(elf: &Elf<'_>, roles: &[Role]) -> Result<Vec<InitialiserFacts>, ObjectError> {
    let mut found = Vec::new();
    for index in (0..roles.len()).filter(|&index| roles[index] == Role::Initialisers) {
        let mut names: HashMap<u64, &str> = HashMap::new();
        for symbol in elf
            .symbols
            .iter()
            .filter(|symbol| symbol.section == Some(index))
        {
            if !symbol.is_section() {
                names.insert(symbol.value, symbol.name);
            }
        }
        for relocation in elf.relocations_of(index)? {
            let name = names
                .get(&offset_of(relocation))
                .copied()
                .unwrap_or_default();
            found.push(InitialiserFacts {
                section: elf.sections[index].name.to_owned(),
                symbol: name.to_owned(),
                path: canonical_path(name),
                function: function_name(elf, relocation).map(canonical_path),
            });
        }
    }
    Ok(found)
}

/// Name of the function that a pointer refers to, through a section symbol if need be.
fn function_name<'data>(elf: &Elf<'data>, relocation: &crate::elf::Rela) -> Option<&'data str> {
    let symbol = elf.symbols.get(symbol_of(relocation))?;
    if !symbol.is_section() {
        return Some(symbol.name);
    }
    let at = u64::try_from(crate::elf::addend_of(relocation)).ok()?;
    elf.symbols
        .iter()
        .find(|other| {
            other.kind == elf::STT_FUNC && other.section == symbol.section && other.value == at
        })
        .map(|other| other.name)
}
