//! Reads the units of `.debug_info`, as far as functions and inlined calls go.

use super::abbreviations::{Cursor, Form, Shape, shapes};
use crate::elf::{Rela, addend_of, offset_of};

const TAG_UNIT: u64 = 0x11;
const TAG_INLINED: u64 = 0x1d;
const TAG_FUNCTION: u64 = 0x2e;

const NAME: u64 = 0x03;
const LINES: u64 = 0x10;
const LOW: u64 = 0x11;
const HIGH: u64 = 0x12;
const LANGUAGE: u64 = 0x13;
const FOLDER: u64 = 0x1b;
const ORIGIN: u64 = 0x31;
const SPECIFICATION: u64 = 0x47;
const RANGES: u64 = 0x55;
const CALL_COLUMN: u64 = 0x57;
const CALL_FILE: u64 = 0x58;
const CALL_LINE: u64 = 0x59;
const LINKAGE_NAME: u64 = 0x6e;

/// More shapes of one origin in another than this are a circle.
const MAX_ORIGINS: usize = 16;

/// What debug information is read from.
#[derive(Debug, Clone, Copy)]
pub struct Sections<'data> {
    pub info: &'data [u8],
    /// Those of `info`, in order.
    pub relocations: &'data [Rela],
    pub abbreviations: &'data [u8],
    pub strings: &'data [u8],
}

impl<'data> Sections<'data> {
    /// The relocation of this place.
    pub fn relocation(&self, at: usize) -> Option<&'data Rela> {
        let found = self
            .relocations
            .binary_search_by_key(&(at as u64), offset_of);
        found.ok().map(|index| &self.relocations[index])
    }

    /// What stands at a place that is the linker's to fill: the number that it adds to the start
    /// of a section.
    fn offset(&self, at: usize) -> Option<usize> {
        usize::try_from(addend_of(self.relocation(at)?)).ok()
    }

    fn string(&self, at: usize) -> Option<&'data [u8]> {
        let mut cursor = Cursor {
            data: self.strings,
            at: self.offset(at)?,
        };
        cursor.text()
    }
}

/// Where code lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// From an address, which stands here, on, for so many bytes.
    Range { low: usize, length: u64 },
    /// At several ranges: the place of the number of their list.
    Ranges(usize),
}

/// A compilation unit.
#[derive(Debug, Default)]
pub struct Unit<'data> {
    /// The place of its abbreviations' number in the header.
    pub abbreviations: usize,
    pub language: u64,
    pub name: &'data [u8],
    pub folder: &'data [u8],
    /// The place of the number of its lines.
    pub lines: Option<usize>,
    pub code: Option<Code>,
    pub functions: Vec<Function<'data>>,
}

/// A function, or a call that was inlined.
#[derive(Debug)]
pub struct Function<'data> {
    /// Its place in the unit, by which others refer to it.
    at: usize,
    /// The function that it stands in, if it is an inlined call.
    pub inlined_in: Option<usize>,
    pub name: Option<&'data [u8]>,
    origin: Option<usize>,
    pub code: Option<Code>,
    /// File, line and column of an inlined call.
    pub call: [u64; 3],
}

impl<'data> Unit<'data> {
    /// The name of a function: its own, or that of what it is an instance of.
    pub fn name_of(&self, function: &Function<'data>) -> Option<&'data [u8]> {
        let mut function = function;
        for _ in 0..MAX_ORIGINS {
            if let Some(name) = function.name {
                return Some(name);
            }
            let origin = function.origin?;
            let found = self.functions.binary_search_by_key(&origin, |one| one.at);
            function = &self.functions[found.ok()?];
        }
        None
    }
}

/// All units; `None` if there is something that rustc does not write.
pub fn units<'data>(sections: &Sections<'data>) -> Option<Vec<Unit<'data>>> {
    if !sections.relocations.is_sorted_by_key(offset_of) {
        return None;
    }
    let mut cursor = Cursor {
        data: sections.info,
        at: 0,
    };
    let mut units = Vec::new();
    while cursor.at < sections.info.len() {
        units.push(unit(sections, &mut cursor)?);
    }
    Some(units)
}

fn unit<'data>(sections: &Sections<'data>, cursor: &mut Cursor<'data>) -> Option<Unit<'data>> {
    let start = cursor.at;
    let length = cursor.number(4)?;
    // What is longer has another form.
    let end = (length < 0xffff_fff0).then_some(cursor.at + length as usize)?;
    let version = cursor.number(2)?;
    let mut unit = Unit {
        abbreviations: cursor.at,
        ..Unit::default()
    };
    let offset = sections.offset(cursor.at)?;
    cursor.take(4)?;
    if version != 4 || cursor.number(1)? != 8 || end > cursor.data.len() {
        return None;
    }
    let shapes = shapes(sections.abbreviations, offset)?;
    let first = usize::try_from(cursor.leb128()?).ok()?;
    let root = shapes.get(first.checked_sub(1)?)?;
    if root.tag != TAG_UNIT {
        return None;
    }
    read_root(sections, root, cursor, &mut unit)?;
    // Without inlined calls there is nothing to keep, and nothing to look for.
    if root.has_children && shapes.iter().any(|shape| shape.tag == TAG_INLINED) {
        read_functions(sections, &shapes, cursor, start, &mut unit)?;
    }
    cursor.at = end;
    Some(unit)
}

