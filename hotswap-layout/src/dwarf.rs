//! Reads types, signatures, statics and vtables out of an object's debug information. The only file that knows `gimli`.

use std::collections::BTreeSet;

use gimli::constants as dw;
use gimli::{
    AttributeValue, DebugAbbrev, DebugInfo, DebugLineStr, DebugStr, DebugStrOffsets,
    DebugStrOffsetsBase, EndianSlice, Reader as _, RunTimeEndian, Section as _, UnitHeader,
};

use crate::attributes::{Attributes, Location, Tag, Text};
use crate::entries::Entries;
use crate::error::LayoutError;
use crate::graph::{Kind, ObjectTypes};
use crate::hash::QuickMap;
use crate::object_file::{ObjectFile, Section};

type Bytes<'a> = EndianSlice<'a, RunTimeEndian>;

impl From<gimli::Error> for LayoutError {
    fn from(error: gimli::Error) -> LayoutError {
        LayoutError::Dwarf(Box::new(error))
    }
}

/// Reads the type facts of one unlinked object file that was compiled with `-C debuginfo=2` and v0 mangling.
///
/// # Errors
///
/// If the bytes are no object file, or the debug information is malformed. An object without debug information gives an
/// empty result.
pub fn read_object(object: &[u8]) -> Result<ObjectTypes, LayoutError> {
    let mut file = ObjectFile::open(object)?;
    let info = file.relocated(".debug_info")?;
    let offsets = file.relocated(".debug_str_offsets")?;
    let addresses = file.relocated(".debug_addr")?;
    let sections = Sections::of(&file, &info, &offsets)?;
    let mut reader = Reader::new(&sections, file.word_bytes());
    let debug_info = DebugInfo::from(sections.info);
    let mut units = debug_info.units();
    while let Some(unit) = units.next()? {
        reader.unit(&unit)?;
    }
    Ok(reader
        .entries
        .finish(&mut file, &info.addresses, &addresses.addresses))
}

struct Sections<'a> {
    info: Bytes<'a>,
    abbrev: DebugAbbrev<Bytes<'a>>,
    strings: DebugStr<Bytes<'a>>,
    line_strings: DebugLineStr<Bytes<'a>>,
    string_offsets: DebugStrOffsets<Bytes<'a>>,
}

/// The functions of an object whose code holds that of others: pairs of mangled names, caller and callee.
///
/// # Errors
///
/// As for [`read_object`].
pub fn inlined(object: &[u8]) -> Result<Vec<(String, String)>, LayoutError> {
    let file = ObjectFile::open(object)?;
    let info = file.relocated(".debug_info")?;
    let offsets = file.relocated(".debug_str_offsets")?;
    let sections = Sections::of(&file, &info, &offsets)?;
    let mut reader = Reader::new(&sections, file.word_bytes());
    let mut calls = Calls::default();
    let debug_info = DebugInfo::from(sections.info);
    let mut units = debug_info.units();
    while let Some(unit) = units.next()? {
        reader.calls(&unit, &mut calls)?;
    }
    Ok(calls.named())
}

/// Functions by the offsets of their entries.
#[derive(Default)]
struct Calls<'a> {
    names: QuickMap<u32, Text<'a>>,
    /// From an entry to the one that declares the same function.
    origins: QuickMap<u32, u32>,
    inlined: Vec<(u32, u32)>,
}

impl Calls<'_> {
    fn name(&self, mut entry: u32) -> Option<String> {
        // An inlined one leads to what it is an instance of, and that to its declaration.
        for _ in 0..4 {
            if let Some(name) = self.names.get(&entry) {
                return Some(String::from_utf8_lossy(name.bytes()).into_owned());
            }
            entry = *self.origins.get(&entry)?;
        }
        None
    }

    fn named(self) -> Vec<(String, String)> {
        let pairs = self.inlined.iter();
        let pairs = pairs.filter_map(|(into, what)| self.name(*into).zip(self.name(*what)));
        let pairs: BTreeSet<_> = pairs.collect();
        pairs.into_iter().collect()
    }
}

impl<'a> Sections<'a> {
    fn of(
        file: &ObjectFile<'a>,
        info: &'a Section<'a>,
        offsets: &'a Section<'a>,
    ) -> Result<Sections<'a>, LayoutError> {
        if u32::try_from(info.bytes.len()).is_err() {
            return Err(LayoutError::TooLarge(info.bytes.len()));
        }
        let endian = if file.is_little_endian() {
            RunTimeEndian::Little
        } else {
            RunTimeEndian::Big
        };
        Ok(Sections {
            info: EndianSlice::new(&info.bytes, endian),
            abbrev: DebugAbbrev::new(file.raw(".debug_abbrev")?, endian),
            strings: DebugStr::new(file.raw(".debug_str")?, endian),
            line_strings: DebugLineStr::new(file.raw(".debug_line_str")?, endian),
            string_offsets: DebugStrOffsets::from(EndianSlice::new(&offsets.bytes, endian)),
        })
    }
}

