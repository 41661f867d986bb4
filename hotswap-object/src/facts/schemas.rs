//! What types say of themselves for migrations: texts in a section of their own.

use object::elf;
use serde::{Deserialize, Serialize};

use crate::elf::{Elf, Symbol, addend_of, offset_of, symbol_of, type_of};
use crate::error::ObjectError;
use crate::facts::function_name;
use crate::state::SCHEMA_SECTION;

/// Where a description holds its text's length, in bytes, after the pointer to it.
const LENGTH: u64 = 8;

/// Where the description of a function holds its address, in bytes.
const FUNCTION: u64 = 16;

/// The description of a type, of a function that makes values of one, or of one that runs at swaps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SchemaFacts {
    /// Symbol of the static that holds it.
    pub symbol: String,
    /// The description, one fact a line.
    pub text: String,
    /// Symbol of the function that is described, if it is one.
    pub function: Option<String>,
}

/// Reads what all types of an object say of themselves.
pub fn read(elf: &Elf<'_>) -> Result<Vec<SchemaFacts>, ObjectError> {
    texts(elf, SCHEMA_SECTION, "__HOTSWAP_SCHEMA")
}

/// Reads all texts in a section, which are in statics of this name.
pub fn texts(
    elf: &Elf<'_>,
    section_name: &str,
    name: &str,
) -> Result<Vec<SchemaFacts>, ObjectError> {
    let named = elf.symbols.iter().filter_map(|symbol| {
        let section = symbol.section?;
        let is_schema = elf.sections[section].name == section_name
            && !symbol.is_section()
            && symbol.name.contains(name);
        is_schema.then_some((symbol, section))
    });
    named
        .map(|(symbol, section)| one(elf, symbol, section))
        .collect()
}

fn one(elf: &Elf<'_>, symbol: &Symbol<'_>, section: usize) -> Result<SchemaFacts, ObjectError> {
    let damaged = || ObjectError::malformed(format!("the description {} is damaged", symbol.name));
    let pointer = elf.relocations_of(section)?.iter();
    let mut pointer = pointer.filter(|it| offset_of(it) == symbol.value);
    let pointer = pointer.next().filter(|it| type_of(it) == elf::R_X86_64_64);
    let pointer = pointer.ok_or_else(damaged)?;
    let target = elf.symbol(symbol_of(pointer))?;
    let start = target.value.wrapping_add_signed(addend_of(pointer));
    let length = range(elf.bytes(section)?, symbol.value.wrapping_add(LENGTH), 8);
    let length = length.and_then(|bytes| bytes.try_into().ok());
    let length = u64::from_le_bytes(length.ok_or_else(damaged)?);
    let text = elf.bytes(target.section.ok_or_else(damaged)?)?;
    let text = range(text, start, length).ok_or_else(damaged)?;
    let text = std::str::from_utf8(text).map_err(|_| damaged())?;
    let at = symbol.value.wrapping_add(FUNCTION);
    let inside = FUNCTION < symbol.size;
    let mut function = elf.relocations_of(section)?.iter();
    let function = function.find(|it| inside && offset_of(it) == at);
    let function = function.map(|it| function_name(elf, it).ok_or_else(damaged));
    Ok(SchemaFacts {
        symbol: symbol.name.to_owned(),
        text: text.to_owned(),
        function: function.transpose()?.map(str::to_owned),
    })
}

fn range(bytes: &[u8], start: u64, length: u64) -> Option<&[u8]> {
    let end = usize::try_from(start.checked_add(length)?).ok()?;
    bytes.get(usize::try_from(start).ok()?..end)
}
