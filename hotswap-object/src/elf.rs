//! Reading of ELF objects: sections, symbols and relocations as plain values.

pub mod patch;
pub mod rebuild;

use object::LittleEndian;
use object::elf::{self, FileHeader64, Rela64, Sym64};
use object::endian::{I64, U64};
use object::read::elf::{FileHeader as _, SectionHeader as _, SectionTable, Sym as _, SymbolTable};

use crate::error::ObjectError;

const ENDIAN: LittleEndian = LittleEndian;

/// Relocation with addend.
pub type Rela = Rela64<LittleEndian>;

/// A section header with its name.
#[derive(Debug, Clone, Copy)]
pub struct Section<'data> {
    pub name: &'data str,
    pub kind: u32,
    pub flags: u64,
    pub offset: u64,
    pub size: u64,
    pub link: u32,
    pub info: u32,
    pub align: u64,
    pub entry_size: u64,
}

/// A symbol with its section index resolved.
#[derive(Debug, Clone, Copy)]
pub struct Symbol<'data> {
    pub name: &'data str,
    pub kind: u8,
    pub binding: u8,
    pub visibility: u8,
    /// Section that defines the symbol; `None` for undefined, absolute and common ones.
    pub section: Option<usize>,
    pub defined: bool,
    pub value: u64,
    pub size: u64,
}

impl Symbol<'_> {
    /// Whether only its own object sees the symbol.
    pub fn is_local(&self) -> bool {
        self.binding == elf::STB_LOCAL
    }

    /// Whether the symbol stands for a section's start.
    pub fn is_section(&self) -> bool {
        self.kind == elf::STT_SECTION
    }
}

/// A parsed ELF file that borrows its bytes.
#[derive(Debug)]
pub struct Elf<'data> {
    pub data: &'data [u8],
    pub header_offset: u64,
    pub sections: Vec<Section<'data>>,
    pub symbols: Vec<Symbol<'data>>,
    /// Index of the symbol table's section, if there is one.
    pub symbol_table: Option<usize>,
    /// Index of the section with extended section indices, if there is one.
    pub extended_indices: Option<usize>,
    /// For each section the section that holds its relocations.
    pub relocations: Vec<Option<usize>>,
}

impl<'data> Elf<'data> {
    /// Parses a relocatable object.
    pub fn object(data: &'data [u8]) -> Result<Self, ObjectError> {
        if data.starts_with(b"BC\xc0\xde") || data.starts_with(&0x0B17_C0DE_u32.to_le_bytes()) {
            return Err(ObjectError::Bitcode);
        }
        Self::parse(data, &[elf::ET_REL], elf::SHT_SYMTAB)
    }

    /// Parses a file of one of the given types with the given kind of symbol table.
    pub fn parse(data: &'data [u8], types: &[u16], table: u32) -> Result<Self, ObjectError> {
        let header = FileHeader64::<LittleEndian>::parse(data)
            .map_err(|error| ObjectError::Unsupported(error.to_string()))?;
        let kind = header.e_type.get(ENDIAN);
        let machine = header.e_machine.get(ENDIAN);
        if header.e_ident.data != elf::ELFDATA2LSB || machine != elf::EM_X86_64 {
            return Err(ObjectError::Unsupported(format!("machine {machine}")));
        }
        if !types.contains(&kind) {
            return Err(ObjectError::Unsupported(format!("file type {kind}")));
        }
        let headers = header.sections(ENDIAN, data)?;
        let sections = read_sections(&headers)?;
        let symbols = headers.symbols(ENDIAN, data, table)?;
        let mut file = Self {
            data,
            header_offset: header.e_shoff.get(ENDIAN),
            relocations: vec![None; sections.len()],
            symbols: read_symbols(&symbols, sections.len())?,
            sections,
            symbol_table: None,
            extended_indices: None,
        };
        if !symbols.is_empty() {
            file.symbol_table = Some(symbols.section().0);
            file.extended_indices = Some(symbols.shndx_section().0).filter(|index| *index != 0);
        }
        file.index_relocations()?;
        Ok(file)
    }

    fn index_relocations(&mut self) -> Result<(), ObjectError> {
        let Some(table) = self.symbol_table else {
            return Ok(());
        };
        for index in 0..self.sections.len() {
            let section = &self.sections[index];
            if section.link as usize != table {
                continue;
            }
            match section.kind {
                elf::SHT_RELA => {}
                elf::SHT_REL => {
                    return Err(ObjectError::malformed(
                        "relocations without addends on x86_64",
                    ));
                }
                _ => continue,
            }
            let target = section.info as usize;
            if target == 0 {
                continue;
            }
            match self.relocations.get_mut(target) {
                Some(slot @ None) => *slot = Some(index),
                Some(Some(_)) => {
                    return Err(ObjectError::malformed(
                        "a section with two relocation tables",
                    ));
                }
                None => return Err(ObjectError::malformed("relocations of no section")),
            }
        }
        Ok(())
    }