struct Reader<'a, 's> {
    sections: &'s Sections<'a>,
    entries: Entries,
    unit_start: usize,
    format: gimli::Format,
    string_offsets_base: usize,
    address_base: u64,
    word_bytes: u64,
}

impl<'a, 's> Reader<'a, 's> {
    fn new(sections: &'s Sections<'a>, word_bytes: u64) -> Reader<'a, 's> {
        Reader {
            sections,
            entries: Entries::new(),
            unit_start: 0,
            format: gimli::Format::Dwarf32,
            string_offsets_base: 8,
            address_base: 8,
            word_bytes,
        }
    }

    fn unit(&mut self, unit: &UnitHeader<Bytes<'a>>) -> Result<(), LayoutError> {
        self.unit_start = unit.debug_info_offset().map_or(0, |offset| offset.0);
        self.format = unit.format();
        let abbreviations = unit.abbreviations(&self.sections.abbrev)?;
        let mut raw = unit.entries_raw(&abbreviations, None)?;
        while !raw.is_empty() {
            let depth = usize::try_from(raw.next_depth()).unwrap_or(0);
            let offset = (self.unit_start + raw.next_offset().0) as u32;
            let Some(abbreviation) = raw.read_abbreviation()? else {
                continue;
            };
            let (tag, specs) = (tag(abbreviation.tag()), abbreviation.attributes());
            self.entries.at_depth(depth);
            if self.entries.wants(tag) {
                let mut attributes = Attributes::default();
                for spec in specs {
                    let attribute = raw.read_attribute(*spec)?;
                    self.attribute(&mut attributes, attribute.name(), attribute.raw_value());
                }
                self.entries
                    .take(depth, tag, offset, &attributes, abbreviation.has_children());
            } else {
                raw.skip_attributes(specs)?;
                if abbreviation.has_children() {
                    self.entries.skip(depth);
                }
            }
        }
        Ok(())
    }

