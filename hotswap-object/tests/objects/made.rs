//! Makes small objects, and reads relocations back.

use hotswap_object::{Binding, Bindings, rewrite};
use object::elf;
use object::read::elf::ElfFile64;
use object::read::{
    Object as _, ObjectSection as _, ObjectSymbol as _, RelocationFlags, RelocationTarget,
};
use object::write::{Object, Relocation, SectionId, Symbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
};

/// `lea S(%rip),%rdi; mov S+8(%rip),%ecx; lock incq S(%rip); ret` with the fields' offsets.
pub const CODE: &[u8] = &[
    0x48, 0x8d, 0x3d, 0, 0, 0, 0, 0x8b, 0x0d, 0, 0, 0, 0, 0xf0, 0x48, 0xff, 0x05, 0, 0, 0, 0, 0xc3,
];
pub const LEA: u64 = 3;
pub const LOAD: u64 = 9;
pub const INCREMENT: u64 = 17;

/// An object under construction.
pub struct Made(pub Object<'static>);

impl Made {
    pub fn new() -> Self {
        Self(Object::new(
            BinaryFormat::Elf,
            Architecture::X86_64,
            Endianness::Little,
        ))
    }

    pub fn section(&mut self, name: &str, kind: SectionKind, bytes: &[u8]) -> SectionId {
        let section = self
            .0
            .add_section(Vec::new(), name.as_bytes().to_vec(), kind);
        if kind.is_bss() {
            self.0.append_section_bss(section, bytes.len() as u64, 8);
        } else {
            self.0.append_section_data(section, bytes, 8);
        }
        section
    }

    pub fn symbol(
        &mut self,
        name: &str,
        kind: SymbolKind,
        scope: SymbolScope,
        place: SymbolSection,
        at: (u64, u64),
    ) -> SymbolId {
        self.0.add_symbol(Symbol {
            name: name.as_bytes().to_vec(),
            value: at.0,
            size: at.1,
            kind,
            scope,
            weak: false,
            section: place,
            flags: SymbolFlags::None,
        })
    }

    pub fn data(
        &mut self,
        name: &str,
        scope: SymbolScope,
        section: SectionId,
        at: (u64, u64),
    ) -> SymbolId {
        self.symbol(
            name,
            SymbolKind::Data,
            scope,
            SymbolSection::Section(section),
            at,
        )
    }

    pub fn relocate(
        &mut self,
        section: SectionId,
        offset: u64,
        symbol: SymbolId,
        kind: u32,
        addend: i64,
    ) {
        let flags = object::RelocationFlags::Elf { r_type: kind };
        self.0
            .add_relocation(
                section,
                Relocation {
                    offset,
                    symbol,
                    addend,
                    flags,
                },
            )
            .unwrap();
    }

    /// A text section with one function.
    pub fn text(&mut self, code: &[u8]) -> SectionId {
        let text = self.section(".text.f", SectionKind::Text, code);
        let place = SymbolSection::Section(text);
        self.symbol(
            "_RNvC1a1f",
            SymbolKind::Text,
            SymbolScope::Linkage,
            place,
            (0, code.len() as u64),
        );
        text
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.0.write().unwrap()
    }
}

pub fn bind(pairs: &[(&str, Binding)]) -> Bindings {
    let symbols = pairs
        .iter()
        .map(|(name, binding)| ((*name).to_owned(), binding.clone()))
        .collect();
    Bindings {
        symbols,
        ..Bindings::default()
    }
}

pub fn host(name: &str) -> Binding {
    Binding::Host {
        symbol: name.to_owned(),
    }
}

/// Relocations of a section as (offset, symbol or section name, type, addend).
pub fn relocations(bytes: &[u8], section: &str) -> Vec<(u64, String, u32, i64)> {
    let file = ElfFile64::<Endianness>::parse(bytes).unwrap();
    let section = file.section_by_name(section).unwrap();
    let mut found = Vec::new();
    for (offset, relocation) in section.relocations() {
        let RelocationFlags::Elf { r_type } = relocation.flags() else {
            unreachable!()
        };
        let name = match relocation.target() {
            RelocationTarget::Symbol(index) => {
                let symbol = file.symbol_by_index(index).unwrap();
                match symbol.name().unwrap() {
                    "" => file
                        .section_by_index(symbol.section_index().unwrap())
                        .unwrap()
                        .name()
                        .unwrap(),
                    name => name,
                }
                .to_owned()
            }
            _ => String::new(),
        };
        if r_type != elf::R_X86_64_NONE {
            found.push((offset, name, r_type, relocation.addend()));
        }
    }
    found
}

pub fn refusal(made: &Made, bindings: &Bindings) -> String {
    rewrite(&made.bytes(), bindings).unwrap_err().to_string()
}