    /// The bytes of a section; empty for those that occupy none in the file.
    pub fn bytes(&self, index: usize) -> Result<&'data [u8], ObjectError> {
        let section = self
            .sections
            .get(index)
            .ok_or_else(|| ObjectError::malformed("no such section"))?;
        if section.kind == elf::SHT_NOBITS {
            return Ok(&[]);
        }
        let start = usize::try_from(section.offset).ok();
        let end = section
            .offset
            .checked_add(section.size)
            .and_then(|end| usize::try_from(end).ok());
        start
            .zip(end)
            .and_then(|(start, end)| self.data.get(start..end))
            .ok_or_else(|| {
                ObjectError::malformed(format!("section {} exceeds the file", section.name))
            })
    }

    /// The relocations that apply to a section.
    pub fn relocations_of(&self, index: usize) -> Result<&'data [Rela], ObjectError> {
        match self.relocations.get(index).copied().flatten() {
            Some(table) => self.relocation_table(table),
            None => Ok(&[]),
        }
    }

    /// The relocations that a section holds.
    pub fn relocation_table(&self, table: usize) -> Result<&'data [Rela], ObjectError> {
        let bytes = self.bytes(table)?;
        let count = bytes.len() / size_of::<Rela>();
        let (entries, _) = object::pod::slice_from_bytes::<Rela>(bytes, count)
            .map_err(|()| ObjectError::malformed("misaligned relocations"))?;
        Ok(entries)
    }

    /// The symbol a relocation names.
    pub fn symbol(&self, index: usize) -> Result<&Symbol<'data>, ObjectError> {
        self.symbols
            .get(index)
            .ok_or_else(|| ObjectError::malformed("relocation against a symbol that isn't there"))
    }

    /// A symbol's name, or its section's for a section symbol.
    pub fn symbol_name(&self, index: usize) -> &'data str {
        let Some(symbol) = self.symbols.get(index) else {
            return "";
        };
        match symbol.section {
            Some(section) if symbol.name.is_empty() => self.sections[section].name,
            _ => symbol.name,
        }
    }
}

/// Size of a symbol in the table.
pub const SYMBOL_SIZE: usize = size_of::<Sym64<LittleEndian>>();

/// Symbol index of a relocation.
pub fn symbol_of(relocation: &Rela) -> usize {
    relocation.r_sym(ENDIAN, false) as usize
}

/// Type of a relocation.
pub fn type_of(relocation: &Rela) -> u32 {
    relocation.r_type(ENDIAN, false)
}

/// Offset of a relocation.
pub fn offset_of(relocation: &Rela) -> u64 {
    relocation.r_offset.get(ENDIAN)
}

/// Addend of a relocation.
pub fn addend_of(relocation: &Rela) -> i64 {
    relocation.r_addend.get(ENDIAN)
}

/// The same relocation of another place, and with another addend if one is given.
pub fn moved(relocation: &Rela, offset: u64, addend: Option<i64>) -> Rela {
    let addend = addend.unwrap_or_else(|| addend_of(relocation));
    Rela {
        r_offset: U64::new(ENDIAN, offset),
        r_info: relocation.r_info,
        r_addend: I64::new(ENDIAN, addend),
    }
}

fn read_sections<'data>(
    headers: &SectionTable<'data, FileHeader64<LittleEndian>>,
) -> Result<Vec<Section<'data>>, ObjectError> {
    let mut sections = Vec::with_capacity(headers.len());
    for section in headers.iter() {
        sections.push(Section {
            name: text(headers.section_name(ENDIAN, section)?)?,
            kind: section.sh_type(ENDIAN),
            flags: section.sh_flags(ENDIAN),
            offset: section.sh_offset(ENDIAN),
            size: section.sh_size(ENDIAN),
            link: section.sh_link(ENDIAN),
            info: section.sh_info(ENDIAN),
            align: section.sh_addralign(ENDIAN),
            entry_size: section.sh_entsize(ENDIAN),
        });
    }
    Ok(sections)
}

fn read_symbols<'data>(
    table: &SymbolTable<'data, FileHeader64<LittleEndian>>,
    sections: usize,
) -> Result<Vec<Symbol<'data>>, ObjectError> {
    let mut symbols = Vec::with_capacity(table.len());
    for (index, symbol) in table.enumerate() {
        let section = table.symbol_section(ENDIAN, symbol, index)?;
        if section.is_some_and(|section| section.0 >= sections) {
            return Err(ObjectError::malformed(
                "symbol in a section that isn't there",
            ));
        }
        symbols.push(Symbol {
            name: text(table.symbol_name(ENDIAN, symbol)?)?,
            kind: symbol.st_type(),
            binding: symbol.st_bind(),
            visibility: symbol.st_visibility(),
            section: section.map(|section| section.0),
            defined: !symbol.is_undefined(ENDIAN),
            value: symbol.st_value(ENDIAN),
            size: symbol.st_size(ENDIAN),
        });
    }
    Ok(symbols)
}

fn text(bytes: &[u8]) -> Result<&str, ObjectError> {
    std::str::from_utf8(bytes).map_err(|_| ObjectError::malformed("a name that isn't UTF-8"))
}