    /// Collects the functions of a unit and what is inlined in each.
    fn calls(
        &mut self,
        unit: &UnitHeader<Bytes<'a>>,
        calls: &mut Calls<'a>,
    ) -> Result<(), LayoutError> {
        self.unit_start = unit.debug_info_offset().map_or(0, |offset| offset.0);
        self.format = unit.format();
        let abbreviations = unit.abbreviations(&self.sections.abbrev)?;
        let mut raw = unit.entries_raw(&abbreviations, None)?;
        // The depth of the function that is read, and its entry.
        let mut function = (isize::MAX, 0);
        while !raw.is_empty() {
            let depth = raw.next_depth();
            let entry = (self.unit_start + raw.next_offset().0) as u32;
            let Some(abbreviation) = raw.read_abbreviation()? else {
                continue;
            };
            let (tag, specs) = (abbreviation.tag(), abbreviation.attributes());
            let is_function = tag == dw::DW_TAG_subprogram;
            if depth <= function.0 {
                function = (isize::MAX, 0);
            }
            if is_function {
                function = (depth, entry);
            } else if !matches!(tag, dw::DW_TAG_inlined_subroutine | dw::DW_TAG_compile_unit) {
                raw.skip_attributes(specs)?;
                continue;
            }
            for spec in specs {
                let attribute = raw.read_attribute(*spec)?;
                let value = attribute.raw_value();
                match attribute.name() {
                    dw::DW_AT_linkage_name if is_function => {
                        calls
                            .names
                            .extend(self.text(value).map(|name| (entry, name)));
                    }
                    dw::DW_AT_abstract_origin | dw::DW_AT_specification => {
                        let origin = self.reference(value).unwrap_or(entry);
                        calls.origins.insert(entry, origin);
                        if !is_function {
                            calls.inlined.push((function.1, entry));
                        }
                    }
                    dw::DW_AT_str_offsets_base => {
                        self.string_offsets_base = section_offset(&value).unwrap_or(8);
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn attribute(
        &mut self,
        into: &mut Attributes<'a>,
        name: gimli::DwAt,
        value: AttributeValue<Bytes<'a>>,
    ) {
        match name {
            dw::DW_AT_name => into.name = self.text(value),
            dw::DW_AT_linkage_name => into.linkage = self.text(value),
            dw::DW_AT_type => into.target = self.reference(value),
            dw::DW_AT_containing_type => into.containing = self.reference(value),
            dw::DW_AT_byte_size => into.size = number(&value).and_then(|size| size.try_into().ok()),
            dw::DW_AT_alignment => {
                into.align = number(&value)
                    .and_then(|align| align.try_into().ok())
                    .unwrap_or(0)
            }
            dw::DW_AT_data_member_location
            | dw::DW_AT_discr_value
            | dw::DW_AT_const_value
            | dw::DW_AT_count => {
                into.value = number(&value);
            }
            dw::DW_AT_upper_bound if into.value.is_none() => {
                into.value = number(&value).map(|bound| bound + 1)
            }
            dw::DW_AT_declaration => into.declaration = true,
            dw::DW_AT_location => into.location = self.location(value),
            dw::DW_AT_str_offsets_base => {
                self.string_offsets_base = section_offset(&value).unwrap_or(8)
            }
            dw::DW_AT_addr_base => self.address_base = section_offset(&value).unwrap_or(8) as u64,
            _ => {}
        }
    }

    fn text(&self, value: AttributeValue<Bytes<'a>>) -> Option<Text<'a>> {
        let at = |offset: usize| {
            let mut bytes = self.sections.strings.reader().to_owned();
            bytes.skip(offset).ok()?;
            Some(Text {
                bytes: bytes.slice(),
                offset: Some(offset),
            })
        };
        let index = |index| {
            let base = DebugStrOffsetsBase(self.string_offsets_base);
            let offsets = &self.sections.string_offsets;
            at(offsets.get_str_offset(self.format, base, index).ok()?.0)
        };
        match value {
            AttributeValue::DebugStrRef(offset) => at(offset.0),
            AttributeValue::DebugStrOffsetsIndex(number) => index(number),
            AttributeValue::DebugLineStrRef(offset) => Some(Text {
                bytes: self.sections.line_strings.get_str(offset).ok()?.slice(),
                offset: None,
            }),
            AttributeValue::String(bytes) => Some(Text {
                bytes: bytes.slice(),
                offset: None,
            }),
            _ => None,
        }
    }

    fn reference(&self, value: AttributeValue<Bytes<'a>>) -> Option<u32> {
        match value {
            AttributeValue::UnitRef(offset) => Some((self.unit_start + offset.0) as u32),
            AttributeValue::DebugInfoRef(offset) => Some(offset.0 as u32),
            _ => None,
        }
    }

    /// Where the address of a variable at a fixed place stands.
    fn location(&self, value: AttributeValue<Bytes<'a>>) -> Option<Location> {
        let mut expression = match value {
            AttributeValue::Exprloc(expression) => expression.0,
            AttributeValue::Block(bytes) => bytes,
            _ => return None,
        };
        match gimli::DwOp(expression.read_u8().ok()?) {
            dw::DW_OP_addr => Some(Location::Info(
                expression.offset_from(self.sections.info) as u64
            )),
            dw::DW_OP_addrx => {
                let index = expression.read_uleb128().ok()?;
                Some(Location::Table(
                    self.address_base
                        .checked_add(index.checked_mul(self.word_bytes)?)?,
                ))
            }
            _ => None,
        }
    }
}

fn tag(tag: gimli::DwTag) -> Tag {
    match tag {
        dw::DW_TAG_compile_unit => Tag::Unit,
        dw::DW_TAG_namespace | dw::DW_TAG_module => Tag::Namespace,
        dw::DW_TAG_structure_type | dw::DW_TAG_class_type => Tag::Type(Kind::Struct),
        dw::DW_TAG_union_type => Tag::Type(Kind::Union),
        dw::DW_TAG_enumeration_type => Tag::Type(Kind::Enumeration),
        dw::DW_TAG_pointer_type => Tag::Type(Kind::Pointer),
        dw::DW_TAG_array_type => Tag::Type(Kind::Array),
        dw::DW_TAG_subroutine_type => Tag::Type(Kind::Function),
        dw::DW_TAG_base_type
        | dw::DW_TAG_unspecified_type
        | dw::DW_TAG_typedef
        | dw::DW_TAG_const_type
        | dw::DW_TAG_volatile_type
        | dw::DW_TAG_restrict_type
        | dw::DW_TAG_reference_type
        | dw::DW_TAG_rvalue_reference_type => Tag::Type(Kind::Base),
        dw::DW_TAG_member => Tag::Member,
        dw::DW_TAG_enumerator => Tag::Enumerator,
        dw::DW_TAG_subrange_type => Tag::Range,
        dw::DW_TAG_variant_part => Tag::Variants,
        dw::DW_TAG_variant => Tag::Variant,
        dw::DW_TAG_template_type_parameter => Tag::Argument,
        dw::DW_TAG_subprogram => Tag::Function,
        dw::DW_TAG_formal_parameter => Tag::Parameter,
        dw::DW_TAG_variable => Tag::Variable,
        _ => Tag::Code,
    }
}

fn number(value: &AttributeValue<Bytes<'_>>) -> Option<i128> {
    Some(match value {
        AttributeValue::Data1(value) => i128::from(*value),
        AttributeValue::Data2(value) => i128::from(*value),
        AttributeValue::Data4(value) => i128::from(*value),
        AttributeValue::Data8(value) | AttributeValue::Udata(value) => i128::from(*value),
        AttributeValue::Data16(value) => value.cast_signed(),
        AttributeValue::Sdata(value) => i128::from(*value),
        AttributeValue::Block(bytes) => {
            let bytes = bytes.slice();
            let mut wide = [0; 16];
            wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
            i128::from_le_bytes(wide)
        }
        _ => return None,
    })
}

fn section_offset(value: &AttributeValue<Bytes<'_>>) -> Option<usize> {
    match value {
        AttributeValue::SecOffset(offset) => Some(*offset),
        AttributeValue::DebugStrOffsetsBase(base) => Some(base.0),
        AttributeValue::DebugAddrBase(base) => Some(base.0),
        _ => None,
    }
}
