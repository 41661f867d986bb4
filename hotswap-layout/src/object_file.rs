//! Sections, relocations and symbols of an object file, as far as debug information and vtables need them.

use std::borrow::Cow;
use std::collections::HashMap;

use object::read::{Object, ObjectSection, ObjectSymbol, RelocationTarget};
use object::{RelocationKind, SectionIndex, SectionKind, SymbolKind};

use crate::error::LayoutError;

const BITCODE: [&[u8]; 2] = [b"BC\xc0\xde", b"\xde\xc0\x17\x0b"];

/// Bytes before the first method of a vtable: drop function, size, alignment.
pub(crate) const VTABLE_HEADER_WORDS: u64 = 3;

/// An object file that was opened.
pub(crate) struct ObjectFile<'a> {
    file: object::File<'a>,
    debug_sections: Vec<(&'a str, SectionIndex)>,
    /// Functions by section and offset, made when first needed.
    functions: Option<HashMap<(SectionIndex, u64), &'a str>>,
}

/// A debug section with its relocations applied.
pub(crate) struct Section<'a> {
    pub(crate) bytes: Cow<'a, [u8]>,
    /// Where word-sized addresses were filled in.
    pub(crate) addresses: Addresses,
}

/// The places of a section that hold addresses, by offset.
#[derive(Default)]
pub(crate) struct Addresses(Vec<(u64, Address)>);

impl Addresses {
    pub(crate) fn at(&self, offset: u64) -> Option<Address> {
        let at = self
            .0
            .binary_search_by_key(&offset, |(place, _)| *place)
            .ok()?;
        Some(self.0[at].1)
    }
}

/// A place in a section of the object.
#[derive(Clone, Copy)]
pub(crate) struct Address {
    section: SectionIndex,
    offset: u64,
}

/// What a word of a vtable points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VtableWord<'a> {
    Function(&'a str),
    Data,
    Nothing,
}

impl<'a> ObjectFile<'a> {
    pub(crate) fn open(bytes: &'a [u8]) -> Result<ObjectFile<'a>, LayoutError> {
        if BITCODE.iter().any(|magic| bytes.starts_with(magic)) {
            return Err(LayoutError::Bitcode);
        }
        let file =
            object::File::parse(bytes).map_err(|error| LayoutError::Object(Box::new(error)))?;
        let debug_sections = file
            .sections()
            .filter_map(|section| Some((section.name().ok()?, section.index())))
            .filter(|(name, _)| name.starts_with(".debug_"))
            .collect();
        Ok(ObjectFile {
            file,
            debug_sections,
            functions: None,
        })
    }

    pub(crate) fn is_little_endian(&self) -> bool {
        self.file.is_little_endian()
    }

    pub(crate) fn word_bytes(&self) -> u64 {
        if self.file.is_64() { 8 } else { 4 }
    }

    fn section(&self, name: &str) -> Option<object::Section<'a, '_>> {
        let (_, index) = self
            .debug_sections
            .iter()
            .find(|(known, _)| *known == name)?;
        self.file.section_by_index(*index).ok()
    }

    /// The bytes of a debug section as they are; none if there is no such section.
    pub(crate) fn raw(&self, name: &str) -> Result<&'a [u8], LayoutError> {
        self.section(name).map_or(Ok(&[][..]), |section| {
            section
                .data()
                .map_err(|error| LayoutError::Object(Box::new(error)))
        })
    }

