//! Entries in a linked file: where their descriptors and bodies lie, and their fingerprints.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result, bail};
use hotswap_layout::Program;
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection, ObjectSegment, ObjectSymbol, RelocationTarget};

/// The name of every entry's descriptor, the last component of its path.
const DESCRIPTOR: &str = "::__HOTSWAP_ENTRY";

/// The section that holds the descriptors.
const SECTION: &str = "hotswap_entries";

/// Where a descriptor holds the pointer to its signature's text, in bytes: the runtime's
/// `Descriptor` is `repr(C)`, and its layout is part of the protocol.
const SIGNATURE_START: u64 = 24;

/// Where it holds that text's length, in bytes.
const SIGNATURE_LENGTH: u64 = 32;

/// One entry of a linked file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryFacts {
    /// Its canonical path.
    pub path: String,
    /// The descriptor's virtual address.
    pub descriptor: u64,
    /// The body's virtual address.
    pub body: u64,
    /// The body's symbol, by which the debug information knows it.
    pub body_symbol: String,
    /// The signature as written.
    pub signature: String,
    /// The fingerprint of the signature's types.
    pub fingerprint: String,
}

/// Finds the entries of a linked file.
///
/// # Errors
///
/// The file is damaged, an entry has several bodies (it stands in a generic `impl`), or the debug
/// information of its signature is missing.
pub fn read(file: &[u8], types: &Program) -> Result<Vec<EntryFacts>> {
    let elf = ElfFile64::<object::Endianness>::parse(file)?;
    let Some(section) = elf.section_by_name(SECTION) else {
        return Ok(Vec::new());
    };
    let range = section.address()..section.address() + section.size();
    let mut descriptors: BTreeMap<String, u64> = BTreeMap::new();
    let mut bodies: HashMap<String, Vec<(String, u64)>> = HashMap::new();
    for symbol in elf.symbols() {
        let Ok(name) = symbol.name() else { continue };
        if range.contains(&symbol.address()) {
            let path = hotswap_object::canonical_path(name);
            if let Some(path) = path.strip_suffix(DESCRIPTOR) {
                descriptors.insert(path.to_owned(), symbol.address());
            }
        } else if name.contains("9call_once") && symbol.is_definition() {
            let path = hotswap_object::canonical_path(name);
            if let Some(entry) = entry_of_body(&path) {
                let body = (name.to_owned(), symbol.address());
                bodies.entry(entry.to_owned()).or_default().push(body);
            }
        }
    }
    let signatures = Signatures::new(&elf, &range)?;
    let mut entries = Vec::new();
    for (path, descriptor) in descriptors {
        let found = bodies.remove(&path).unwrap_or_default();
        let (body_symbol, body) = match found.as_slice() {
            [one] => one,
            // A private function that nothing calls: the compiler left it out.
            [] => continue,
            many => bail!(several_bodies(&path, many.len())),
        };
        let signature = signatures.read(&elf, descriptor)?;
        let fingerprint = types
            .entry_signature(body_symbol, &signature)
            .with_context(|| format!("the signature of entry `{path}` is not understood"))?;
        entries.push(EntryFacts {
            path,
            descriptor,
            body: *body,
            body_symbol: body_symbol.clone(),
            signature,
            fingerprint: fingerprint.to_string(),
        });
    }
    Ok(entries)
}

fn several_bodies(path: &str, count: usize) -> String {
    format!(
        "entry `{path}` has {count} bodies, so it stands in a generic `impl`; one entry is one \
         function. Mark a function that is not generic and have it call this one"
    )
}

/// The entry whose body this is: the closure in the entry, as a plain function.
fn entry_of_body(path: &str) -> Option<&str> {
    let inner = path.strip_prefix('<')?.strip_suffix(">::call_once")?;
    let (closure, _) = inner.split_once(" as core::ops::function::FnOnce<")?;
    closure.strip_suffix("::{closure#0}")
}

/// Signature texts of descriptors: pointers in the file, which only relocations tell.
struct Signatures(HashMap<u64, u64>);

impl Signatures {
    fn new(elf: &ElfFile64<'_>, range: &std::ops::Range<u64>) -> Result<Self> {
        let mut pointers = HashMap::new();
        let relocations = elf
            .dynamic_relocations()
            .context("the file has no relocations")?;
        for (offset, relocation) in relocations {
            if range.contains(&offset) && relocation.target() == RelocationTarget::Absolute {
                pointers.insert(offset, relocation.addend() as u64);
            }
        }
        Ok(Self(pointers))
    }

    fn read(&self, elf: &ElfFile64<'_>, descriptor: u64) -> Result<String> {
        let damaged = || format!("the descriptor at {descriptor:#x} is not of this version");
        let start = *self
            .0
            .get(&(descriptor + SIGNATURE_START))
            .with_context(damaged)?;
        let length = bytes_at(elf, descriptor + SIGNATURE_LENGTH, 8).with_context(damaged)?;
        let length = u64::from_le_bytes(length.try_into()?);
        let text = bytes_at(elf, start, length).with_context(damaged)?;
        Ok(std::str::from_utf8(text).with_context(damaged)?.to_owned())
    }
}

/// The initialised bytes at a virtual address.
fn bytes_at<'a>(elf: &ElfFile64<'a>, address: u64, length: u64) -> Option<&'a [u8]> {
    let mut segments = elf.segments();
    segments.find_map(|segment| segment.data_range(address, length).ok().flatten())
}