fn read_root<'data>(
    sections: &Sections<'data>,
    shape: &Shape,
    cursor: &mut Cursor<'data>,
    unit: &mut Unit<'data>,
) -> Option<()> {
    let mut code = CodeParts::default();
    for &(attribute, form) in &shape.attributes {
        let at = cursor.at;
        match attribute {
            NAME => unit.name = text(sections, form, cursor)?,
            FOLDER => unit.folder = text(sections, form, cursor)?,
            LANGUAGE => unit.language = number(form, cursor)?,
            LINES if form == Form::SectionOffset => {
                unit.lines = Some(at);
                form.skip(cursor)?;
            }
            LOW | HIGH | RANGES => code.read(attribute, form, cursor)?,
            _ => form.skip(cursor)?,
        }
    }
    // Ranges that are counted from an address of the linker's would need that too.
    if let (Some(low), Some(_)) = (code.low, code.ranges)
        && sections.relocation(low).is_some()
    {
        return None;
    }
    unit.code = code.code(sections);
    Some(())
}

/// Reads the functions of a unit, with the calls that were inlined into them.
fn read_functions<'data>(
    sections: &Sections<'data>,
    shapes: &[Shape],
    cursor: &mut Cursor<'data>,
    start: usize,
    unit: &mut Unit<'data>,
) -> Option<()> {
    // For each entry around the cursor the function that it is, or that it stands in.
    let mut around: Vec<Option<usize>> = vec![None];
    while let Some(&inside) = around.last() {
        let at = cursor.at;
        let number = usize::try_from(cursor.leb128()?).ok()?;
        if number == 0 {
            around.pop();
            continue;
        }
        let shape = shapes.get(number - 1)?;
        let mut inner = inside;
        if matches!(shape.tag, TAG_FUNCTION | TAG_INLINED) {
            inner = Some(unit.functions.len());
            let mut function = read_function(sections, shape, cursor)?;
            function.at = at - start;
            if shape.tag == TAG_INLINED {
                function.inlined_in = Some(inside?);
            }
            unit.functions.push(function);
        } else {
            shape.skip(cursor)?;
        }
        if shape.has_children {
            around.push(inner);
        }
    }
    Some(())
}

fn read_function<'data>(
    sections: &Sections<'data>,
    shape: &Shape,
    cursor: &mut Cursor<'data>,
) -> Option<Function<'data>> {
    let mut function = Function {
        at: 0,
        inlined_in: None,
        name: None,
        origin: None,
        code: None,
        call: [0; 3],
    };
    let (mut code, mut plain) = (CodeParts::default(), None);
    for &(attribute, form) in &shape.attributes {
        match attribute {
            LINKAGE_NAME => function.name = Some(text(sections, form, cursor)?),
            NAME => plain = Some(text(sections, form, cursor)?),
            ORIGIN | SPECIFICATION if form == Form::Reference => {
                function.origin = usize::try_from(cursor.number(4)?).ok();
            }
            CALL_FILE => function.call[0] = number(form, cursor)?,
            CALL_LINE => function.call[1] = number(form, cursor)?,
            CALL_COLUMN => function.call[2] = number(form, cursor)?,
            LOW | HIGH | RANGES => code.read(attribute, form, cursor)?,
            _ => form.skip(cursor)?,
        }
    }
    function.name = function.name.or(plain);
    function.code = code.code(sections);
    Some(function)
}

/// The attributes that tell where code lies, as they come.
#[derive(Default)]
struct CodeParts {
    low: Option<usize>,
    length: Option<u64>,
    ranges: Option<usize>,
}

impl CodeParts {
    fn read(&mut self, attribute: u64, form: Form, cursor: &mut Cursor<'_>) -> Option<()> {
        let at = cursor.at;
        match (attribute, form) {
            (LOW, Form::Address) => self.low = Some(at),
            (RANGES, Form::SectionOffset) => self.ranges = Some(at),
            (HIGH, _) => {
                self.length = Some(number(form, cursor)?);
                return Some(());
            }
            _ => return None,
        }
        form.skip(cursor)
    }

    /// A unit of several ranges has an address too, which is zero and so not the linker's.
    fn code(&self, sections: &Sections<'_>) -> Option<Code> {
        if let Some(ranges) = self.ranges {
            return Some(Code::Ranges(ranges));
        }
        let low = self.low.filter(|at| sections.relocation(*at).is_some())?;
        Some(Code::Range {
            low,
            length: self.length?,
        })
    }
}

fn text<'data>(
    sections: &Sections<'data>,
    form: Form,
    cursor: &mut Cursor<'data>,
) -> Option<&'data [u8]> {
    match form {
        Form::Text => cursor.text(),
        Form::TextAt => {
            let at = cursor.at;
            cursor.take(4)?;
            sections.string(at)
        }
        _ => None,
    }
}

fn number(form: Form, cursor: &mut Cursor<'_>) -> Option<u64> {
    match form {
        Form::Data(bytes) => cursor.number(bytes),
        Form::Leb128 => cursor.leb128(),
        _ => None,
    }
}
