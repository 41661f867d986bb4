//! The shapes of debugging entries, as `.debug_abbrev` declares them, and how long each form is.

/// A position in bytes that are read one after the other; `None` is the end, or nonsense.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'data> {
    pub data: &'data [u8],
    pub at: usize,
}

impl<'data> Cursor<'data> {
    /// The next bytes.
    pub fn take(&mut self, count: usize) -> Option<&'data [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.data.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    /// The next number of so many bytes, at most eight.
    pub fn number(&mut self, bytes: usize) -> Option<u64> {
        let mut wide = [0; 8];
        wide.get_mut(..bytes)?.copy_from_slice(self.take(bytes)?);
        Some(u64::from_le_bytes(wide))
    }

    /// The next number in LEB128. Where it is meant to be signed, only its length is right.
    pub fn leb128(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = *self.take(1)?.first()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// The next text, without the zero that ends it.
    pub fn text(&mut self) -> Option<&'data [u8]> {
        let rest = self.data.get(self.at..)?;
        let length = rest.iter().position(|byte| *byte == 0)?;
        self.take(length + 1).map(|text| &text[..length])
    }
}

/// What form an attribute's value has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An address.
    Address,
    /// A number of so many bytes.
    Data(usize),
    /// A number in LEB128.
    Leb128,
    /// So many bytes, whose count stands before them in so many bytes; 0 for LEB128.
    Block(usize),
    /// Text.
    Text,
    /// The place of text in `.debug_str`.
    TextAt,
    /// The place of something in another section.
    SectionOffset,
    /// The place of an entry in the same unit.
    Reference,
    /// Nothing: that it stands there says it.
    Flag,
}

impl Form {
    /// The forms of DWARF 4 that rustc writes.
    fn of(code: u64) -> Option<Self> {
        Some(match code {
            0x01 => Self::Address,
            0x03 => Self::Block(2),
            0x04 => Self::Block(4),
            0x09 | 0x18 => Self::Block(0),
            0x0a => Self::Block(1),
            0x0b | 0x0c => Self::Data(1),
            0x05 => Self::Data(2),
            0x06 => Self::Data(4),
            0x07 | 0x20 => Self::Data(8),
            0x08 => Self::Text,
            0x0d | 0x0f => Self::Leb128,
            0x0e => Self::TextAt,
            0x13 => Self::Reference,
            0x17 => Self::SectionOffset,
            0x19 => Self::Flag,
            _ => return None,
        })
    }

    /// The length of its values, where it is always the same.
    fn length(self) -> Option<usize> {
        Some(match self {
            Self::Address => 8,
            Self::Data(bytes) => bytes,
            Self::TextAt | Self::SectionOffset | Self::Reference => 4,
            Self::Flag => 0,
            Self::Leb128 | Self::Block(_) | Self::Text => return None,
        })
    }

    /// Goes over a value.
    pub fn skip(self, cursor: &mut Cursor<'_>) -> Option<()> {
        let length = match self {
            Self::Leb128 => return cursor.leb128().map(drop),
            Self::Text => return cursor.text().map(drop),
            Self::Block(0) => cursor.leb128()?,
            Self::Block(bytes) => cursor.number(bytes)?,
            fixed => fixed.length()? as u64,
        };
        cursor.take(usize::try_from(length).ok()?).map(drop)
    }
}

/// The shape of an entry.
#[derive(Debug, Clone)]
pub struct Shape {
    pub tag: u64,
    pub has_children: bool,
    /// Attributes and their forms.
    pub attributes: Vec<(u64, Form)>,
    /// The length of all values, where it is always the same.
    length: Option<usize>,
}

impl Shape {
    /// Goes over an entry's values.
    pub fn skip(&self, cursor: &mut Cursor<'_>) -> Option<()> {
        if let Some(length) = self.length {
            return cursor.take(length).map(drop);
        }
        self.attributes
            .iter()
            .try_for_each(|(_, form)| form.skip(cursor))
    }
}

/// The shapes of a unit's entries, by their number less one.
pub fn shapes(abbreviations: &[u8], offset: usize) -> Option<Vec<Shape>> {
    let mut cursor = Cursor {
        data: abbreviations,
        at: offset,
    };
    let mut shapes = Vec::new();
    loop {
        match cursor.leb128()? {
            0 => return Some(shapes),
            // Compilers number them in order.
            number if number != shapes.len() as u64 + 1 => return None,
            _ => {}
        }
        let tag = cursor.leb128()?;
        let has_children = cursor.number(1)? != 0;
        let mut attributes = Vec::new();
        loop {
            match (cursor.leb128()?, cursor.leb128()?) {
                (0, 0) => break,
                (name, form) => attributes.push((name, Form::of(form)?)),
            }
        }
        let lengths = attributes.iter().map(|(_, form)| form.length());
        shapes.push(Shape {
            tag,
            has_children,
            length: lengths.sum(),
            attributes,
        });
    }
}