    /// A debug section with its relocations applied; empty if there is none.
    pub(crate) fn relocated(&self, name: &str) -> Result<Section<'a>, LayoutError> {
        let mut bytes = Cow::Borrowed(self.raw(name)?);
        let mut addresses = Vec::new();
        let Some(section) = self.section(name) else {
            return Ok(Section {
                bytes,
                addresses: Addresses::default(),
            });
        };
        let little = self.is_little_endian();
        for (offset, relocation) in section.relocations() {
            if relocation.kind() != RelocationKind::Absolute {
                continue;
            }
            let Some(target) = self.target(relocation.target(), relocation.addend()) else {
                continue;
            };
            let wide = relocation.size() == 64;
            let field = usize::try_from(offset)
                .ok()
                .and_then(|start| {
                    bytes
                        .to_mut()
                        .get_mut(start..start.checked_add(if wide { 8 } else { 4 })?)
                })
                .ok_or_else(|| LayoutError::Relocation {
                    section: name.to_owned(),
                    offset,
                })?;
            match (wide, little) {
                (true, true) => field.copy_from_slice(&target.offset.to_le_bytes()),
                (true, false) => field.copy_from_slice(&target.offset.to_be_bytes()),
                (false, true) => field.copy_from_slice(&(target.offset as u32).to_le_bytes()),
                (false, false) => field.copy_from_slice(&(target.offset as u32).to_be_bytes()),
            }
            if wide {
                addresses.push((offset, target));
            }
        }
        if !addresses.is_sorted_by_key(|(offset, _)| *offset) {
            addresses.sort_by_key(|(offset, _)| *offset);
        }
        Ok(Section {
            bytes,
            addresses: Addresses(addresses),
        })
    }

    fn target(&self, target: RelocationTarget, addend: i64) -> Option<Address> {
        match target {
            RelocationTarget::Symbol(index) => {
                let symbol = self.file.symbol_by_index(index).ok()?;
                Some(Address {
                    section: symbol.section_index()?,
                    offset: symbol.address().wrapping_add_signed(addend),
                })
            }
            RelocationTarget::Section(section) => Some(Address {
                section,
                offset: addend.cast_unsigned(),
            }),
            _ => None,
        }
    }

    /// The words of a vtable after its header, of `size` bytes in all.
    pub(crate) fn vtable(&mut self, address: Address, size: u64) -> Vec<VtableWord<'a>> {
        let word = self.word_bytes();
        let start = VTABLE_HEADER_WORDS * word;
        let mut words = vec![VtableWord::Nothing; (size.saturating_sub(start) / word) as usize];
        let Ok(section) = self.file.section_by_index(address.section) else {
            return Vec::new();
        };
        let relocations: Vec<_> = section
            .relocations()
            .filter_map(|(offset, relocation)| {
                let at = offset.checked_sub(address.offset)?.checked_sub(start)?;
                (at < size.saturating_sub(start)).then_some((at / word, relocation))
            })
            .collect();
        for (at, relocation) in relocations {
            if let Some(place) = words.get_mut(at as usize) {
                *place = self.pointee(relocation.target(), relocation.addend());
            }
        }
        words
    }

    fn pointee(&mut self, target: RelocationTarget, addend: i64) -> VtableWord<'a> {
        if let RelocationTarget::Symbol(index) = target
            && let Ok(symbol) = self.file.symbol_by_index(index)
            && symbol.kind() != SymbolKind::Section
        {
            let is_function = symbol.kind() == SymbolKind::Text || symbol.is_undefined();
            return match symbol.name() {
                Ok(name) if is_function && is_mangled(name) => VtableWord::Function(name),
                _ => VtableWord::Data,
            };
        }
        let Some(address) = self.target(target, addend) else {
            return VtableWord::Data;
        };
        let is_text = self
            .file
            .section_by_index(address.section)
            .is_ok_and(|section| section.kind() == SectionKind::Text);
        if !is_text {
            return VtableWord::Data;
        }
        self.function_at(address)
            .map_or(VtableWord::Data, VtableWord::Function)
    }

    fn function_at(&mut self, address: Address) -> Option<&'a str> {
        let file = &self.file;
        let functions = self.functions.get_or_insert_with(|| {
            file.symbols()
                .filter(|symbol| symbol.kind() == SymbolKind::Text)
                .filter_map(|symbol| {
                    Some((
                        (symbol.section_index()?, symbol.address()),
                        symbol.name().ok()?,
                    ))
                })
                .collect()
        });
        functions.get(&(address.section, address.offset)).copied()
    }
}

fn is_mangled(name: &str) -> bool {
    name.starts_with("_R") || name.starts_with("_ZN")
}
